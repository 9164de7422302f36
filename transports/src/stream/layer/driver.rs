//! What the event loop does with a stream that has a [`Layer`]: the handshake first, then input through the layer. The state
//! machine is the same as without.

#![cfg_attr(not(feature = "tls"), allow(dead_code, reason = "TLS is the only layer there is"))]

use std::{cell::RefCell, io};

use sinew_reactor::{Handler, Reactor, Ready, TimerKey, Token};

use super::{Layer, Received, Source, Step, WhenReady};
use crate::{
    Connection, ConnectionLost, Factory, Protocol, Transport,
    buffers::store_queue,
    disconnect::LayerError,
    dyn_protocol::boxed,
    stream::{
        Stream, StreamBuilder,
        input::count_received,
        socket::{Socket, StreamSocket},
        span::in_span,
        state::{Input, State},
    },
};

/// Makes the layer of one connection.
pub(crate) trait MakeLayer {
    fn make(&self, socket: Socket, context: LayerContext<'_>) -> io::Result<Box<dyn StreamSocket>>;
}

/// What a layer has to know about its stream.
pub(crate) struct LayerContext<'a> {
    pub(crate) reactor: &'a Reactor,
    pub(crate) token: Token,
    /// The engine receives for the stream (completion mode).
    pub(crate) completion_mode: bool,
    /// Bytes that are sent before the layer's first message.
    pub(crate) plaintext_len: usize,
    /// Bytes of the peer's first messages that were received already.
    pub(crate) received: Vec<u8>,
    pub(crate) when_ready: Option<WhenReady>,
}

/// The protocol type of a stream that has no protocol yet.
pub(crate) enum NoProtocol {}

impl Protocol for NoProtocol {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        match *self {}
    }
}

impl StreamBuilder<'_> {
    /// Makes a stream without a protocol; `when_ready` builds one after the handshake.
    pub(crate) fn start_with_layer(
        self,
        layer: &dyn MakeLayer,
        ready: Ready,
        when_ready: WhenReady,
    ) -> Transport {
        self.start_with_layer_after(&[], layer, ready, when_ready)
    }

    /// The same, with `first` sent in plaintext before the layer's first message.
    pub(crate) fn start_with_layer_after(
        self,
        first: &[u8],
        layer: &dyn MakeLayer,
        ready: Ready,
        when_ready: WhenReady,
    ) -> Transport {
        let reactor = self.reactor;
        let transport = self.adopt::<NoProtocol>(None);
        transport.inner().queue_first(first);
        let what = || transport.inner().describe();
        let result = reactor.guard(what, || {
            transport.wrap_in_layer(reactor, layer, Vec::new(), Some(when_ready));
            let readiness = transport.inner().with_socket(|socket| socket.readiness());
            transport.on_ready(reactor, ready | readiness);
        });
        if let Err(panic) = result {
            transport.panicked(reactor, &panic.message);
        }
        transport
    }
}

impl Stream {
    /// Calls the layer, if there is one.
    pub(crate) fn with_layer<R>(&self, ask: impl FnOnce(&dyn Layer) -> R) -> Option<R> {
        self.with_socket(|socket| socket.layer().map(ask))
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.state.get().is_handshaking()
    }

    pub(crate) fn is_layered(&self) -> bool {
        self.state.get().is_layered()
    }

    /// Whether there is output that can only be sent after the handshake.
    fn has_output_for_layer(&self) -> bool {
        let plaintext_len = self.with_layer(|layer| layer.plaintext_len()).unwrap_or(0);
        self.queued() > plaintext_len || self.has_producers()
    }

    /// Drops all but the first `len` bytes of the queue.
    fn truncate_queue(&self, len: usize) {
        if let Some(mut queue) = self.queue.take() {
            self.defer_drop(queue.split_off(len));
            store_queue(&self.queue, queue);
        }
    }
}

impl Transport {
    /// Puts a layer on top of the socket. Output queued so far is sent below it, later output above. The layer takes `received`
    /// for its first input.
    pub(crate) fn wrap_in_layer(
        &self,
        reactor: &Reactor,
        layer: &dyn MakeLayer,
        received: Vec<u8>,
        when_ready: Option<WhenReady>,
    ) {
        let stream = self.inner();
        let context = LayerContext {
            reactor,
            token: stream.token,
            completion_mode: stream.state.get().is_completion_mode(),
            plaintext_len: stream.queued(),
            received,
            when_ready,
        };
        let Some(socket) = stream.take_socket() else { return };
        match layer.make(socket, context) {
            Ok(layer_added) => {
                stream.put_socket(Socket::Other(layer_added));
                stream.update(State::layer_added);
            }
            Err(error) => stream.disconnect(error.into()),
        }
    }

    /// Advances the handshake, or gives it up if the connection is closing and has no output that needs it.
    #[inline(never)]
    pub(in crate::stream) fn handshake_or_give_up(&self, reactor: &Reactor) {
        let stream = self.inner();
        if stream.state.get().is_closing() && !stream.has_output_for_layer() {
            self.give_up_layer(reactor);
        } else {
            self.drive_handshake(reactor);
        }
    }

    fn drive_handshake(&self, reactor: &Reactor) {
        let stream = self.inner();
        let may_read = stream.state.get().is_readable();
        let Some(step) = stream.with_layer(|layer| layer.handshake(reactor, may_read)) else {
            return;
        };
        let Step { is_ready, source, is_sent } = match step {
            Ok(step) => step,
            Err(error) => return self.layer_failed(reactor, error),
        };
        if is_ready && stream.state.get().can_send() {
            return self.finish_handshake(reactor);
        }
        if let Some(source) = source {
            self.record_read(source);
        }
        match is_sent {
            Ok(true) => {}
            Ok(false) => stream.update(State::write_blocked),
            // Received data, such as an alert, may give the cause.
            Err(error) => self.output_failed(reactor, error),
        }
    }

