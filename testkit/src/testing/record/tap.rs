//! What listens in on a connection: [`tap`] around the factory, [`Tapped`] around the protocol, and an observer of the
//! socket. All they do besides is passing on.

use std::{
    cell::Cell,
    io::{self, IoSlice},
};

use sinew_reactor::WeakReactor;
use sinew_transports::{
    Bytes, ConnectionLost, Factory, Peer, Protocol, TimerId, Transport, net::StreamObserver,
};

use super::{Recording, What};

/// A factory whose connections are recorded, whatever they are made of: a socket, memory, a simulated network. Connections
/// made otherwise are not touched, and cost nothing. See [`Recording`].
pub fn tap<F: Factory>(factory: F, recording: &Recording) -> Tap<F> {
    Tap { factory, recording: recording.clone() }
}

/// A [`Factory`] whose connections are recorded: what [`tap`] makes.
#[derive(Debug)]
pub struct Tap<F> {
    factory: F,
    recording: Recording,
}

impl<F> Tap<F> {
    /// The factory.
    pub const fn get_ref(&self) -> &F {
        &self.factory
    }

    /// The factory.
    pub const fn get_mut(&mut self) -> &mut F {
        &mut self.factory
    }

    /// The factory, without the tap.
    pub fn into_inner(self) -> F {
        self.factory
    }
}

impl<F: Factory> Factory for Tap<F> {
    type Protocol = Tapped<F::Protocol>;

    fn build_protocol(&mut self, peer: &Peer) -> Option<Self::Protocol> {
        let protocol = self.factory.build_protocol(peer)?;
        Some(Tapped { protocol, recording: self.recording.clone(), number: None })
    }

    fn started(&mut self) {
        self.factory.started();
    }

    fn stopped(&mut self) {
        self.factory.stopped();
    }
}

/// A [`Protocol`] whose connection is recorded.
#[derive(Debug)]
pub struct Tapped<P> {
    protocol: P,
    recording: Recording,
    /// The connection's. Given when it is made.
    number: Option<u32>,
}

impl<P> Tapped<P> {
    /// One whose connection bears this number, whenever it is made.
    pub(super) fn numbered(protocol: P, recording: Recording, number: u32) -> Self {
        Self { protocol, recording, number: Some(number) }
    }

    /// The protocol.
    pub const fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// The protocol.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The protocol, without the tap.
    pub fn into_inner(self) -> P {
        self.protocol
    }

    fn note(&self, transport: &Transport, what: What) {
        if let Some(number) = self.number {
            let reactor = transport.reactor();
            self.recording.note(reactor.map(|reactor| reactor.now()), number, what);
        }
    }

    /// What came was read from the socket before, and noted there.
    fn was_told(&self, data: Option<&[u8]>) -> bool {
        self.number.is_some_and(|number| self.recording.was_told(number, data))
    }
}

/// Has each callback noted, then passed on.
macro_rules! noted {
    ($($name:ident($($arg:ident: $type:ty)?) => $what:expr;)+) => {
        $(fn $name(&mut self, transport: &Transport $(, $arg: $type)?) {
            self.note(transport, $what);
            self.protocol.$name(transport $(, $arg)?);
        })+
    };
}

impl<P: Protocol> Protocol for Tapped<P> {
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(reactor) = transport.reactor() {
            let number = self.number.unwrap_or_else(|| self.recording.begin(&reactor));
            self.number = Some(number);
            let (recording, reactor) = (self.recording.clone(), reactor.downgrade());
            let state = Cell::new(State::Flowing);
            transport.observe(Box::new(SocketTap { recording, reactor, number, state }));
        }
        let by_peer = transport.is_accepted();
        let (peer, local) = (transport.peer(), transport.local());
        self.note(transport, What::Made { by_peer, peer, local });
        self.protocol.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !self.was_told(Some(data)) {
            self.note(transport, What::Received(data.to_vec()));
        }
        self.protocol.data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        if !self.was_told(None) {
            self.note(transport, What::ReadClosed);
        }
        self.protocol.read_closed(transport);
    }

    noted! {
        writing_paused() => What::WritingPaused;
        writing_resumed() => What::WritingResumed;
        reading_resumed() => What::ReadingResumed;
        timer_fired(timer: TimerId) => What::TimerFired;
        idle_timeout() => What::IdleTimeout;
        drain_requested() => What::DrainRequested;
    }

    fn tls_started(&mut self, transport: &Transport) {
        self.protocol.tls_started(transport);
    }

    fn take_unread(&mut self, transport: &Transport) -> Bytes {
        self.protocol.take_unread(transport)
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.note(transport, What::Lost(reason.to_string()));
        self.protocol.connection_lost(transport, reason);
    }
}

/// Notes the traffic of a socket.
struct SocketTap {
    recording: Recording,
    reactor: WeakReactor,
    number: u32,
    state: Cell<State>,
}

/// What is known of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The last write took all it was given.
    Flowing,
    Blocked,
    /// A failure was noted; the calls that follow fail as well.
    Failed,
}

impl SocketTap {
    fn note(&self, what: What) {
        let now = self.reactor.upgrade().map(|reactor| reactor.now());
        self.recording.note(now, self.number, what);
    }

    fn blocked(&self) {
        if self.state.replace(State::Blocked) == State::Flowing {
            self.note(What::Blocked);
        }
    }

    /// Notes a failure, in the words in which the protocol will hear of it.
    fn failed(&self, error: &io::Error) {
        if self.state.replace(State::Failed) != State::Failed {
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            self.note(What::Failed(ConnectionLost::from(copy).to_string()));
        }
    }
}

impl StreamObserver for SocketTap {
    fn read(&self, result: Result<&[u8], &io::Error>) {
        match result {
            Ok([]) => self.note(What::EndDiscarded),
            // Unless it is told to the protocol, which takes this back.
            Ok(data) => self.note(What::Discarded(data.to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.failed(error),
        }
    }

    fn written(&self, slices: &[IoSlice<'_>], result: Result<usize, &io::Error>) {
        match result {
            Ok(n) => {
                let (mut sent, mut left) = (Vec::with_capacity(n), n);
                for slice in slices {
                    sent.extend_from_slice(&slice[..slice.len().min(left)]);
                    left = n - sent.len();
                }
                self.note(What::Sent(sent));
                if n < slices.iter().map(|slice| slice.len()).sum() {
                    self.blocked();
                } else {
                    self.state.set(State::Flowing);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked(),
            Err(error) => self.failed(error),
        }
    }

    fn checked(&self, result: Result<(), &io::Error>) {
        if let Err(error) = result {
            self.failed(error);
        }
    }

    fn write_closed(&self, result: Result<(), &io::Error>) {
        match result {
            Ok(()) => self.note(What::WriteClosed),
            Err(error) => self.failed(error),
        }
    }

    fn reset(&self) {
        self.note(What::Reset);
    }
}

impl Drop for SocketTap {
    fn drop(&mut self) {
        self.note(What::Closed);
    }
}
