//! One end of one descriptor, on an engine: [`End`]. It is registered by itself, since a stream may have two of them, and has the
//! stream come by when there is something to try.
//!
//! On the level-triggered engines it asks for one event at a time: what was told is not asked for again until a call has said
//! that it would block. So a stream that has paused is not told for ever, and need not say what it wants.

use std::{
    cell::Cell,
    io::{self, ErrorKind, IoSlice},
    os::fd::AsFd,
    rc::Rc,
};

use sinew_reactor::{
    Handler, Interest, Reactor, Ready, RegisterError, Token, WeakReactor, process::Origin,
};

use super::{nonblocking_fd::Descriptor, standard::Standard};

/// See the head of this file.
pub(super) struct End {
    watch: Rc<Watch>,
    descriptor: Descriptor,
    /// Which of the process's own it stands for.
    standard: Option<Standard>,
    origin: Origin,
}

/// What the engine tells, and whom.
struct Watch {
    reactor: WeakReactor,
    /// `None` as long as there is no stream to come by.
    stream: Cell<Option<Token>>,
    /// `None` if no engine tells of it: it is always ready.
    token: Cell<Option<Token>>,
    /// What the engine may tell of; an error is told as each of them.
    told: Ready,
    /// What it has told, and the stream has not heard yet.
    noted: Cell<Ready>,
    asked: Cell<Interest>,
}

impl End {
    /// The end that a stream reads from.
    pub(super) fn input(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
    ) -> Result<Self, RegisterError> {
        let told = Ready::READ | Ready::READ_CLOSED;
        Self::open(reactor, descriptor, standard, told, Interest::READ)
    }

    /// The end that a stream writes to. `alone`: it reads from nothing, so that it is from here that it has to hear if nobody reads
    /// any more.
    pub(super) fn output(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
        alone: bool,
    ) -> Result<Self, RegisterError> {
        // What can be read from anything but a pipe is not ours to look at.
        if alone && descriptor.is_pipe() {
            let told = Ready::READ | Ready::WRITE;
            Self::open(reactor, descriptor, standard, told, Interest::READ)
        } else {
            Self::open(reactor, descriptor, standard, Ready::WRITE, Interest::NONE)
        }
    }

    fn open(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
        told: Ready,
        interest: Interest,
    ) -> Result<Self, RegisterError> {
        let token = match descriptor.is_always_ready() {
            true => None,
            false => register(reactor, &descriptor, interest)?,
        };
        let watch = Rc::new(Watch {
            reactor: reactor.downgrade(),
            stream: Cell::new(None),
            token: Cell::new(token),
            told,
            noted: Cell::new(if token.is_none() { told } else { Ready::NONE }),
            asked: Cell::new(interest),
        });
        if let Some(token) = token {
            // Standard input and output are everybody's, and a terminal's master is both what is read and what is written.
            reactor.mark_shared(token);
            reactor.bind(token, watch.clone());
        }
        Ok(Self { watch, descriptor, standard, origin: Origin::here() })
    }

    /// The stream that it belongs to is to come by from now on.
    pub(super) fn tell(&self, stream: Token) {
        self.watch.stream.set(Some(stream));
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.descriptor.read(buffer);
        match &result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.watch.ask(Interest::READ),
            // The stream takes it for drained.
            Ok(n) if *n > 0 && *n < buffer.len() && self.short_read_drains() => {
                self.watch.ask(Interest::READ);
            }
            _ => {}
        }
        result
    }

    /// Whether a read would bring something: bytes, the end, or an error.
    pub(super) fn is_ready(&self) -> bool {
        self.descriptor.has_input()
    }

    /// How many bytes have arrived; of what cannot say, none.
    pub(super) fn unread(&self) -> usize {
        self.descriptor.unread()
    }

    /// Whether a read that filled less than its buffer has taken all there was.
    pub(super) fn short_read_drains(&self) -> bool {
        self.descriptor.short_read_drains()
    }

    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.descriptor.write_vectored(slices);
        match &result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.watch.ask(Interest::WRITE),
            // The stream takes it for full.
            Ok(n) if *n > 0 && *n < slices.iter().map(|slice| slice.len()).sum() => {
                if self.descriptor.short_write_fills() {
                    self.watch.ask(Interest::WRITE);
                } else {
                    self.watch.owe(Ready::WRITE);
                }
            }
            _ => {}
        }
        result
    }

    /// What has been told since this was last asked.
    pub(super) fn take_noted(&self) -> Ready {
        self.watch.noted.replace(Ready::NONE)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.descriptor.is_pipe() && self.descriptor.is_broken()
    }
}

/// `None` if the engine does not take it because it is never anything but ready.
fn register(
    reactor: &Reactor,
    descriptor: &Descriptor,
    interest: Interest,
) -> Result<Option<Token>, RegisterError> {
    match reactor.register_source(&mut descriptor.as_fd(), interest) {
        // What epoll says of regular files, of /dev/null and its kin.
        Err(RegisterError::Io(error))
            if error.raw_os_error() == Some(rustix::io::Errno::PERM.raw_os_error()) =>
        {
            Ok(None)
        }
        registered => registered.map(Some),
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let (Some(token), Some(reactor)) =
            (self.watch.token.take(), self.watch.reactor.upgrade())
        {
            reactor.deregister(token, true);
        }
        // In a child of fork(2), what the descriptor leads to is the parent's.
        if !self.origin.is_here() {
            return;
        }
        if self.watch.told.is_write() {
            self.descriptor.end_output();
        }
        if let Some(standard) = self.standard {
            standard.silence();
        }
    }
}

impl Watch {
    /// Has the engine tell of more.
    fn ask(&self, more: Interest) {
        let Some(token) = self.token.get() else {
            return self.owe(if more.is_read() { Ready::READ } else { Ready::WRITE });
        };
        let asked = self.asked.get() | more;
        if asked != self.asked.replace(asked)
            && let Some(reactor) = self.reactor.upgrade()
        {
            reactor.set_interest(token, asked);
        }
    }

    /// No engine will tell of it, so the stream is to come by.
    fn owe(&self, ready: Ready) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.note(&reactor, ready);
        }
    }

    fn note(&self, reactor: &Reactor, ready: Ready) {
        self.noted.set(self.noted.get() | ready);
        if let Some(stream) = self.stream.get() {
            reactor.reschedule(stream);
        }
    }
}

impl Handler for Watch {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        let told = ready & self.told;
        let asked = self.asked.get();
        let left =
            match (asked.is_read() && !ready.is_read(), asked.is_write() && !ready.is_write()) {
                (true, true) => Interest::BOTH,
                (true, false) => Interest::READ,
                (false, true) => Interest::WRITE,
                (false, false) => Interest::NONE,
            };
        self.asked.set(left);
        if let Some(token) = self.token.get() {
            reactor.set_interest(token, left);
        }
        if told != Ready::NONE {
            self.note(reactor, told);
        }
    }

    fn describe(&self) -> String {
        "one end of a pipe".to_owned()
    }
}
