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
    DelayedCall, Handler, Interest, Killed, Promise, Reactor, Ready, RegisterError, TimerKey, Token,
};

use super::doorway;
use crate::{
    Factory, ListenConfig, Peer,
    net::{Listener, Spare},
    port::Port,
    stream::{
        Newborn, Shared,
        layer::{MakeLayer, Secured},
        socket::Socket,
    },
    waiters::enlist,
};

/// Connections accepted in one turn; then others have theirs.
const ACCEPTS_PER_TURN: usize = 256;

/// How long accepting rests when the system is out of something that nobody here can give back.
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
    open_per_ip: RefCell<HashMap<IpAddr, usize>>,
    /// Who has been accepted and has to say something before it is let in, with the time that is left for that.
    guests: RefCell<HashMap<Token, TimerKey>>,
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
}

/// What became of one accept.
enum Accepted {
    Yes(Socket, Peer),
    /// That one went away, or was not for us: the next.
    Skip,
    /// No more for now.
    Drained,
    /// The system is out of something.
    Exhausted(io::Error),
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
            open_per_ip: RefCell::default(),
            guests: RefCell::default(),
            distrusted: Cell::new(false),
            when_empty: RefCell::default(),
            when_over: RefCell::default(),
        });
        let shared = Shared::new(reactor, stream_config, Some(core.clone()));
        Self { core, shared, layer, factory: RefCell::new(factory), started: Cell::new(false) }
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
                reactor.discard(self);
                return Err(error);
            }
        };
        core.token.set(Some(token));
        reactor.bind(token, Rc::new(self));
        // For the factory to be told that it started.
        core.come_by(reactor);
        Ok(core)
    }

    fn accept_some(self: &Rc<Self>, reactor: &Reactor) {
        let core = &self.core;
        for _ in 0..ACCEPTS_PER_TURN {
            if !core.may_accept() {
                break;
            }
            match core.accept_one(reactor) {
                Accepted::Yes(socket, peer) => self.open(reactor, socket, peer),
                Accepted::Skip => {}
                Accepted::Drained => core.readable.set(false),
                Accepted::Exhausted(error) => core.exhausted(reactor, &error),
            }
        }
        if core.may_accept() {
            core.come_by(reactor);
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
        let token = match socket.register(reactor) {
            Ok(token) => token,
            Err(error) => {
                return self.core.log_once(&error.into(), "a connection was dropped");
            }
        };
        self.core.failing.set(false);
        match proxy {
            Some(proxy) => doorway::enter(self, reactor, proxy, token, socket, peer),
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
        let newborn = Newborn { reactor, socket, token, peer: peer.clone(), shared };
        let Some(layer) = &self.layer else {
            newborn.start(&self.factory, ready);
            return;
        };
        let acceptor = self.clone();
        let when_ready = move |reactor: &Reactor, secured: Secured<'_>| match secured {
            Ok(transport) => drop(transport.begin_secured(reactor, &acceptor.factory)),
            Err(reason) => tracing::debug!(%peer, %reason, "no connection"),
        };
        newborn.secure(&**layer, ready, Box::new(when_ready));
    }
}

