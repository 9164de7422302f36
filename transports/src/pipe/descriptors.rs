//! A stream over one or two descriptors: [`Descriptors`]. What it reads and what it writes have nothing to do with each other but
//! that they belong to one transport.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token, WeakReactor};

use super::{end::End, nonblocking_fd::Descriptor, standard::Standard};
use crate::net::ByteStream;

/// See the head of this file.
pub(crate) struct Descriptors {
    reactor: WeakReactor,
    /// The stream's, once it has one.
    token: Cell<Option<Token>>,
    input: Option<End>,
    /// `None` if there is none, or none any more.
    output: RefCell<Option<End>>,
    takes_output: bool,
    /// There is only an output, and it has ended: so has the stream.
    ended: Cell<bool>,
    /// Both are the process's own. When nobody reads what it writes any more, so much is left to read: what had arrived by then.
    arrived: Option<Cell<usize>>,
}

/// One of the descriptors of a stream, and whether it stands for one of the process's own.
pub(super) type Opened = (Descriptor, Option<Standard>);

impl Descriptors {
    pub(super) fn open(
        reactor: &Reactor,
        input: Option<Opened>,
        output: Option<Opened>,
    ) -> Result<Self, RegisterError> {
        let alone = input.is_none();
        let takes_output = output.is_some();
        let is_standard = |opened: &Option<Opened>| {
            opened.as_ref().is_some_and(|(_, standard)| standard.is_some())
        };
        let is_own = is_standard(&input) && is_standard(&output);
        let input = input
            .map(|(descriptor, standard)| End::input(reactor, descriptor, standard))
            .transpose()?;
        let output = output
            .map(|(descriptor, standard)| End::output(reactor, descriptor, standard, alone))
            .transpose()?;
        Ok(Self {
            reactor: reactor.downgrade(),
            token: Cell::new(None),
            input,
            output: RefCell::new(output),
            takes_output,
            ended: Cell::new(false),
            arrived: is_own.then(|| Cell::new(usize::MAX)),
        })
    }

    /// What is to be said to a stream that has nothing to read.
    fn read_of_nothing(&self) -> io::Result<usize> {
        if self.ended.get() {
            return Ok(0);
        }
        match &*self.output.borrow() {
            Some(output) if output.is_broken() => Err(ErrorKind::BrokenPipe.into()),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl ByteStream for Descriptors {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(input) = &self.input else { return self.read_of_nothing() };
        let Some(arrived) = &self.arrived else { return input.read(buffer) };
        if arrived.get() == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let room = buffer.len().min(arrived.get());
        let len = input.read(&mut buffer[..room])?;
        if arrived.get() != usize::MAX {
            arrived.set(arrived.get() - len);
        }
        Ok(len)
    }

    fn peek(&self) -> io::Result<usize> {
        let Some(input) = &self.input else { return self.read_of_nothing() };
        let is_ready = input.is_ready() && self.arrived.as_ref().is_none_or(|left| left.get() > 0);
        if is_ready { Ok(1) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    fn short_read_drains(&self, _: bool) -> bool {
        self.input.as_ref().is_some_and(End::short_read_drains)
    }

    /// A program that closes its input may still have much to say. One whose own output nobody reads has nobody left to work for.
    fn has_separate_directions(&self) -> bool {
        self.input.is_some() && self.arrived.is_none()
    }

    /// An end that is read from shows in a read what has become of it, one that is written to in a write.
    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match &*self.output.borrow() {
            Some(output) => output.write_vectored(slices),
            None => Err(ErrorKind::BrokenPipe.into()),
        };
        if let (Err(error), Some(arrived), Some(input)) = (&written, &self.arrived, &self.input)
            && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        {
            arrived.set(input.unread());
        }
        written
    }

    fn close_write(&self) -> io::Result<()> {
        drop(self.output.take());
        if self.input.is_none() {
            self.ended.set(true);
            if let (Some(reactor), Some(token)) = (self.reactor.upgrade(), self.token.get()) {
                reactor.reschedule(token);
            }
        }
        Ok(())
    }

    /// The other end of a pipe can be told nothing but that it has ended.
    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        let input = self.input.as_ref().map_or(Ready::NONE, End::take_noted);
        let output = self.output.borrow().as_ref().map_or(Ready::NONE, End::take_noted);
        let ended = if self.ended.get() { Ready::READ } else { Ready::NONE };
        input | output | ended
    }

    fn register(&self, token: Token) {
        self.token.set(Some(token));
        let output = self.output.borrow();
        self.input.iter().chain(&*output).for_each(|end| end.tell(token));
    }

    fn takes_output(&self) -> bool {
        self.takes_output
    }

    fn lingers(&self) -> bool {
        false
    }
}
