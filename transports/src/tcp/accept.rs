//! Accept loop of a listening socket: connection limits, accept errors, the pause after them (accept backoff), and running out of file
//! descriptors.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt::Display,
    io,
    net::IpAddr,
    rc::{Rc, Weak},
};

use sinew_reactor::{
    AcceptFailure, DelayedCall, Handler, Interest, Killed, Promise, Reactor, Ready, RegisterError,
    TimerKey, Token,
};

use super::{
    per_ip::PerIp,
    proxy_accept::{self, ProxyPort},
};
use crate::{
    Factory, ListenConfig, Peer,
    inspect::{OpenPort, OpenPorts},
    listener_hooks::Port,
    mailbox::Inbox,
    net::{Spare, listener::Listener},
    sharing::{Handed, Share},
    stream::{
        Shared, StreamBuilder,
        layer::{HandshakeResult, driver::MakeLayer},
        socket::Socket,
    },
    waiters::push_waiter,
};

mod failing;
mod handed;
mod report;
#[cfg(unix)]
mod taken_over;

use report::PortFacts;
#[cfg(unix)]
pub(crate) use taken_over::Rebuild;

/// Connections accepted in one turn, so that other handlers get their share of the turn.
const ACCEPTS_PER_TURN: usize = 256;

/// State of a port apart from its factory. Shared by its handler, its handles and its connections.
pub(crate) struct PortCore {
    /// The listening address, for logs.
    addr: Box<str>,
    facts: PortFacts,
    config: ListenConfig,
    token: Cell<Option<Token>>,
    listener: RefCell<Option<Listener>>,
    /// Readiness flag: set by an event, cleared when accept(2) returns `WouldBlock`.
    readable: Cell<bool>,
    paused: Cell<bool>,
    /// Nothing is taken from the kernel's queue any more; what was taken before is still opened.
    leaves_backlog: Cell<bool>,
    backing_off: Cell<bool>,
    closed: Cell<bool>,
    /// A call of `rescheduled` is queued. Connections are accepted only there, so once a turn.
    reschedule_queued: Cell<bool>,
    /// An accept failure has been logged; cleared by the next connection that is accepted.
    failure_logged: Cell<bool>,
    open: Cell<usize>,
    per_ip: PerIp,
    /// Connections whose PROXY header has not been received yet, each with its timeout.
    pending_proxies: RefCell<HashMap<Token, TimerKey>>,
    /// A connection from an address that is not a trusted proxy has been logged as a warning.
    untrusted_logged: Cell<bool>,
    /// Connections that other reactors have handed over, if the port is shared with some.
    inbox: RefCell<Option<Inbox<Handed>>>,
    /// Connections from another process that have not begun.
    #[cfg(unix)]
    incoming: RefCell<Vec<taken_over::Incoming>>,
    /// Spare descriptor for EMFILE and ENFILE: closed to accept one more connection, which is then closed.
    spare: RefCell<Option<Spare>>,
    when_empty: RefCell<Vec<(Promise<()>, DelayedCall)>>,
    when_closed: RefCell<Vec<Promise<()>>>,
}

/// The handler of a listening socket: the port and its factory.
pub(crate) struct Acceptor<F: Factory> {
    pub(super) core: Rc<PortCore>,
    shared: Rc<Shared>,
    /// Makes the layer (TLS) between the sockets and the protocols, if there is one.
    layer: Option<Rc<dyn MakeLayer>>,
    factory: RefCell<F>,
    started: Cell<bool>,
    /// Handshakes in progress. The factory must not be stopped before they end.
    handshakes: Cell<usize>,
}

impl<F: Factory> Acceptor<F> {
    pub(crate) fn new(
        reactor: &Reactor,
        listener: Listener,
        addr: &impl Display,
        config: ListenConfig,
        layer: Option<Rc<dyn MakeLayer>>,
        factory: F,
    ) -> Self {
        let stream_config = config.stream.clone();
        let core = Rc::new(PortCore {
            addr: addr.to_string().into(),
            facts: PortFacts::new::<F>(layer.is_some()),
            per_ip: PerIp::new(&config),
            config,
            token: Cell::new(None),
            spare: RefCell::new(listener.spare()),
            listener: RefCell::new(Some(listener)),
            readable: Cell::new(false),
            paused: Cell::new(false),
            leaves_backlog: Cell::new(false),
            backing_off: Cell::new(false),
            closed: Cell::new(false),
            reschedule_queued: Cell::new(false),
            failure_logged: Cell::new(false),
            open: Cell::new(0),
            pending_proxies: RefCell::default(),
            untrusted_logged: Cell::new(false),
            inbox: RefCell::default(),
            #[cfg(unix)]
            incoming: RefCell::default(),
            when_empty: RefCell::default(),
            when_closed: RefCell::default(),
        });
        let shared = Shared::new(reactor, stream_config, Some(core.clone()));
        let (started, handshakes) = (Cell::new(false), Cell::new(0));
        Self { core, shared, layer, factory: RefCell::new(factory), started, handshakes }
    }

