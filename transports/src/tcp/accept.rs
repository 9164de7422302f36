//! How a port accepts: the handler of a listening socket, its limits, and what it does when the system has no
//! descriptors left.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt::Display,
    io,
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{
    AcceptFailure, DelayedCall, Handler, Interest, Killed, Promise, Reactor, Ready, RegisterError,
    TimerKey, Token,
};

use super::{per_ip::PerIp, proxy_accept};
use crate::{
    Factory, ListenConfig, Peer,
    listener_hooks::Port,
    net::{Spare, listener::Listener},
    stream::{
        Shared, StreamBuilder,
        layer::{HandshakeResult, MakeLayer},
        socket::Socket,
    },
    waiters::push_waiter,
};

/// Connections accepted in one turn; then others have theirs.
const ACCEPTS_PER_TURN: usize = 256;

/// How long accepting rests after an error that leaves the backlog as it is (accept(2): no descriptors, no memory, no permission).
const REST: Duration = Duration::from_millis(100);

/// What a port is, apart from its factory: shared by its handler, its handles and its connections.
pub(crate) struct PortCore {
    /// What it listens on, for logs.
    addr: Box<str>,
    config: ListenConfig,
    token: Cell<Option<Token>>,
    listener: RefCell<Option<Listener>>,
    /// The kernel has connections for us, as far as we know.
    readable: Cell<bool>,
    paused: Cell<bool>,
    resting: Cell<bool>,
    closed: Cell<bool>,
    /// The loop will call `again`: the one place where anything is accepted, so that it is done once a turn.
    again_queued: Cell<bool>,
    /// Accepting fails, and it has been logged.
    failing: Cell<bool>,
    open: Cell<usize>,
    per_ip: PerIp,
    /// Who has been accepted and has to say something before it is let in, with the time that is left for that.
    pending_proxies: RefCell<HashMap<Token, TimerKey>>,
    /// Somebody was turned away who is no proxy of ours, and it has been logged.
    distrusted: Cell<bool>,
    /// A descriptor kept for the day when there is no other: closed to accept one more, and close that.
    spare: RefCell<Option<Spare>>,
    when_empty: RefCell<Vec<(Promise<()>, DelayedCall)>>,
    when_over: RefCell<Vec<Promise<()>>>,
}