    fn record_read(&self, source: Source) {
        self.inner().update(|state| match source {
            Source::Open => state.set_ready(Ready::READ),
            Source::Short => state.read_was_short(),
            Source::Blocked => state.read_blocked(),
            Source::NotOurTurn => state.wait_for_permit(),
        });
    }

    /// The layer, or the socket below it, has failed. If the layer has an alert to send, the connection is closed gracefully: a
    /// reset caused by unread input would discard the alert.
    fn layer_failed(&self, reactor: &Reactor, error: io::Error) {
        let stream = self.inner();
        let has_alert = stream.with_socket(|socket| socket.has_unsent());
        if !stream.state.get().can_send() || !has_alert || !LayerError::is_tls(&error) {
            return self.input_failed(reactor, error);
        }
        self.give_up_layer(reactor);
        match self.take_when_ready() {
            Some(when_ready) => {
                stream.update(State::made);
                when_ready(reactor, Err(error.into()));
            }
            None => stream.cold().set_reason(error.into()),
        }
        stream.lose_connection();
    }

    /// Stops the layer: nothing is sent or received through it any more.
    fn give_up_layer(&self, reactor: &Reactor) {
        let stream = self.inner();
        let given_up = stream.with_layer(|layer| {
            layer.give_up();
            (layer.plaintext_len(), layer.take_deadline())
        });
        let Some((plaintext_len, deadline)) = given_up else { return };
        if let Some(key) = deadline {
            reactor.disarm_timer(key);
        }
        stream.truncate_queue(plaintext_len);
        stream.defer_drop(stream.cold().producers.take());
        stream.discard_relay_input();
        stream.update(State::handshake_finished);
    }

    fn finish_handshake(&self, reactor: &Reactor) {
        let stream = self.inner();
        stream.update(State::handshake_finished);
        let opened = stream.with_layer(|layer| {
            (layer.take_deadline(), layer.take_when_ready(), layer.finish_handshake())
        });
        let Some((deadline, when_ready, drain)) = opened else { return };
        if let Some(key) = deadline {
            reactor.disarm_timer(key);
        }
        match when_ready {
            Some(when_ready) => when_ready(reactor, Ok(self)),
            None => self.call_protocol(|protocol, transport| protocol.tls_started(transport)),
        }
        if drain && stream.state.get().is_open() {
            self.call_protocol(|protocol, transport| protocol.drain_requested(transport));
        }
    }

    /// Takes the callback that waits for the handshake, so that it can be called with the reason of a failure.
    pub(in crate::stream) fn take_when_ready(&self) -> Option<WhenReady> {
        self.inner().with_layer(|layer| layer.take_when_ready()).flatten()
    }

    /// Has the factory build the protocol after the handshake, and calls its `connection_made`. Returns `None`, with the
    /// connection closed, if the factory refuses or panics.
    pub(crate) fn start_after_handshake<F: Factory>(
        &self,
        reactor: &Reactor,
        factory: &RefCell<F>,
    ) -> Option<Connection<F::Protocol>> {
        let peer = self.peer();
        let what = || format!("the factory of a connection with {peer}");
        let built = reactor.guard(what, || factory.borrow_mut().build_protocol(&peer));
        let Ok(Some(protocol)) = built else {
            // If close_notify cannot be sent, the connection is closed all the same.
            let _ = self.inner().with_socket(|socket| socket.finish_output());
            self.lose(reactor, ConnectionLost::Closed);
            return None;
        };
        self.start_with(reactor, protocol);
        Some(Connection::new(self.clone()))
    }

    /// Installs the protocol of a stream that has none, and calls its `connection_made`.
    pub(crate) fn start_with<P: Protocol>(&self, reactor: &Reactor, protocol: P) {
        let stream = self.inner();
        let protocol = in_span(boxed(protocol), stream.token, || self.peer());
        stream.protocol.set(Some(protocol));
        self.mark_made(reactor);
        let what = || self.inner().describe();
        let result = reactor.guard(what, || {
            self.call_protocol(|protocol, transport| protocol.connection_made(transport));
        });
        if let Err(panic) = result {
            self.panicked(reactor, &panic.message);
        }
    }

    /// Whether this timer is the handshake timeout; if it is, the connection is ended.
    pub(in crate::stream) fn handshake_timed_out(&self, reactor: &Reactor, key: TimerKey) -> bool {
        let reason = self.inner().with_layer(|layer| layer.timeout_reason(key)).flatten();
        let handshake_timed_out = reason.is_some();
        if let Some(reason) = reason {
            self.lose(reactor, reason);
        }
        handshake_timed_out
    }

    /// The port is drained before there is a protocol to notify.
    pub(in crate::stream) fn remember_drain(&self) {
        self.inner().with_layer(|layer| layer.remember_drain());
    }

    /// At most one read through the layer, and the callback for its data.
    pub(in crate::stream) fn take_layered(&self, reactor: &Reactor, input: Input) {
        let stream = self.inner();
        let mut plain = stream.shared.buffers.plain_buffer();
        let received = stream.with_layer(|layer| layer.receive(reactor, &mut plain));
        let Some(received) = received else { return };
        match received {
            Ok(Received { source, has_ended }) => {
                self.record_read(source);
                if !plain.is_empty() {
                    count_received(reactor, plain.len());
                    self.forward_or_deliver(reactor, input, &plain);
                }
                if has_ended {
                    self.input_ended(reactor);
                }
            }
            // A truncation does not matter for input that is discarded.
            Err(error) if input == Input::Discard && LayerError::is_truncation(&error) => {
                self.input_ended(reactor);
            }
            Err(error) => self.layer_failed(reactor, error),
        }
    }
}