    pub(crate) fn register(self, reactor: &Reactor) -> Result<Rc<PortCore>, RegisterError> {
        let core = self.core.clone();
        let registered = {
            let mut listener = core.listener.borrow_mut();
            let listener = listener.as_mut().expect("the port has just been opened");
            listener.register(reactor)
        };
        let token = match registered {
            Ok(token) => token,
            Err(error) => {
                reactor.defer_drop(self);
                return Err(error);
            }
        };
        core.token.set(Some(token));
        if let Some(share) = &core.config.share {
            core.inbox.replace(Some(share.mailbox().open(reactor, token)));
            core.report();
            core.tell_acceptor();
        }
        OpenPorts::add(reactor, token, Rc::downgrade(&core) as Weak<dyn OpenPort>);
        reactor.bind(token, Rc::new(self));
        // `rescheduled` calls `Factory::started`.
        core.reschedule(reactor);
        Ok(core)
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        let core = &self.core;
        let mut skipped = 0;
        for _ in 0..ACCEPTS_PER_TURN {
            if let Some(handed) = core.take_handed() {
                self.open_handed(reactor, handed);
                continue;
            }
            if let Some((socket, peer)) = core.take_accepted(reactor) {
                if let Some((socket, peer)) = core.distribute(socket, peer) {
                    self.open(reactor, socket, peer);
                }
                continue;
            }
            if !core.may_accept() {
                break;
            }
            let error = match core.accept_one(reactor) {
                Ok((socket, peer)) => {
                    if let Some((socket, peer)) = core.distribute(socket, peer) {
                        self.open(reactor, socket, peer);
                    }
                    continue;
                }
                Err(error) => error,
            };
            match AcceptFailure::of(&error) {
                AcceptFailure::Drained => core.readable.set(false),
                AcceptFailure::Skip => {
                    skipped += 1;
                    if skipped == ACCEPTS_PER_TURN {
                        // Every call failed, so the cause is not a single connection.
                        core.back_off(reactor, &error);
                    }
                }
                AcceptFailure::NoDescriptors => core.out_of_descriptors(reactor, &error),
                AcceptFailure::Wait => core.back_off(reactor, &error),
            }
        }
        if core.may_accept() || core.has_handed() {
            core.reschedule(reactor);
        }
        core.update_interest(reactor);
    }

    fn open(self: &Rc<Self>, reactor: &Reactor, mut socket: Socket, peer: Peer) {
        let proxy = self.core.config.proxy.as_deref();
        if proxy.is_some_and(|proxy| !proxy.trusts(&peer)) {
            return self.core.reject_untrusted(&peer);
        }
        // The client's address is known only after the PROXY header.
        if proxy.is_none() && self.core.is_client_full(&peer) {
            return;
        }
        if !socket.inherits_options()
            && let Err(error) = socket.set_options(&self.core.config.stream)
        {
            tracing::debug!(%peer, %error, "could not set the options of an accepted socket");
        }
        let token = match socket.watch(reactor) {
            Ok(token) => token,
            Err(error) => {
                return self.core.log_once(
                    &error.into(),
                    "could not register an accepted socket; it is closed",
                );
            }
        };
        self.core.failure_logged.set(false);
        match proxy {
            Some(proxy) => proxy_accept::await_header(self, reactor, proxy, token, socket, peer),
            None => self.start(reactor, socket, token, peer, Ready::NONE),
        }
    }