/// The handler: the port with its factory.
pub(crate) struct Acceptor<F: Factory> {
    pub(super) core: Rc<PortCore>,
    shared: Rc<Shared>,
    /// What lies between the sockets and the protocols, if anything does.
    layer: Option<Rc<dyn MakeLayer>>,
    factory: RefCell<F>,
    started: Cell<bool>,
    /// Connections whose layer is not ready: the factory will be asked to build a protocol for each.
    securing: Cell<usize>,
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
            per_ip: PerIp::new(&config),
            config,
            token: Cell::new(None),
            spare: RefCell::new(listener.spare()),
            listener: RefCell::new(Some(listener)),
            readable: Cell::new(false),
            paused: Cell::new(false),
            resting: Cell::new(false),
            closed: Cell::new(false),
            again_queued: Cell::new(false),
            failing: Cell::new(false),
            open: Cell::new(0),
            pending_proxies: RefCell::default(),
            distrusted: Cell::new(false),
            when_empty: RefCell::default(),
            when_over: RefCell::default(),
        });
        let shared = Shared::new(reactor, stream_config, Some(core.clone()));
        let (started, securing) = (Cell::new(false), Cell::new(0));
        Self { core, shared, layer, factory: RefCell::new(factory), started, securing }
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
        reactor.bind(token, Rc::new(self));
        // For the factory to be told that it started.
        core.reschedule(reactor);
        Ok(core)
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        let core = &self.core;
        let mut skipped = 0;
        for _ in 0..ACCEPTS_PER_TURN {
            if !core.may_accept() {
                break;
            }
            let error = match core.accept_one(reactor) {
                Ok((socket, peer)) => {
                    self.open(reactor, socket, peer);
                    continue;
                }
                Err(error) => error,
            };
            match AcceptFailure::of(&error) {
                AcceptFailure::Drained => core.readable.set(false),
                AcceptFailure::Skip => {
                    skipped += 1;
                    if skipped == ACCEPTS_PER_TURN {
                        // It is not about the connections after all.
                        core.rest(reactor, &error);
                    }
                }
                AcceptFailure::NoDescriptors => core.out_of_descriptors(reactor, &error),
                AcceptFailure::Wait => core.rest(reactor, &error),
            }
        }
        if core.may_accept() {
            core.reschedule(reactor);
        }
        core.tell_interest(reactor);
    }

    fn open(self: &Rc<Self>, reactor: &Reactor, mut socket: Socket, peer: Peer) {
        let proxy = self.core.config.proxy.as_deref();
        if proxy.is_some_and(|proxy| !proxy.trusts(&peer)) {
            return self.core.distrust(&peer);
        }
        // Behind a proxy, who it is for is known later.
        if proxy.is_none() && self.core.turns_away(&peer) {
            return;
        }
        if !socket.inherits_options()
            && let Err(error) = socket.set_options(&self.core.config.stream)
        {
            tracing::debug!(%peer, %error, "options could not be set");
        }
        let token = match socket.watch(reactor) {
            Ok(token) => token,
            Err(error) => {
                return self.core.log_once(&error.into(), "a connection was dropped");
            }
        };
        self.core.failing.set(false);
        match proxy {
            Some(proxy) => proxy_accept::enter(self, reactor, proxy, token, socket, peer),
            None => self.start(reactor, socket, token, peer, Ready::NONE),
        }
    }

    /// Lets in a connection that had to say something first.
    pub(super) fn admit(
        self: &Rc<Self>,
        reactor: &Reactor,
        socket: Socket,
        token: Token,
        peer: Peer,
        ready: Ready,
    ) {
        if self.core.closed.get() || self.core.turns_away(&peer) {
            reactor.deregister(token, true);
            return drop(socket);
        }
        self.start(reactor, socket, token, peer, ready);
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
        self.securing.set(self.securing.get() + 1);
        let when_ready = move |reactor: &Reactor, secured: HandshakeResult<'_>| {
            acceptor.securing.set(acceptor.securing.get() - 1);
            match secured {
                Ok(transport) => drop(transport.start_after_handshake(reactor, &acceptor.factory)),
                Err(reason) => tracing::debug!(%peer, %reason, "no connection"),
            }
            acceptor.tell_stopped(reactor);
        };
        builder.start_with_layer(&**layer, ready, Box::new(when_ready));
    }

    /// Tells the factory that it has stopped, if the port is closed and nobody will have it build a protocol any more.
    fn tell_stopped(&self, reactor: &Reactor) {
        let is_over = self.core.listener.borrow().is_none() && self.securing.get() == 0;
        if is_over && self.started.replace(false) {
            let what = || format!("the factory of the port {}", self.core.addr);
            let _ = reactor.guard(what, || self.factory.borrow_mut().stopped());
        }
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
        self.core.again_queued.set(false);
        if !self.started.replace(true) {
            self.factory.borrow_mut().started();
        }
        if self.core.listener.borrow().as_ref().is_some_and(Listener::is_ready) {
            self.core.readable.set(true);
        }
        self.accept_some(reactor);
        if self.core.is_over() {
            self.core.close(reactor);
        }
    }

    fn timer(self: Rc<Self>, reactor: &Reactor, _: TimerKey) {
        self.core.resting.set(false);
        self.core.reschedule(reactor);
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.core.close(reactor);
    }

    /// The port has been closed.
    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        self.core.let_go(reactor);
        self.core.empty_now();
        self.tell_stopped(reactor);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            self.core.let_go(reactor);
        }
    }

    /// The factory's `started` or `stopped` panicked; the port goes on.
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

    pub(crate) fn registered_as(&self) -> Token {
        self.token.get().expect("a port is registered before anybody sees it")
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.set(paused);
    }

    /// Has the loop look at the port, in this turn if its events are still to come.
    pub(crate) fn reschedule(&self, reactor: &Reactor) {
        if !self.again_queued.replace(true) {
            reactor.reschedule(self.registered_as());
        }
    }

    /// Accepts no more; the loop closes the socket and tells the factory at the end of this turn.
    pub(crate) fn close(&self, reactor: &Reactor) {
        if !self.closed.replace(true) {
            reactor.finalize_later(self.registered_as());
        }
    }

    /// Gives back what is the system's and the reactor's.
    fn let_go(&self, reactor: &Reactor) {
        reactor.deregister(self.registered_as(), true);
        self.listener.take();
        self.spare.take();
        for (token, timer) in self.pending_proxies.take() {
            reactor.disarm_timer(timer);
            reactor.deregister(token, true);
        }
    }

    /// Settles `promise` once no connection is left.
    pub(crate) fn when_empty(&self, promise: Promise<()>, timer: DelayedCall) {
        self.when_empty.borrow_mut().push((promise, timer));
        self.empty_now();
    }

    /// Settles `promise` once no connection is left, nor any to come.
    pub(crate) fn when_over(&self, promise: Promise<()>) {
        push_waiter(&self.when_over, promise);
        self.empty_now();
    }

    fn empty_now(&self) {
        if self.open.get() > 0 {
            return;
        }
        for (promise, timer) in self.when_empty.take() {
            timer.cancel();
            promise.resolve(());
        }
        if self.listener.borrow().is_none() {
            self.when_over.take().into_iter().for_each(|promise| promise.resolve(()));
        }
    }

    fn may_accept(&self) -> bool {
        self.readable.get()
            && !self.closed.get()
            && !self.paused.get()
            && !self.resting.get()
            && !self.is_full()
    }

    /// Nobody is there any more, and nobody will come.
    fn is_over(&self) -> bool {
        self.open.get() == 0
            && self.pending_proxies.borrow().is_empty()
            && self.listener.borrow().as_ref().is_some_and(Listener::is_over)
    }

    fn is_full(&self) -> bool {
        self.open.get() + self.pending_proxies.borrow().len() >= self.config.connections_max
    }

    pub(super) fn proxy_pending(&self, token: Token, timer: TimerKey) {
        self.pending_proxies.borrow_mut().insert(token, timer);
    }

    pub(super) fn proxy_done(&self, reactor: &Reactor, token: Token) {
        let was_full = self.is_full();
        if let Some(timer) = self.pending_proxies.borrow_mut().remove(&token) {
            reactor.disarm_timer(timer);
        }
        if (was_full || self.is_over()) && !self.closed.get() {
            self.reschedule(reactor);
        }
    }

    fn turns_away(&self, peer: &Peer) -> bool {
        let is_full = self.per_ip.is_full(peer.ip());
        if is_full {
            tracing::debug!(%peer, "refused: it has as many connections as one client may have");
        }
        is_full
    }

    fn distrust(&self, peer: &Peer) {
        if self.distrusted.replace(true) {
            tracing::debug!(%peer, "refused: it is none of the proxies");
        } else {
            tracing::warn!(port = %self.addr, %peer, "refused: it is none of the proxies; others are in the debug log");
        }
    }

    /// On level-triggered engines, a port that cannot accept must not be told that it could.
    pub(super) fn tell_interest(&self, reactor: &Reactor) {
        if reactor.is_edge_triggered() || self.closed.get() {
            return;
        }
        let held = self.paused.get() || self.resting.get() || self.is_full();
        let interest = if held { Interest::NONE } else { Interest::READ };
        reactor.set_interest(self.registered_as(), interest);
    }

    fn accept_one(&self, reactor: &Reactor) -> io::Result<(Socket, Peer)> {
        let listener = self.listener.borrow();
        let listener = listener.as_ref().ok_or(io::ErrorKind::WouldBlock)?;
        listener.accept(reactor, self.registered_as())
    }

    /// With the spare descriptor the client can be told at least; without, accepting rests.
    fn out_of_descriptors(&self, reactor: &Reactor, error: &io::Error) {
        if self.spare.take().is_none() {
            self.keep_spare();
            return self.rest(reactor, error);
        }
        self.log_once(error, "no connection can be accepted");
        // What is accepted is closed before its descriptor is the spare one again.
        let failure = self.accept_one(reactor).map(drop).map_err(|error| AcceptFailure::of(&error));
        self.keep_spare();
        match failure {
            Ok(()) | Err(AcceptFailure::Skip) => {}
            // accept(2) asks for a descriptor before it looks whether anybody is there. Nobody is.
            Err(AcceptFailure::Drained) => self.readable.set(false),
            Err(AcceptFailure::NoDescriptors | AcceptFailure::Wait) => self.rest(reactor, error),
        }
    }

    /// Accepts nothing for a moment: the backlog is as it was, and trying again at once would only spin.
    fn rest(&self, reactor: &Reactor, error: &io::Error) {
        self.log_once(error, "no connection can be accepted; trying again from time to time");
        self.resting.set(true);
        reactor.arm_timer(self.registered_as(), REST);
    }

    fn keep_spare(&self) {
        let spare = self.listener.borrow().as_ref().and_then(Listener::spare);
        self.spare.replace(spare);
    }

    /// Once an episode: it ends with the next connection that is accepted.
    fn log_once(&self, error: &io::Error, what: &str) {
        if !self.failing.replace(true) {
            tracing::error!(port = %self.addr, %error, "{what}");
        }
    }
}

impl Port for PortCore {
    fn token(&self) -> Token {
        self.registered_as()
    }

    fn opened(&self, ip: Option<IpAddr>) {
        self.open.set(self.open.get() + 1);
        self.per_ip.opened(ip);
    }

    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>) {
        let was_full = self.is_full();
        self.open.set(self.open.get() - 1);
        self.per_ip.closed(ip);
        if (was_full || self.is_over()) && !self.closed.get() {
            self.reschedule(reactor);
        }
        self.empty_now();
    }
}

#[cfg(all(test, unix))]
mod tests;
