//! A stream: one connection. [`Stream`] holds the transport's state and, in a cell of its own, the protocol. `state.rs` decides
//! what to do; `driver.rs`, `input.rs` and `output.rs` do it; `socket.rs` makes the system calls.

use std::{
    any::Any,
    cell::{Cell, OnceCell, RefCell},
    mem,
    rc::Rc,
};

use sinew_reactor::{
    Deferred, DeliveryMode, Handler, Interest, Reactor, Ready, TimerKey, Token, WeakReactor,
};

use crate::{
    Connection, Factory, Peer, Protocol, StreamConfig, Transport,
    buffers::Buffers,
    dyn_protocol::{DynProtocol, boxed},
    listener_hooks::Port,
    waiters::push_waiter,
};

mod async_output;
pub(crate) mod cold;
mod commands;
mod direct;
mod driver;
mod faulty;
pub(crate) mod file;
#[cfg(unix)]
pub(crate) mod handed;
pub(crate) mod handover;
mod hold;
mod inline_socket;
mod input;
pub(crate) mod layer;
#[cfg(unix)]
pub(crate) mod leaving;
pub(crate) mod moving;
mod observed;
mod on_demand;
mod output;
mod pending_handover;
pub(crate) mod queue;
pub(crate) mod relay;
mod report;
pub(crate) mod rights;
pub(crate) mod socket;
mod socket_and_peer;
pub(crate) mod span;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod splice;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "no_splice.rs"]
mod splice;
mod state;
mod timeouts;
mod unacknowledged;
mod undelivered;
pub(crate) mod wrapper;

pub(crate) use async_output::Awaited;
use cold::Extras;
pub(crate) use commands::DIRECT_MIN;
use faulty::Faulty;
pub(crate) use file::FileProducer;
use inline_socket::InlineSocket;
use queue::Queue;
use socket::Socket;
use socket_and_peer::SocketAndPeer;
use span::in_span;
use state::State;

/// A connection.
pub(crate) struct Stream {
    inline: InlineSocket,
    state: Cell<State>,
    socket_and_peer: SocketAndPeer,
    shared: Rc<Shared>,
    token: Token,
    /// Data to be sent. An idle connection has no queue.
    queue: Cell<Option<Box<Queue>>>,
    /// Data that few connections need.
    extras: OnceCell<Box<Extras>>,
    /// Taken out during a callback. Dropped right after `connection_lost`, so a protocol that stores its own transport forms no
    /// lasting reference cycle. A protocol without fields needs no allocation.
    protocol: Cell<Option<DynProtocol>>,
}

/// Puts the protocol back on drop, even after a panic.
struct ProtocolGuard<'a> {
    place: &'a Cell<Option<DynProtocol>>,
    protocol: Option<DynProtocol>,
}

impl Drop for ProtocolGuard<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // The place is empty, so there is no old value to drop.
        mem::forget(self.place.replace(self.protocol.take()));
    }
}

/// Marks the end of a call of the protocol by the user (not by the event loop).
struct UserCallGuard<'a> {
    stream: &'a Stream,
    called_before: bool,
}

impl Drop for UserCallGuard<'_> {
    fn drop(&mut self) {
        self.stream.update(|state| state.set_called_by_user(self.called_before));
    }
}

/// What the connections of one listening port, or of one connector, share.
pub(crate) struct Shared {
    reactor: WeakReactor,
    buffers: Rc<Buffers>,
    config: StreamConfig,
    /// The port that accepted them.
    port: Option<Rc<dyn Port>>,
    /// A write that leaves no more than this queued returns `WriteStatus::Ok` without further checks.
    report_threshold: usize,
}

impl Shared {
    pub(crate) fn new(
        reactor: &Reactor,
        config: StreamConfig,
        port: Option<Rc<dyn Port>>,
    ) -> Rc<Self> {
        let report_threshold = config.high_watermark.min(config.write_limit);
        let (reactor, buffers) = (reactor.downgrade(), reactor.local());
        Rc::new(Self { reactor, buffers, config, port, report_threshold })
    }
}