    fn start(
        self: &Rc<Self>,
        reactor: &Reactor,
        socket: Socket,
        token: Token,
        peer: Peer,
        ready: Ready,
    ) {
        let shared = self.shared.clone();
        let builder = StreamBuilder { reactor, socket, token, peer: peer.clone(), shared };
        let Some(layer) = &self.layer else {
            builder.start(&self.factory, ready);
            return;
        };
        let acceptor = self.clone();
        self.handshakes.set(self.handshakes.get() + 1);
        let when_ready = move |reactor: &Reactor, result: HandshakeResult<'_>| {
            acceptor.handshakes.set(acceptor.handshakes.get() - 1);
            match result {
                Ok(transport) => drop(transport.start_after_handshake(reactor, &acceptor.factory)),
                Err(reason) => tracing::debug!(%peer, %reason, "the handshake failed"),
            }
            acceptor.notify_stopped(reactor);
        };
        builder.start_with_layer(&**layer, ready, Box::new(when_ready));
    }

    /// Calls `Factory::stopped` if the port is closed and no handshake is in progress.
    fn notify_stopped(&self, reactor: &Reactor) {
        let is_stopped = self.core.listener.borrow().is_none() && self.handshakes.get() == 0;
        if is_stopped && self.started.replace(false) {
            let what = || format!("the factory of the port {}", self.core.addr);
            let _ = reactor.guard(what, || self.factory.borrow_mut().stopped());
        }
    }
}

impl<F: Factory> ProxyPort for Acceptor<F> {
    fn proxy_pending(&self, token: Token, timer: TimerKey) {
        self.core.proxy_pending(token, timer);
    }

    fn proxy_done(&self, reactor: &Reactor, token: Token) {
        self.core.proxy_done(reactor, token);
    }

    fn proxy_accepted(
        self: Rc<Self>,
        reactor: &Reactor,
        socket: Socket,
        token: Token,
        peer: Peer,
        ready: Ready,
    ) {
        if self.core.closed.get() || self.core.is_client_full(&peer) {
            reactor.deregister(token, true);
            return drop(socket);
        }
        self.start(reactor, socket, token, peer, ready);
    }
}

impl<F: Factory> Handler for Acceptor<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        if ready.is_read() {
            self.core.readable.set(true);
        }
        self.core.reschedule(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.core.reschedule_queued.set(false);
        if let Some(inbox) = &*self.core.inbox.borrow() {
            inbox.begin();
        }
        if !self.started.replace(true) {
            self.factory.borrow_mut().started();
        }
        if self.core.listener.borrow().as_ref().is_some_and(Listener::is_ready) {
            self.core.readable.set(true);
        }
        #[cfg(unix)]
        self.begin_incoming(reactor);
        self.accept_some(reactor);
        if self.core.is_finished() {
            self.core.close(reactor);
        }
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, _: TimerKey) {
        self.core.backing_off.set(false);
        self.core.reschedule(reactor);
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.core.close(reactor);
    }

    /// Called after [`PortCore::close`].
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        self.core.release(reactor);
        self.core.resolve_waiters();
        self.notify_stopped(reactor);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            self.core.release(reactor);
        }
    }

    /// `Factory::started` or `Factory::stopped` panicked; the port stays open.
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        self.core.reschedule(reactor);
        true
    }

    fn describe(&self) -> String {
        format!("the port {} of {}", self.core.addr, std::any::type_name::<F>())
    }
}

impl PortCore {
    pub(crate) fn open_count(&self) -> usize {
        self.open.get()
    }

    pub(crate) fn is_listening(&self) -> bool {
        !self.closed.get()
    }

    pub(crate) fn registered_as(&self) -> Token {
        self.token.get().expect("a port is registered before anything else can reach it")
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
        self.report();
        if !paused {
            self.tell_acceptor();
        }
    }

    /// Queues a call of `rescheduled`: in this turn if dispatch is still to come, else in the next.
    pub(crate) fn reschedule(&self, reactor: &Reactor) {
        if !self.reschedule_queued.replace(true) {
            reactor.reschedule(self.registered_as());
        }
    }

    /// Stops accepting. The loop closes the socket and calls `Factory::stopped` at the end of this turn.
    pub(crate) fn close(&self, reactor: &Reactor) {
        if !self.closed.replace(true) {
            self.report();
            reactor.finalize_later(self.registered_as());
        }
    }

    /// Closes the sockets and frees the slots and timers.
    fn release(&self, reactor: &Reactor) {
        reactor.deregister(self.registered_as(), true);
        // Connections on their way to this reactor are closed, as are those in the backlog.
        self.inbox.take();
        #[cfg(unix)]
        self.incoming.take();
        self.listener.take();
        self.spare.take();
        for (token, timer) in self.pending_proxies.take() {
            reactor.disarm_timer(timer);
            reactor.deregister(token, true);
        }
    }

