//! What listens in on a connection: [`tap`] around the factory, [`Tapped`] around the protocol, and a stream of bytes around
//! the socket. All they do besides is passing on.

use std::{
    cell::Cell,
    io::{self, IoSlice},
    net::SocketAddr,
};

use bytes::Bytes;
use sinew_reactor::{Ready, Token, WeakReactor};

use super::{Recording, What};
use crate::{
    ConnectionLost, Factory, Keepalive, Peer, Protocol, TimerId, Transport,
    stream::{
        layer::Layer,
        socket::{ByteStream, Socket},
    },
};

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
            let reactor = transport.inner().reactor();
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
        if let Some(reactor) = transport.inner().reactor() {
            let number = self.number.unwrap_or_else(|| self.recording.begin(&reactor));
            self.number = Some(number);
            let (recording, reactor) = (self.recording.clone(), reactor.downgrade());
            transport.inner().wrap_socket(|socket| {
                let state = Cell::new(State::Flowing);
                Socket::Other(Box::new(TappedSocket { socket, recording, reactor, number, state }))
            });
        }
        let by_peer = transport.inner().is_accepted();
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

/// A socket whose traffic is recorded. It answers as the socket does.
struct TappedSocket {
    socket: Socket,
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

impl TappedSocket {
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

impl ByteStream for TappedSocket {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.socket.read(buffer);
        self.completed(result.as_ref().map(|len| &buffer[..*len]));
        result
    }

    fn peek(&self) -> io::Result<usize> {
        self.socket.peek()
    }

    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        self.socket.short_read_drains(is_edge_triggered)
    }

    fn completed(&self, came: Result<&[u8], &io::Error>) {
        match came {
            Ok([]) => self.note(What::EndDiscarded),
            // Unless it is told to the protocol, which takes this back.
            Ok(data) => self.note(What::Discarded(data.to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.failed(error),
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.socket.write_vectored(slices);
        match &result {
            Ok(n) => {
                let (mut sent, mut left) = (Vec::with_capacity(*n), *n);
                for slice in slices {
                    sent.extend_from_slice(&slice[..slice.len().min(left)]);
                    left = n - sent.len();
                }
                self.note(What::Sent(sent));
                if *n < slices.iter().map(|slice| slice.len()).sum() {
                    self.blocked();
                } else {
                    self.state.set(State::Flowing);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.blocked(),
            Err(error) => self.failed(error),
        }
        result
    }

    fn check(&self) -> io::Result<()> {
        let result = self.socket.check();
        if let Err(error) = &result {
            self.failed(error);
        }
        result
    }

    fn close_write(&self) -> io::Result<()> {
        let result = self.socket.close_write();
        match &result {
            Ok(()) => self.note(What::WriteClosed),
            Err(error) => self.failed(error),
        }
        result
    }

    fn reset(&self) {
        self.note(What::Reset);
        self.socket.reset();
    }

    fn readiness(&self) -> Ready {
        self.socket.readiness()
    }

    fn is_held(&self) -> bool {
        self.socket.is_held()
    }

    fn register(&self, token: Token) {
        if let Socket::Other(stream) = &self.socket {
            stream.register(token);
        }
    }

    fn takes_output(&self) -> bool {
        self.socket.takes_output()
    }

    fn lingers(&self) -> bool {
        self.socket.lingers()
    }

    fn has_separate_directions(&self) -> bool {
        self.socket.has_separate_directions()
    }

    fn undelivered(&self) -> usize {
        self.socket.undelivered()
    }

    fn finish_output(&self) -> io::Result<()> {
        self.socket.finish_output()
    }

    fn has_unsent(&self) -> bool {
        self.socket.has_unsent()
    }

    /// What comes through a layer passes by here, and is noted when the protocol is told of it.
    fn layer(&self) -> Option<&dyn Layer> {
        self.socket.layer()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.socket.local_addr()
    }

    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.socket.set_no_delay(no_delay)
    }

    fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        self.socket.set_keepalive(keepalive)
    }
}

impl Drop for TappedSocket {
    fn drop(&mut self) {
        self.note(What::Closed);
    }
}
