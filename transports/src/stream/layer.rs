//! What may lie between a stream's socket and its protocol: a [`Layer`], which has something to settle with its peer first. TLS
//! is one. The state machine stays what it is; this is what the loop does with a stream that has a layer.

#![cfg_attr(not(feature = "tls"), allow(dead_code, reason = "TLS is the only layer there is"))]

use std::{cell::RefCell, io};

use sinew_reactor::{Handler, Reactor, Ready, TimerKey, Token};

use super::{
    Stream, StreamBuilder,
    input::count,
    socket::{Socket, StreamSocket},
    state::{Input, State},
};
use crate::{
    Connection, ConnectionLost, Factory, Protocol, Transport, buffers::put, disconnect::LayerError,
    dyn_protocol::boxed,
};

/// A layer over a socket, which is itself the stream's socket. What is written to it goes out as [`ByteStream`](crate::net::ByteStream) says; what comes
/// in is not read but received, for it need not be as long as what was read.
pub(crate) trait Layer {
    /// Goes on with what has to be settled before anything else comes or goes. An error is that of the input, or the layer's own.
    fn secure(&self, reactor: &Reactor, may_read: bool) -> io::Result<Step>;
    /// It is not gone on with, or has failed: what comes from now on is read and thrown away, and of what is written nothing goes out
    /// but what does so below the layer. What the layer has to say to its peer it says with the end of the output.
    fn give_up(&self);
    /// So many bytes of what is queued go out below it.
    fn clear(&self) -> usize;
    /// At most one read, and what it has brought, appended to `plain`.
    fn receive(&self, reactor: &Reactor, plain: &mut Vec<u8>) -> io::Result<Received>;
    /// What is to be done once it is ready, or lost.
    fn take_when_ready(&self) -> Option<WhenReady>;
    /// The timer that bounds the settling.
    fn take_deadline(&self) -> Option<TimerKey>;
    /// Whether that timer is this one, and why the connection ends then.
    fn too_late(&self, key: TimerKey) -> Option<ConnectionLost>;
    /// The protocol is to be told of a drain as soon as there is one.
    fn note_drain(&self);
    /// It is ready; what only the settling needed is let go. Whether a drain was noted.
    fn open(&self) -> bool;
    /// What is known of the other end.
    #[cfg(feature = "tls")]
    fn tls_info(&self) -> Option<crate::tls_info::TlsInfo>;
}

/// How far the settling has come.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) is_ready: bool,
    /// `None` if nothing was read.
    pub(crate) source: Option<Source>,
    /// Whether the socket has taken all that was to be said.
    pub(crate) is_sent: io::Result<bool>,
}

/// What came of a `receive`.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) source: Source,
    /// The peer has ended its side, with nothing left before that.
    pub(crate) has_ended: bool,
}

/// What is left where input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Perhaps more.
    Open,
    /// Nothing, if a short read proves that.
    Short,
    /// Nothing: a read would have blocked.
    Blocked,
    /// It is not this connection's turn. The loop comes by when it is.
    NotOurTurn,
}

/// What is done once a layer is ready, or has failed. It builds the protocol.
pub(crate) type WhenReady = Box<dyn FnOnce(&Reactor, HandshakeResult<'_>)>;

/// A connection without a protocol whose layer is ready, or why there will be none.
pub(crate) type HandshakeResult<'a> = Result<&'a Transport, ConnectionLost>;

/// Makes the layer of one connection.
pub(crate) trait MakeLayer {
    fn make(&self, socket: Socket, below: Below<'_>) -> io::Result<Box<dyn StreamSocket>>;
}

/// What a layer has to know of the stream that it is for.
pub(crate) struct Below<'a> {
    pub(crate) reactor: &'a Reactor,
    pub(crate) token: Token,
    /// The engine receives.
    pub(crate) completes: bool,
    /// So many bytes go out before the layer has its first word.
    pub(crate) clear: usize,
    pub(crate) when_ready: Option<WhenReady>,
}

/// What stands in the place of the protocol where there is none yet, or none at all.
pub(crate) enum Nobody {}

impl Protocol for Nobody {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        match *self {}
    }
}

