//! What the handle of a connection and its protocol share: [`Link`].

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew_transports::{
    TimerId, Transport,
    reactor::{Promise, Reactor, WeakReactor},
};

use super::{ClientConnection, ConnectionConfig, RequestError, exchange::Exchange};

/// Who is told when a connection can take another request, or never will again. Called with nothing borrowed; it calls no user code.
pub(super) trait Watcher {
    fn idle(&self, connection: &ClientConnection);
    fn gone(&self, reactor: Option<&Reactor>, connection: &ClientConnection);
}

/// See the head of this file.
pub(super) struct Link {
    pub(super) config: ConnectionConfig,
    transport: RefCell<Option<Transport>>,
    /// The request in work, one at a time.
    exchange: RefCell<Option<Rc<Exchange>>>,
    pub(super) life: Cell<Life>,
    /// Requests whose responses are over.
    pub(super) served: Cell<u32>,
    pub(super) head_timer: Cell<Option<TimerId>>,
    pub(super) continue_timer: Cell<Option<TimerId>>,
    /// For the whole of the response.
    pub(super) total_timer: Cell<Option<TimerId>>,
    /// Reading was paused here.
    pub(super) is_paused: Cell<bool>,
    /// Some input is not used yet.
    pub(super) has_unread: Cell<bool>,
    /// Settled when the TLS handshake is complete.
    pub(super) secured: Cell<Option<Promise<ClientConnection, RequestError>>>,
    reactor: RefCell<WeakReactor>,
    watcher: RefCell<Option<Rc<dyn Watcher>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// There is no connection yet.
    New,
    Open,
    /// A TLS handshake is in progress.
    Securing,
    /// It closes; input is dropped.
    Closing,
    /// It was given to another protocol, and so is what is unread.
    HandedOver,
    Gone,
}

impl Link {
    pub(super) fn new(config: ConnectionConfig) -> Self {
        Self {
            config,
            transport: RefCell::default(),
            exchange: RefCell::default(),
            life: Cell::new(Life::New),
            served: Cell::default(),
            head_timer: Cell::default(),
            continue_timer: Cell::default(),
            total_timer: Cell::default(),
            is_paused: Cell::default(),
            has_unread: Cell::default(),
            secured: Cell::default(),
            reactor: RefCell::default(),
            watcher: RefCell::default(),
        }
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.transport.borrow().clone()
    }

    pub(super) fn exchange(&self) -> Option<Rc<Exchange>> {
        self.exchange.borrow().clone()
    }

    pub(super) fn is_open(&self) -> bool {
        self.life.get() == Life::Open
    }

    /// Whether it can take a request now.
    pub(super) fn is_idle(&self) -> bool {
        self.is_open()
            && self.exchange.borrow().is_none()
            && self.transport.borrow().as_ref().is_some_and(|transport| !transport.is_closing())
    }

    pub(super) fn made(&self, transport: &Transport) {
        self.life.set(Life::Open);
        *self.transport.borrow_mut() = Some(transport.clone());
        if let Some(reactor) = transport.reactor() {
            *self.reactor.borrow_mut() = reactor.downgrade();
        }
    }

    /// That of its transport.
    pub(super) fn weak_reactor(&self) -> WeakReactor {
        self.reactor.borrow().clone()
    }

    pub(super) fn begin(&self, exchange: &Rc<Exchange>) {
        *self.exchange.borrow_mut() = Some(Rc::clone(exchange));
    }

    /// The request in work is over, one way or the other.
    pub(super) fn end_exchange(&self) -> Option<Rc<Exchange>> {
        self.stop_timer(&self.head_timer);
        self.stop_timer(&self.continue_timer);
        self.stop_timer(&self.total_timer);
        self.exchange.borrow_mut().take()
    }

    pub(super) fn lost(&self) {
        if self.life.get() != Life::HandedOver {
            self.life.set(Life::Gone);
        }
        *self.transport.borrow_mut() = None;
    }

    pub(super) fn stop_timer(&self, timer: &Cell<Option<TimerId>>) {
        if let (Some(timer), Some(transport)) = (timer.take(), &*self.transport.borrow()) {
            transport.cancel_timer(timer);
        }
    }

    pub(super) fn set_watcher(&self, watcher: Rc<dyn Watcher>) {
        *self.watcher.borrow_mut() = Some(watcher);
    }

    pub(super) fn watcher(&self) -> Option<Rc<dyn Watcher>> {
        self.watcher.borrow().clone()
    }

    /// It accepts no more requests: tells the watcher, once.
    pub(super) fn tell_gone(self: &Rc<Self>, reactor: Option<&Reactor>) {
        let watcher = self.watcher.borrow_mut().take();
        if let Some(watcher) = watcher {
            watcher.gone(reactor, &ClientConnection::of(self));
        }
    }

    /// Takes no request any more, and drops what still comes.
    pub(super) fn start_closing(self: &Rc<Self>, transport: &Transport) {
        self.life.set(Life::Closing);
        self.tell_gone(transport.reactor().as_ref());
    }
}