    /// Resolves `promise` once no connection is open.
    pub(crate) fn when_empty(&self, promise: Promise<()>, timer: DelayedCall) {
        self.when_empty.borrow_mut().push((promise, timer));
        self.resolve_waiters();
    }

    /// Resolves `promise` once the port is closed and no connection is open.
    pub(crate) fn when_closed(&self, promise: Promise<()>) {
        push_waiter(&self.when_closed, promise);
        self.resolve_waiters();
    }

    fn resolve_waiters(&self) {
        if self.open.get() > 0 {
            return;
        }
        for (promise, timer) in self.when_empty.take() {
            timer.cancel();
            promise.resolve(());
        }
        if self.listener.borrow().is_none() {
            self.when_closed.take().into_iter().for_each(|promise| promise.resolve(()));
        }
    }

    fn may_accept(&self) -> bool {
        self.readable.get()
            && !self.closed.get()
            && !self.paused.get()
            && !self.leaves_backlog.get()
            && !self.backing_off.get()
            && !self.is_full_everywhere()
    }

    /// No connection is open, and the listener will yield none.
    fn is_finished(&self) -> bool {
        self.open.get() == 0
            && self.pending_proxies.borrow().is_empty()
            && self.listener.borrow().as_ref().is_some_and(Listener::is_over)
    }

    fn is_full(&self) -> bool {
        self.open.get() + self.pending_proxies.borrow().len() >= self.config.connections_max
    }

    fn proxy_pending(&self, token: Token, timer: TimerKey) {
        self.pending_proxies.borrow_mut().insert(token, timer);
        self.report();
    }

    fn proxy_done(&self, reactor: &Reactor, token: Token) {
        let was_full = self.is_full();
        if let Some(timer) = self.pending_proxies.borrow_mut().remove(&token) {
            reactor.disarm_timer(timer);
        }
        self.report();
        self.has_room_again(reactor, was_full);
    }

    /// A connection has ended, or one that waited for its PROXY header.
    fn has_room_again(&self, reactor: &Reactor, was_full: bool) {
        if (was_full || self.is_finished()) && !self.closed.get() {
            self.reschedule(reactor);
            self.tell_acceptor();
        }
    }

    fn is_client_full(&self, peer: &Peer) -> bool {
        let is_full = self.per_ip.is_full(peer.ip());
        if is_full {
            self.facts.count_failure();
            tracing::debug!(%peer, "connection refused: limit of connections per client reached");
        }
        is_full
    }

    fn reject_untrusted(&self, peer: &Peer) {
        self.facts.count_failure();
        if self.untrusted_logged.replace(true) {
            tracing::debug!(%peer, "connection refused: not from a trusted proxy");
        } else {
            tracing::warn!(port = %self.addr, %peer, "connection refused: not from a trusted proxy; further ones are logged at debug level");
        }
    }

    /// On level-triggered engines, a port that cannot accept must not receive readiness events.
    pub(super) fn update_interest(&self, reactor: &Reactor) {
        if reactor.is_edge_triggered() || self.closed.get() {
            return;
        }
        let is_paused = self.paused.get() || self.leaves_backlog.get();
        let stopped = is_paused || self.backing_off.get() || self.is_full_everywhere();
        let interest = if stopped { Interest::NONE } else { Interest::READ };
        reactor.set_interest(self.registered_as(), interest);
    }

    fn accept_one(&self, reactor: &Reactor) -> io::Result<(Socket, Peer)> {
        let listener = self.listener.borrow();
        let listener = listener.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        listener.accept(reactor, self.registered_as())
    }
}

impl Port for PortCore {
    fn token(&self) -> Token {
        self.registered_as()
    }

    fn share(&self) -> Option<&Share> {
        self.config.share.as_ref()
    }

    fn address(&self) -> &str {
        &self.addr
    }

    fn opened(&self, ip: Option<IpAddr>) {
        self.open.set(self.open.get() + 1);
        self.facts.accepted.set(self.facts.accepted.get() + 1);
        self.per_ip.opened(ip);
        self.report();
    }

    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>) {
        let was_full = self.is_full();
        self.open.set(self.open.get() - 1);
        self.per_ip.closed(ip);
        self.report();
        self.has_room_again(reactor, was_full);
        self.resolve_waiters();
    }
}

#[cfg(all(test, unix))]
mod tests;
