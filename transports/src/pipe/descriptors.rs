//! A stream over one or two descriptors: [`Descriptors`]. What it reads and what it writes have nothing to do with each other but
//! that they belong to one transport.

use std::{
    cell::{Cell, RefCell},
    io::{self, ErrorKind, IoSlice},
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token, WeakReactor};

use super::{access::Descriptor, end::End, standard::Standard};
use crate::stream::socket::ByteStream;

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
        match &self.input {
            Some(input) => input.read(buffer),
            None => self.read_of_nothing(),
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &*self.output.borrow() {
            Some(output) => output.write_vectored(slices),
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    fn close_write(&self) -> io::Result<()> {
        drop(self.output.take());
        if self.input.is_none() {
            self.ended.set(true);
            if let (Some(reactor), Some(token)) = (self.reactor.upgrade(), self.token.get()) {
                reactor.run_again(token);
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