impl<F: Factory> Handler for Acceptor<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        if ready.is_read() {
            self.core.readable.set(true);
        }
        self.core.come_by(reactor);
    }

    fn again(self: Rc<Self>, reactor: &Reactor) {
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
        self.core.come_by(reactor);
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.core.close(reactor);
    }

    /// The port has been closed.
    fn reap(self: Rc<Self>, reactor: &Reactor) {
        self.core.let_go(reactor);
        self.core.empty_now();
        if self.started.replace(false) {
            self.factory.borrow_mut().stopped();
        }
    }

    fn told(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            self.core.let_go(reactor);
        }
    }

    /// The factory's `started` or `stopped` panicked; the port goes on.
    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        self.core.come_by(reactor);
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
    pub(crate) fn come_by(&self, reactor: &Reactor) {
        if !self.again_queued.replace(true) {
            reactor.run_again(self.registered_as());
        }
    }

    /// Accepts no more; the loop closes the socket and tells the factory at the end of this turn.
    pub(crate) fn close(&self, reactor: &Reactor) {
        if !self.closed.replace(true) {
            reactor.reap_later(self.registered_as());
        }
    }

    /// Gives back what is the system's and the reactor's.
    fn let_go(&self, reactor: &Reactor) {
        reactor.deregister(self.registered_as(), true);
        self.listener.take();
        self.spare.take();
        for (token, timer) in self.guests.take() {
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
        enlist(&self.when_over, promise);
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
            && self.guests.borrow().is_empty()
            && self.listener.borrow().as_ref().is_some_and(Listener::is_over)
    }

    fn is_full(&self) -> bool {
        self.open.get() + self.guests.borrow().len() >= self.config.connections_max
    }

    pub(super) fn guest_came(&self, token: Token, timer: TimerKey) {
        self.guests.borrow_mut().insert(token, timer);
    }

    pub(super) fn guest_left(&self, reactor: &Reactor, token: Token) {
        let was_full = self.is_full();
        if let Some(timer) = self.guests.borrow_mut().remove(&token) {
            reactor.disarm_timer(timer);
        }
        if (was_full || self.is_over()) && !self.closed.get() {
            self.come_by(reactor);
        }
    }

    fn turns_away(&self, peer: &Peer) -> bool {
        let is_full = self.is_full_for(peer.ip());
        if is_full {
            tracing::debug!(%peer, "refused: the address has as many connections as it may have");
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

    fn is_full_for(&self, ip: Option<IpAddr>) -> bool {
        let max = self.config.connections_per_ip_max;
        max != usize::MAX
            && ip.is_some_and(|ip| {
                self.open_per_ip.borrow().get(&ip).is_some_and(|open| *open >= max)
            })
    }

    /// On level-triggered engines, a port that cannot accept must not be told that it could.
    fn tell_interest(&self, reactor: &Reactor) {
        if reactor.is_edge_triggered() || self.closed.get() {
            return;
        }
        let held = self.paused.get() || self.resting.get() || self.is_full();
        let interest = if held { Interest::NONE } else { Interest::READ };
        reactor.set_interest(self.registered_as(), interest);
    }

    fn accept_one(&self, reactor: &Reactor) -> Accepted {
        let listener = self.listener.borrow();
        let Some(listener) = listener.as_ref() else {
            return Accepted::Drained;
        };
        match listener.accept(reactor, self.registered_as()) {
            Ok((socket, peer)) => Accepted::Yes(socket, peer),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Accepted::Drained,
                // The peer gave up before it was accepted, or a firewall did (accept(2), "Error handling").
                io::ErrorKind::Interrupted
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::TimedOut
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::NetworkDown => Accepted::Skip,
                _ => Accepted::Exhausted(error),
            },
        }
    }

    /// No descriptors, or no memory. With the spare descriptor the client can be told at least; without, accepting rests,
    /// for trying again at once would only spin.
    fn exhausted(&self, reactor: &Reactor, error: &io::Error) {
        self.log_once(error, "no connection can be accepted");
        let had_spare = self.spare.take().is_some();
        let accepted = if had_spare { self.accept_one(reactor) } else { Accepted::Skip };
        let is_drained = matches!(accepted, Accepted::Drained);
        let turned_away = matches!(accepted, Accepted::Yes(..));
        // What was accepted is closed before its descriptor is the spare one again.
        drop(accepted);
        self.keep_spare();
        if is_drained {
            // accept(2) asks for a descriptor before it looks whether anybody is there. Nobody is.
            self.readable.set(false);
            return;
        }
        if turned_away {
            return;
        }
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
        if let Some(ip) = ip.filter(|_| self.config.connections_per_ip_max != usize::MAX) {
            *self.open_per_ip.borrow_mut().entry(ip).or_default() += 1;
        }
    }

    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>) {
        let was_full = self.is_full();
        self.open.set(self.open.get() - 1);
        if let Some(ip) = ip.filter(|_| self.config.connections_per_ip_max != usize::MAX) {
            let mut open_per_ip = self.open_per_ip.borrow_mut();
            if let Some(open) = open_per_ip.get_mut(&ip) {
                *open -= 1;
                if *open == 0 {
                    open_per_ip.remove(&ip);
                }
            }
        }
        if (was_full || self.is_over()) && !self.closed.get() {
            self.come_by(reactor);
        }
        self.empty_now();
    }
}