impl StreamBuilder<'_> {
    /// A stream without a protocol: `when_ready` is to build one when the layer is ready.
    pub(crate) fn secure(
        self,
        layer: &dyn MakeLayer,
        ready: Ready,
        when_ready: WhenReady,
    ) -> Transport {
        self.secure_after(&[], layer, ready, when_ready)
    }

    /// The same, with `first` to be sent in the clear before the layer has its first word.
    pub(crate) fn secure_after(
        self,
        first: &[u8],
        layer: &dyn MakeLayer,
        ready: Ready,
        when_ready: WhenReady,
    ) -> Transport {
        let reactor = self.reactor;
        let transport = self.adopt::<Nobody>(None);
        transport.inner().queue_first(first);
        let what = || transport.inner().describe();
        let begun = reactor.guard(what, || {
            transport.wrap_in_layer(reactor, layer, Some(when_ready));
            let readiness = transport.inner().with_socket(|socket| socket.readiness());
            transport.on_ready(reactor, ready | readiness);
        });
        if let Err(panic) = begun {
            transport.panicked(reactor, &panic.message);
        }
        transport
    }
}

impl Stream {
    /// Asks the layer, if there is one.
    pub(crate) fn with_layer<R>(&self, ask: impl FnOnce(&dyn Layer) -> R) -> Option<R> {
        self.with_socket(|socket| socket.layer().map(ask))
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.state.get().is_handshaking()
    }

    pub(crate) fn is_layered(&self) -> bool {
        self.state.get().is_layered()
    }

    /// Whether something was written that only goes out when the layer is ready.
    fn waits_for_layer(&self) -> bool {
        let clear = self.with_layer(|layer| layer.clear()).unwrap_or(0);
        self.queued() > clear || self.has_producers()
    }

    /// Drops what is queued behind so many bytes.
    fn shorten_queue(&self, len: usize) {
        if let Some(mut queue) = self.queue.take() {
            self.defer_drop(queue.split_off(len));
            put(&self.queue, queue);
        }
    }
}

impl Transport {
    /// Lays a layer over the socket. What is queued so far goes out below it, what is written from now on above.
    pub(crate) fn wrap_in_layer(
        &self,
        reactor: &Reactor,
        layer: &dyn MakeLayer,
        when_ready: Option<WhenReady>,
    ) {
        let stream = self.inner();
        let below = Below {
            reactor,
            token: stream.token,
            completes: stream.state.get().completes(),
            clear: stream.queued(),
            when_ready,
        };
        let Some(socket) = stream.take_socket() else { return };
        match layer.make(socket, below) {
            Ok(layered) => {
                stream.put_socket(Socket::Other(layered));
                stream.update(State::layered);
            }
            Err(error) => stream.end_now(error.into()),
        }
    }

    /// Goes on with what the layer has to settle, unless the connection closes with nothing written that would wait for it.
    #[inline(never)]
    pub(super) fn handshake_or_give_up(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_closing() && !stream.waits_for_layer() {
            self.give_up_layer(reactor);
        } else {
            self.secure(reactor);
        }
    }

    fn secure(&self, reactor: &Reactor) {
        let stream = self.inner();
        let may_read = stream.state.get().is_readable();
        let Some(step) = stream.with_layer(|layer| layer.secure(reactor, may_read)) else {
            return;
        };
        let Step { is_ready, source, is_sent } = match step {
            Ok(step) => step,
            Err(error) => return self.layer_failed(reactor, error),
        };
        if is_ready && stream.state.get().sends() {
            return self.secured(reactor);
        }
        if let Some(source) = source {
            self.note_source(source);
        }
        match is_sent {
            Ok(true) => {}
            Ok(false) => stream.update(State::write_blocked),
            // What has come may say why.
            Err(error) => self.output_failed(reactor, error),
        }
    }

    fn note_source(&self, source: Source) {
        self.inner().update(|state| match source {
            Source::Open => state.became(Ready::READ),
            Source::Short => state.read_was_short(),
            Source::Blocked => state.read_blocked(),
            Source::NotOurTurn => state.wait_for_turn(),
        });
    }

    /// The layer, or what it reads from, has failed. If it has something to say to its peer, an alert, that is sent and the
    /// connection closed as gracefully as any other, or what comes meanwhile would take it away.
    fn layer_failed(&self, reactor: &Reactor, error: io::Error) {
        let stream = self.inner();
        let has_word = stream.with_socket(|socket| socket.has_unsent());
        if !stream.state.get().sends() || !has_word || !LayerError::is_tls(&error) {
            return self.input_failed(reactor, error);
        }
        self.give_up_layer(reactor);
        match self.who_waits() {
            Some(when_ready) => {
                stream.update(State::made);
                when_ready(reactor, Err(error.into()));
            }
            None => stream.cold().blame(error.into()),
        }
        stream.lose_connection();
    }

