//! Recording of connections: [`tap`] wraps the factory, [`Tapped`] the protocol, and [`SocketTap`] observes the socket.
//! They record and forward everything.

use std::{
    cell::Cell,
    io::{self, IoSlice},
};

use sinew_reactor::WeakReactor;
use sinew_transports::{
    Bytes, ConnectionLost, Factory, Peer, Protocol, TimerId, Transport, net::StreamObserver,
};

use super::{RecordKind, Recording};

/// Wraps a factory so that its connections are recorded, over any transport: sockets, memory, a simulated network.
/// Other connections are not affected and have no overhead. See [`Recording`].
pub fn tap<F: Factory>(factory: F, recording: &Recording) -> Tap<F> {
    Tap { factory, recording: recording.clone() }
}

/// A [`Factory`] whose connections are recorded; created by [`tap`].
#[derive(Debug)]
pub struct Tap<F> {
    factory: F,
    recording: Recording,
}

impl<F> Tap<F> {
    /// The factory inside.
    pub const fn get_ref(&self) -> &F {
        &self.factory
    }

    /// Mutable access to the factory inside.
    pub const fn get_mut(&mut self) -> &mut F {
        &mut self.factory
    }

    /// Unwraps the factory.
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
    /// The number of the connection, assigned in `connection_made`.
    number: Option<u32>,
}

impl<P> Tapped<P> {
    /// A wrapper with a fixed connection number, for replays.
    pub(super) fn numbered(protocol: P, recording: Recording, number: u32) -> Self {
        Self { protocol, recording, number: Some(number) }
    }

    /// The protocol inside.
    pub const fn get_ref(&self) -> &P {
        &self.protocol
    }

    /// Mutable access to the protocol inside.
    pub const fn get_mut(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// Unwraps the protocol.
    pub fn into_inner(self) -> P {
        self.protocol
    }

    fn record(&self, transport: &Transport, kind: RecordKind) {
        if let Some(number) = self.number {
            let reactor = transport.reactor();
            self.recording.record(reactor.map(|reactor| reactor.now()), number, kind);
        }
    }

    /// Whether the data had been recorded when they were read from the socket; marks them as delivered.
    fn mark_delivered(&self, data: Option<&[u8]>) -> bool {
        self.number.is_some_and(|number| self.recording.mark_delivered(number, data))
    }
}

/// Records each callback, then forwards it.
macro_rules! recorded {
    ($($name:ident($($arg:ident: $type:ty)?) => $kind:expr;)+) => {
        $(fn $name(&mut self, transport: &Transport $(, $arg: $type)?) {
            self.record(transport, $kind);
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
        self.record(transport, RecordKind::Made { by_peer, peer, local });
        self.protocol.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !self.mark_delivered(Some(data)) {
            self.record(transport, RecordKind::Received(data.to_vec()));
        }
        self.protocol.data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        if !self.mark_delivered(None) {
            self.record(transport, RecordKind::ReadClosed);
        }
        self.protocol.read_closed(transport);
    }

    recorded! {
        writing_paused() => RecordKind::WritingPaused;
        writing_resumed() => RecordKind::WritingResumed;
        reading_resumed() => RecordKind::ReadingResumed;
        timer_fired(timer: TimerId) => RecordKind::TimerFired;
        idle_timeout() => RecordKind::IdleTimeout;
        drain_requested() => RecordKind::DrainRequested;
    }

    fn tls_started(&mut self, transport: &Transport) {
        self.protocol.tls_started(transport);
    }

    fn take_unread(&mut self, transport: &Transport) -> Bytes {
        self.protocol.take_unread(transport)
    }

    fn saved_state(&self) -> Option<Vec<u8>> {
        self.protocol.saved_state()
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.record(transport, RecordKind::Lost(reason.to_string()));
        self.protocol.connection_lost(transport, reason);
    }
}

/// Records the traffic of a socket.
struct SocketTap {
    recording: Recording,
    reactor: WeakReactor,
    number: u32,
    state: Cell<State>,
}

/// The state of the output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The last write was accepted in full.
    Flowing,
    Blocked,
    /// A failure was recorded; later calls fail as well.
    Failed,
}

impl SocketTap {
    fn record(&self, kind: RecordKind) {
        let now = self.reactor.upgrade().map(|reactor| reactor.now());
        self.recording.record(now, self.number, kind);
    }

    fn blocked(&self) {
        if self.state.replace(State::Blocked) == State::Flowing {
            self.record(RecordKind::Blocked);
        }
    }

    /// Records a failure, with the text that the protocol will get as the reason.
    fn failed(&self, error: &io::Error) {
        if self.state.replace(State::Failed) != State::Failed {
            let copy = match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            };
            self.record(RecordKind::Failed(ConnectionLost::from(copy).to_string()));
        }
    }
}

impl StreamObserver for SocketTap {
    fn read(&self, result: Result<&[u8], &io::Error>) {
        match result {
            Ok([]) => self.record(RecordKind::EndDiscarded),
            // Changed to `Received` when it is delivered to the protocol.
            Ok(data) => self.record(RecordKind::Discarded(data.to_vec())),
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
                self.record(RecordKind::Sent(sent));
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
            Ok(()) => self.record(RecordKind::WriteClosed),
            Err(error) => self.failed(error),
        }
    }

    fn reset(&self) {
        self.record(RecordKind::Reset);
    }
}

impl Drop for SocketTap {
    fn drop(&mut self) {
        self.record(RecordKind::Closed);
    }
}
