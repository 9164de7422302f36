//! A stream over one or two file descriptors: [`Descriptors`]. The input and the output are independent, except that they belong to
//! one transport.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token, WeakReactor};

use super::{end::End, nonblocking_fd::Descriptor, standard::Standard};
use crate::net::ByteStream;

/// Input and output of a stream.
pub(crate) struct Descriptors {
    reactor: WeakReactor,
    /// The stream's token, once it is registered.
    token: Cell<Option<Token>>,
    input: Option<End>,
    /// `None` if there is none, or it has been closed.
    output: RefCell<Option<End>>,
    takes_output: bool,
    /// The stream has only an output, which has been closed, so the stream has ended.
    ended: Cell<bool>,
    /// For standard input and output: the bytes still to be read after the output broke, namely those that had left_to_read by then.
    /// `usize::MAX` before that.
    left_to_read: Option<Cell<usize>>,
}

/// A descriptor of a stream, and which standard stream it is, if any.
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
            left_to_read: is_own.then(|| Cell::new(usize::MAX)),
        })
    }

    /// The result of a read without an input.
    fn read_without_input(&self) -> io::Result<usize> {
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
        let Some(input) = &self.input else { return self.read_without_input() };
        let Some(left_to_read) = &self.left_to_read else { return input.read(buffer) };
        if left_to_read.get() == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let room = buffer.len().min(left_to_read.get());
        let len = input.read(&mut buffer[..room])?;
        if left_to_read.get() != usize::MAX {
            left_to_read.set(left_to_read.get() - len);
        }
        Ok(len)
    }

    fn peek(&self) -> io::Result<usize> {
        let Some(input) = &self.input else { return self.read_without_input() };
        let is_ready =
            input.is_ready() && self.left_to_read.as_ref().is_none_or(|left| left.get() > 0);
        if is_ready { Ok(1) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    fn short_read_drains(&self, _: bool) -> bool {
        self.input.as_ref().is_some_and(End::short_read_drains)
    }

    /// Half-close is supported, since a program that closes its input may still produce output; except on standard input and output,
    /// where a closed output ends the stream.
    fn has_separate_directions(&self) -> bool {
        self.input.is_some() && self.left_to_read.is_none()
    }

    /// Errors of the input show in reads, those of the output in writes.
    fn check(&self) -> io::Result<()> {
        Ok(())
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match &*self.output.borrow() {
            Some(output) => output.write_vectored(slices),
            None => Err(ErrorKind::BrokenPipe.into()),
        };
        if let (Err(error), Some(left_to_read), Some(input)) =
            (&written, &self.left_to_read, &self.input)
            && !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        {
            left_to_read.set(input.unread());
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

    /// Pipes have no reset; the other end only sees the close.
    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        let input = self.input.as_ref().map_or(Ready::NONE, End::take_readiness);
        let output = self.output.borrow().as_ref().map_or(Ready::NONE, End::take_readiness);
        let ended = if self.ended.get() { Ready::READ } else { Ready::NONE };
        input | output | ended
    }

    fn register(&self, token: Token) {
        self.token.set(Some(token));
        let output = self.output.borrow();
        self.input.iter().chain(&*output).for_each(|end| end.set_stream(token));
    }

    fn takes_output(&self) -> bool {
        self.takes_output
    }

    fn lingers(&self) -> bool {
        false
    }
}