impl Stream {
    #[inline]
    fn update<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.get();
        let result = f(&mut state);
        self.state.set(state);
        result
    }

    /// Takes the protocol out for the duration of a call. Returns `None`, without a call, if there is no protocol or it is taken
    /// out already.
    #[inline(always)]
    pub(crate) fn with_protocol<R>(&self, call: impl FnOnce(&mut DynProtocol) -> R) -> Option<R> {
        let mut guard =
            ProtocolGuard { place: &self.protocol, protocol: Some(self.protocol.take()?) };
        guard.protocol.as_mut().map(call)
    }

    /// The same for a call by the user: the event loop must not call the protocol meanwhile.
    pub(crate) fn with_protocol_for_user<R>(
        &self,
        call: impl FnOnce(&mut DynProtocol) -> R,
    ) -> Option<R> {
        let called_before = self.update(|state| state.set_called_by_user(true));
        let _guard = UserCallGuard { stream: self, called_before };
        self.with_protocol(call)
    }

    /// Wraps the socket. Must not be called during a read or a write of it: only from a callback, or before the stream starts.
    pub(crate) fn wrap_socket(&self, wrap: impl FnOnce(Socket) -> Socket) {
        if let Some(socket) = self.take_socket() {
            self.put_socket(wrap(socket));
        }
    }

    /// Whether a port accepted it, so that the peer opened the connection.
    pub(crate) fn is_accepted(&self) -> bool {
        self.shared.port.is_some()
    }

    /// See [`Transport::when_lost`].
    pub(crate) fn when_lost(&self) -> Deferred<()> {
        let (promise, lost) = self.shared.reactor.promise();
        if self.state.get().is_gone() || self.reactor().is_none() {
            promise.resolve(());
        } else {
            push_waiter(&self.cold().when_lost, promise);
        }
        lost
    }

    /// Queues data before all other output of a stream that has not started.
    fn queue_first(&self, first: &[u8]) {
        if !first.is_empty() {
            let mut queue = self.shared.buffers.take_queue();
            queue.push_slice(first);
            self.queue.set(Some(queue));
        }
    }

    fn drop_queue(&self) {
        if let Some(mut queue) = self.queue.take() {
            queue.clear();
            self.shared.buffers.give_back(queue);
        }
    }

    /// Whether accepted data has not been handed to the kernel, or a producer is not done.
    fn has_unsent(&self) -> bool {
        self.queued() > 0 || self.with_socket(|socket| socket.has_unsent()) || self.has_producers()
    }

    fn has_producers(&self) -> bool {
        self.cold_if_any().is_some_and(|cold| !cold.producers.is_empty())
    }

    /// Whether the port with this token accepted it.
    fn is_of_port(&self, token: Token) -> bool {
        self.shared.port.as_ref().is_some_and(|port| port.token() == token)
    }

    fn queued(&self) -> usize {
        let queue = self.queue.take();
        let len = queue.as_ref().map_or(0, |queue| queue.len());
        self.queue.set(queue);
        len
    }
}

/// A registered socket that is about to become a stream with a protocol.
pub(crate) struct StreamBuilder<'a> {
    pub(crate) reactor: &'a Reactor,
    pub(crate) socket: Socket,
    pub(crate) token: Token,
    pub(crate) peer: Peer,
    pub(crate) shared: Rc<Shared>,
}

