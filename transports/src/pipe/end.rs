//! One descriptor registered with an engine: [`End`]. It has a registration of its exclusive, since a stream may have two, and reschedules
//! the stream when it is ready.
//!
//! On level-triggered engines its interest is one-shot: an interest that was reported is dropped until a call returns
//! `WouldBlock`. So a paused stream gets no further events, and need not say what it is interested in.

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

/// One end of a pipe, a terminal or a file.
pub(super) struct End {
    watch: Rc<Watch>,
    descriptor: Descriptor,
    /// Which standard stream it is, if any.
    standard: Option<Standard>,
    origin: Origin,
}

/// The handler of an end: passes readiness on to the stream.
struct Watch {
    reactor: WeakReactor,
    /// `None` before the stream is registered.
    stream: Cell<Option<Token>>,
    /// `None` if the descriptor cannot be polled, since it is always ready.
    token: Cell<Option<Token>>,
    /// The events that concern this end; an error is reported as each of them.
    events: Ready,
    /// Events that the stream has not taken yet.
    pending: Cell<Ready>,
    interest: Cell<Interest>,
}

impl End {
    /// The input of a stream.
    pub(super) fn input(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
    ) -> Result<Self, RegisterError> {
        let events = Ready::READ | Ready::READ_CLOSED;
        Self::open(reactor, descriptor, standard, events, Interest::READ)
    }

    /// The output of a stream. `alone`: the stream has no input, so this end must detect that the reader has gone.
    pub(super) fn output(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
        alone: bool,
    ) -> Result<Self, RegisterError> {
        // Only for pipes, since anything else may have input that is not ours to read.
        if alone && descriptor.is_pipe() {
            let events = Ready::READ | Ready::WRITE;
            Self::open(reactor, descriptor, standard, events, Interest::READ)
        } else {
            Self::open(reactor, descriptor, standard, Ready::WRITE, Interest::NONE)
        }
    }

    fn open(
        reactor: &Reactor,
        descriptor: Descriptor,
        standard: Option<Standard>,
        events: Ready,
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
            events,
            pending: Cell::new(if token.is_none() { events } else { Ready::NONE }),
            interest: Cell::new(interest),
        });
        if let Some(token) = token {
            // Standard input and output are shared with other processes, and a terminal's master is both input and output.
            reactor.mark_shared(token);
            reactor.bind(token, watch.clone());
        }
        Ok(Self { watch, descriptor, standard, origin: Origin::here() })
    }

    /// Sets the stream to be rescheduled.
    pub(super) fn set_stream(&self, stream: Token) {
        self.watch.stream.set(Some(stream));
    }

    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.descriptor.read(buffer);
        match &result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.watch.add_interest(Interest::READ)
            }
            // The stream takes a short read as drained.
            Ok(n) if *n > 0 && *n < buffer.len() && self.short_read_drains() => {
                self.watch.add_interest(Interest::READ);
            }
            _ => {}
        }
        result
    }

    /// Whether a read would return bytes, the end, or an error.
    pub(super) fn is_ready(&self) -> bool {
        self.descriptor.has_input()
    }

    /// Bytes that can be read; 0 if the descriptor does not support FIONREAD.
    pub(super) fn unread(&self) -> usize {
        self.descriptor.unread()
    }

    /// Whether a short read means that the input is drained.
    pub(super) fn short_read_drains(&self) -> bool {
        self.descriptor.short_read_drains()
    }

    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.descriptor.write_vectored(slices);
        match &result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.watch.add_interest(Interest::WRITE)
            }
            // The stream takes a short write as full.
            Ok(n) if *n > 0 && *n < slices.iter().map(|slice| slice.len()).sum() => {
                if self.descriptor.short_write_fills() {
                    self.watch.add_interest(Interest::WRITE);
                } else {
                    self.watch.report(Ready::WRITE);
                }
            }
            _ => {}
        }
        result
    }

    /// Takes the events since the last call.
    pub(super) fn take_readiness(&self) -> Ready {
        self.watch.pending.replace(Ready::NONE)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.descriptor.is_pipe() && self.descriptor.is_broken()
    }
}

/// `None` if the engine refuses it since it is always ready.
fn register(
    reactor: &Reactor,
    descriptor: &Descriptor,
    interest: Interest,
) -> Result<Option<Token>, RegisterError> {
    match reactor.register_source(&mut descriptor.as_fd(), interest) {
        // epoll returns EPERM for regular files, /dev/null and the like.
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
        // In a child of fork(2), the descriptor belongs to the parent.
        if !self.origin.is_here() {
            return;
        }
        if self.watch.events.is_write() {
            self.descriptor.end_output();
        }
        if let Some(standard) = self.standard {
            standard.redirect_to_null();
        }
    }
}

impl Watch {
    /// Adds an interest.
    fn add_interest(&self, more: Interest) {
        let Some(token) = self.token.get() else {
            return self.report(if more.is_read() { Ready::READ } else { Ready::WRITE });
        };
        let interest = self.interest.get() | more;
        if interest != self.interest.replace(interest)
            && let Some(reactor) = self.reactor.upgrade()
        {
            reactor.set_interest(token, interest);
        }
    }

    /// The engine will not report this, so the stream is rescheduled.
    fn report(&self, ready: Ready) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.notify(&reactor, ready);
        }
    }

    fn notify(&self, reactor: &Reactor, ready: Ready) {
        self.pending.set(self.pending.get() | ready);
        if let Some(stream) = self.stream.get() {
            reactor.reschedule(stream);
        }
    }
}

impl Handler for Watch {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        let events = ready & self.events;
        let interest = self.interest.get();
        let left = match (
            interest.is_read() && !ready.is_read(),
            interest.is_write() && !ready.is_write(),
        ) {
            (true, true) => Interest::BOTH,
            (true, false) => Interest::READ,
            (false, true) => Interest::WRITE,
            (false, false) => Interest::NONE,
        };
        self.interest.set(left);
        if let Some(token) = self.token.get() {
            reactor.set_interest(token, left);
        }
        if events != Ready::NONE {
            self.notify(reactor, events);
        }
    }

    fn describe(&self) -> String {
        "one end of a pipe".to_owned()
    }
}