    /// Nothing is said or heard through the layer any more.
    fn give_up_layer(&self, reactor: &Reactor) {
        let stream = self.inner();
        let given_up = stream.with_layer(|layer| {
            layer.give_up();
            (layer.clear(), layer.take_deadline())
        });
        let Some((clear, deadline)) = given_up else { return };
        if let Some(key) = deadline {
            reactor.disarm_timer(key);
        }
        stream.shorten_queue(clear);
        stream.defer_drop(stream.cold().producers.take());
        stream.end_way_in_at_once();
        stream.update(State::secured);
    }

    fn secured(&self, reactor: &Reactor) {
        let stream = self.inner();
        stream.update(State::secured);
        let opened = stream
            .with_layer(|layer| (layer.take_deadline(), layer.take_when_ready(), layer.open()));
        let Some((deadline, when_ready, drain)) = opened else { return };
        if let Some(key) = deadline {
            reactor.disarm_timer(key);
        }
        match when_ready {
            Some(when_ready) => when_ready(reactor, Ok(self)),
            None => self.tell(|protocol, transport| protocol.tls_started(transport)),
        }
        if drain && stream.state.get().is_open() {
            self.tell(|protocol, transport| protocol.drain_requested(transport));
        }
    }

    /// Who waits for a layer to be ready, and is told of the end if it is not.
    pub(super) fn who_waits(&self) -> Option<WhenReady> {
        self.inner().with_layer(|layer| layer.take_when_ready()).flatten()
    }

    /// Has the factory build the protocol of a stream whose layer is ready, and tells it that the connection is made. `None`,
    /// with the connection closed, if the factory refuses or panics.
    pub(crate) fn begin_secured<F: Factory>(
        &self,
        reactor: &Reactor,
        factory: &RefCell<F>,
    ) -> Option<Connection<F::Protocol>> {
        let peer = self.peer();
        let what = || format!("the factory of a connection with {peer}");
        let built = reactor.guard(what, || factory.borrow_mut().build_protocol(&peer));
        let Ok(Some(protocol)) = built else {
            // Its last word may be lost; the end comes all the same.
            let _ = self.inner().with_socket(|socket| socket.finish_output());
            self.lose(reactor, ConnectionLost::Closed);
            return None;
        };
        self.begin_with(reactor, protocol);
        Some(Connection::new(self.clone()))
    }

    /// Gives a stream without a protocol this one, and tells it that the connection is made.
    pub(crate) fn begin_with<P: Protocol>(&self, reactor: &Reactor, protocol: P) {
        self.inner().protocol.set(Some(boxed(protocol)));
        self.note_made(reactor);
        let what = || self.inner().describe();
        let told = reactor.guard(what, || {
            self.tell(|protocol, transport| protocol.connection_made(transport));
        });
        if let Err(panic) = told {
            self.panicked(reactor, &panic.message);
        }
    }

    /// Whether the layer has taken too long, as this timer says.
    pub(super) fn is_too_late(&self, reactor: &Reactor, key: TimerKey) -> bool {
        let reason = self.inner().with_layer(|layer| layer.too_late(key)).flatten();
        let is_too_late = reason.is_some();
        if let Some(reason) = reason {
            self.lose(reactor, reason);
        }
        is_too_late
    }

    /// The port is drained before there is anybody to be told.
    pub(super) fn drain_when_ready(&self) {
        self.inner().with_layer(|layer| layer.note_drain());
    }

    /// At most one read through the layer, and the callback that it leads to.
    pub(super) fn take_layered(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let mut plain = stream.shared.buffers.plain_buffer();
        let received = stream.with_layer(|layer| layer.receive(reactor, &mut plain));
        let Some(received) = received else { return };
        match received {
            Ok(Received { source, has_ended }) => {
                self.note_source(source);
                if !plain.is_empty() {
                    count(reactor, plain.len());
                    self.arrived(reactor, input, &plain);
                }
                if has_ended {
                    self.input_ended(reactor);
                }
            }
            // What this side does not read any more cannot be cut off.
            Err(error) if input == Input::Discard && LayerError::is_truncation(&error) => {
                self.input_ended(reactor);
            }
            Err(error) => self.layer_failed(reactor, error),
        }
    }
}