impl StreamBuilder<'_> {
    /// Has the factory build a protocol and calls its `connection_made`. Returns `None`, with the socket closed, if the factory
    /// refuses or panics.
    pub(crate) fn start<F: Factory>(
        self,
        factory: &RefCell<F>,
        ready: Ready,
    ) -> Option<Connection<F::Protocol>> {
        self.start_after(&[], factory, ready)
    }

    /// The same, with `first` sent before anything that the protocol writes.
    pub(crate) fn start_after<F: Factory>(
        self,
        first: &[u8],
        factory: &RefCell<F>,
        ready: Ready,
    ) -> Option<Connection<F::Protocol>> {
        let (reactor, token, peer) = (self.reactor, self.token, &self.peer);
        let what = || format!("the factory of a connection with {peer}");
        let built = reactor.guard(what, || factory.borrow_mut().build_protocol(peer));
        let Ok(Some(protocol)) = built else {
            reactor.deregister(token, true);
            return None;
        };
        let transport = self.adopt(Some(protocol));
        transport.inner().queue_first(first);
        let what = || transport.inner().describe();
        if let Err(panic) = reactor.guard(what, || transport.begin(reactor, ready)) {
            transport.panicked(reactor, &panic.message);
        }
        Some(Connection::new(transport))
    }

    /// Makes the stream and counts it. `connection_made` is not called yet.
    pub(crate) fn adopt<P: Protocol>(self, protocol: Option<P>) -> Transport {
        let Self { reactor, token, mut socket, .. } = self;
        if let Some(faults) = &self.shared.config.faults {
            socket = Socket::Other(Box::new(Faulty::new(socket, reactor, token, faults)));
        }
        let idle_timeout = self.shared.config.idle_timeout;
        let protocol =
            protocol.map(|protocol| in_span(boxed(protocol), token, || self.peer.clone()));
        let mut state = State::new(self.shared.config.auto_pause);
        if socket.passes_descriptors() && self.shared.config.descriptors_max > 0 {
            // An engine that receives by itself would lose them.
            state.set_receives_descriptors();
        } else if socket.is_kernel_socket()
            && reactor.set_delivery_mode(token, DeliveryMode::Receive)
        {
            state.set_completion_mode();
        }
        if !socket.takes_output() {
            state.set_read_only();
        }
        if !socket.short_read_drains(reactor.is_edge_triggered()) {
            state.set_always_read_until_blocked();
        }
        let (inline, socket_and_peer) = match protocol {
            Some(_) => SocketAndPeer::new(socket, self.peer),
            // The protocol follows after the handshake of a layer, which will take the socket.
            None => SocketAndPeer::new_boxed(socket, self.peer),
        };
        let stream = Rc::new(Stream {
            inline,
            state: Cell::new(state),
            socket_and_peer,
            shared: self.shared,
            token,
            queue: Cell::default(),
            extras: OnceCell::new(),
            protocol: Cell::new(protocol),
        });
        if let Some(port) = &stream.shared.port {
            port.opened(stream.peer().ip());
        }
        reactor.meter().connections.add(1);
        reactor.meter().connections_made.add(1);
        reactor.bind(token, stream.clone());
        let transport = Transport(stream);
        if idle_timeout.is_some() {
            transport.arm_idle(reactor, idle_timeout);
        }
        transport
    }
}

impl Handler for Stream {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        Transport(self).on_ready(reactor, ready);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        Transport(self).on_rescheduled(reactor);
    }

    fn flush(self: Rc<Self>, reactor: &Reactor) {
        Transport(self).on_flush(reactor);
    }

    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        Transport(self).on_finalize(reactor);
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, key: TimerKey) {
        Transport(self).on_timer(reactor, key);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        Transport(self).on_broadcast(reactor, message);
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        Transport(self).shut_down(reactor);
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, message: &str) -> bool {
        Transport(self).panicked(reactor, message);
        true
    }

    fn inspect(self: Rc<Self>, reactor: &Reactor, _: Token, visitor: &mut dyn Any) {
        Transport(self).answer_visitor(reactor, visitor);
    }

    fn describe(&self) -> String {
        let name = self.with_protocol(|protocol| protocol.real_name());
        format!("{} with {}", name.unwrap_or("a protocol"), self.peer())
    }
}

/// Interest at registration: read interest from the start, write interest only while the socket is full.
pub(crate) const INITIAL_INTEREST: Interest = Interest::READ;

#[cfg(test)]
mod tests {
    use super::*;

    struct Mute;

    impl Protocol for Mute {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }

    /// Logs of slow and panicking callbacks show this description.
    #[test]
    fn a_stream_bears_the_name_of_its_protocol() {
        let reactor = Reactor::new().expect("a reactor");
        let (connection, _wire) =
            crate::memory::connect(&reactor, StreamConfig::default(), Mute).expect("a connection");
        let name = connection.transport().inner().describe();
        assert!(name.ends_with("::Mute with memory"), "{name}");
    }

    /// Law 4 of the design: an idle connection costs no more than this and a slot of the reactor's slab.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of::<Stream>();
        assert!(size <= 72, "{size} bytes");
    }
}
