//! What the handles of a client connection, its protocol and its requests share: [`Link`], the connection's state, and
//! [`Exchange`], one request with its response. Each knows the other.

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    rc::{Rc, Weak},
    time::Duration,
};

use http::{Method, StatusCode};
use sinew_transports::{
    TimerId, Transport,
    reactor::{Deferred, Failure, Promise, Reactor, WeakReactor},
};

use super::{
    ClientConnection, ConnectionConfig, RequestError, Response, outgoing::OnInformational,
};
use crate::{
    body::{Body, Incoming, Receiving, Sending},
    codec::{BodyError, Fields, Framing},
};

/// Is told when a connection can take another request, or never will again. Called with nothing borrowed; calls no user code.
pub(super) trait Watcher {
    fn idle(&self, connection: &ClientConnection);
    fn gone(&self, reactor: Option<&Reactor>, connection: &ClientConnection);
}

/// State shared by the handle of a client connection and its protocol. It serves one [`Exchange`] at a time.
pub(super) struct Link {
    pub(super) config: ConnectionConfig,
    transport: RefCell<Option<Transport>>,
    /// The current request, one at a time.
    exchange: RefCell<Option<Rc<Exchange>>>,
    pub(super) life: Cell<Life>,
    /// Requests with complete responses.
    pub(super) served: Cell<u32>,
    pub(super) head_timer: Cell<Option<TimerId>>,
    pub(super) continue_timer: Cell<Option<TimerId>>,
    /// The deadline of the whole response.
    pub(super) total_timer: Cell<Option<TimerId>>,
    /// Reading is paused here.
    pub(super) is_paused: Cell<bool>,
    /// Some input is unread.
    pub(super) has_unread: Cell<bool>,
    /// Resolves when the TLS handshake is complete.
    pub(super) secured: Cell<Option<Promise<ClientConnection, RequestError>>>,
    reactor: RefCell<WeakReactor>,
    watcher: RefCell<Option<Rc<dyn Watcher>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Not connected yet.
    New,
    Open,
    /// A TLS handshake is in progress.
    #[cfg_attr(not(feature = "tls"), allow(dead_code))]
    Handshaking,
    /// Closing; input is dropped.
    Closing,
    /// Handed over to another protocol, with the unread input.
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

    /// Whether it accepts a request now.
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

    /// The peer of its transport.
    #[cfg(feature = "tls")]
    pub(super) fn weak_reactor(&self) -> WeakReactor {
        self.reactor.borrow().clone()
    }

    pub(super) fn begin(&self, exchange: &Rc<Exchange>) {
        *self.exchange.borrow_mut() = Some(Rc::clone(exchange));
    }

    /// The current request has ended.
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

    /// Accepts no more requests, and drops further input.
    pub(super) fn start_closing(self: &Rc<Self>, transport: &Transport) {
        self.life.set(Life::Closing);
        self.tell_gone(transport.reactor().as_ref());
    }
}

/// Stages of the response, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waiting for its head.
    Head,
    /// The user has the head, and the body arrives.
    Body,
    /// Another protocol was agreed on, and the user has to provide it.
    Switched,
    /// The response is over; the connection may serve another request.
    Over,
}

/// One request with its response, shared by the connection and the user's handles.
pub(super) struct Exchange {
    link: Weak<Link>,
    reactor: WeakReactor,
    pub(super) transport: Transport,
    pub(super) method: Method,
    pub(super) wants_upgrade: bool,
    /// The connection had been used before.
    is_reused: bool,
    promise: Cell<Option<Promise<Response, RequestError>>>,
    pub(super) stage: Cell<Stage>,
    /// The first bytes of the response have arrived.
    pub(super) is_answered: Cell<bool>,
    /// Some of the request is not with the transport yet.
    pub(super) is_sending: Cell<bool>,
    /// The request body is a file, so the part that is not sent yet is in no queue.
    pub(super) is_file: Cell<bool>,
    /// A body that waits for `100 Continue`.
    held: RefCell<Option<(Body, Framing)>>,
    /// The timeout of the connection, or of this request.
    pub(super) idle_timeout: Cell<Option<Duration>>,
    /// The connection closes after the response.
    pub(super) closes: Cell<bool>,
    pub(super) incoming: RefCell<Incoming>,
    on_informational: RefCell<Option<OnInformational>>,
    /// An `Upgraded` has the connection.
    pub(super) is_claimed: Cell<bool>,
    /// The connection will check for changes when the present call returns.
    pub(super) in_loop: Cell<bool>,
    woken: Cell<bool>,
}

impl Exchange {
    pub(super) fn new(
        link: &Rc<Link>,
        transport: Transport,
        (method, wants_upgrade, closes): (Method, bool, bool),
        on_informational: Option<OnInformational>,
        reactor: WeakReactor,
    ) -> Self {
        Self {
            link: Rc::downgrade(link),
            reactor,
            transport,
            method,
            wants_upgrade,
            is_reused: link.served.get() > 0,
            promise: Cell::default(),
            stage: Cell::new(Stage::Head),
            is_answered: Cell::default(),
            is_sending: Cell::default(),
            is_file: Cell::default(),
            held: RefCell::default(),
            idle_timeout: Cell::new(link.config.idle_timeout),
            closes: Cell::new(closes),
            incoming: RefCell::default(),
            on_informational: RefCell::new(on_informational),
            is_claimed: Cell::default(),
            in_loop: Cell::default(),
            woken: Cell::default(),
        }
    }

    /// Resolves with the response. Cancelling closes the connection.
    pub(super) fn promise_response(self: &Rc<Self>, promise: Promise<Response, RequestError>) {
        let exchange = Rc::downgrade(self);
        promise.on_cancel(move |_| exchange.upgrade().iter().for_each(|exchange| exchange.abort()));
        self.promise.set(Some(promise));
    }

    pub(super) fn new_promise<T: 'static, E>(&self) -> (Promise<T, E>, Deferred<T, E>)
    where
        E: From<Failure> + Display + 'static,
    {
        self.reactor.promise()
    }

    // ---- the request ----

    /// Keeps the body until the server wants it.
    pub(super) fn hold(&self, body: Body, framing: Framing) {
        *self.held.borrow_mut() = Some((body, framing));
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.borrow().is_some()
    }

    /// Sends the body that was kept, if any.
    pub(super) fn send_held(self: &Rc<Self>) {
        let held = self.held.borrow_mut().take();
        if let Some((body, framing)) = held {
            self.send_body(&mut Vec::new(), body, framing);
        }
    }

    /// Sends the body, after the buffered head.
    pub(super) fn send_body(self: &Rc<Self>, head: &mut Vec<u8>, body: Body, framing: Framing) {
        let transport = self.transport.clone();
        self.send(&transport, head, body, framing);
        if !self.is_sending.get() {
            self.request_sent();
        }
    }

    /// The whole request is with the transport: the timeout of the head starts.
    fn request_sent(&self) {
        let Some(link) = self.link.upgrade().filter(|_| self.stage.get() == Stage::Head) else {
            return;
        };
        link.head_timer.set(self.transport.call_later(link.config.head_timeout));
    }

    // ---- the response ----

    pub(super) fn inform(&self, status: StatusCode, fields: &Fields) {
        let on_informational = self.on_informational.borrow_mut().take();
        if let Some(mut f) = on_informational {
            f(status, fields);
            *self.on_informational.borrow_mut() = Some(f);
        }
    }

    /// Gives the response to the user. It is dropped if nothing waits for it any more.
    pub(super) fn respond(&self, response: Response) {
        if let Some(promise) = self.promise.take() {
            promise.resolve(response);
        }
    }

    pub(super) fn reject(&self, error: RequestError) {
        if let Some(promise) = self.promise.take() {
            promise.reject(error);
        }
    }

    pub(super) fn lost(&self, reason: String) -> RequestError {
        RequestError::Lost { reason, is_stale: self.is_reused && !self.is_answered.get() }
    }

    /// The body has ended, complete or not. A reader that asks for it later is told then.
    pub(super) fn close_body(self: &Rc<Self>, end: Result<Fields, BodyError>) {
        let mut incoming = self.incoming.borrow_mut();
        if !incoming.is_unasked() {
            drop(incoming);
            return self.end_body(end);
        }
        if incoming.end.is_none() {
            incoming.end = Some(end.as_ref().map(|_| ()).map_err(Clone::clone));
            incoming.trailers = end.unwrap_or_default();
        }
    }

    /// Nothing reads the rest of the body: it is read and dropped, if it is short.
    pub(super) fn give_up_body(self: &Rc<Self>, framing: Framing) {
        let incoming = self.incoming.borrow();
        if incoming.end.is_some() || !incoming.is_unasked() {
            return;
        }
        let max = self.link.upgrade().map_or(0, |link| link.config.unread_max);
        let is_too_much = framing == Framing::UntilClose || incoming.decoder.announced() > max;
        drop(incoming);
        if is_too_much {
            return self.abort();
        }
        self.discard_body();
        self.wake();
    }

    /// Closes the connection, unless the response is over. For readers that do not want the rest.
    pub(super) fn abort(&self) {
        if self.stage.get() == Stage::Over {
            return;
        }
        self.transport.abort();
    }

    /// The connection checks for changes.
    pub(super) fn looked_at(&self) {
        self.woken.set(false);
    }

    pub(super) fn body_max(&self) -> u64 {
        self.link.upgrade().map_or(0, |link| link.config.body_max)
    }

    pub(super) fn link(&self) -> Option<Rc<Link>> {
        self.link.upgrade()
    }

    /// Calls `f`, after which the connection looks for changes by itself: what `f` does need not wake it.
    #[inline]
    pub(super) fn in_callback<R>(&self, f: impl FnOnce() -> R) -> R {
        self.in_loop.set(true);
        let result = f();
        self.in_loop.set(false);
        result
    }
}

impl Receiving for Exchange {
    fn incoming(&self) -> &RefCell<Incoming> {
        &self.incoming
    }

    fn wake(&self) {
        if !self.in_loop.get() && !self.woken.replace(true) {
            self.transport.call_later(Duration::ZERO);
        }
    }
}

impl Sending for Exchange {
    fn begin_sending(&self, is_file: bool) {
        self.is_sending.set(true);
        self.is_file.set(is_file);
    }

    fn set_sent(&self, _: u64) {}

    fn all_sent(&self) {
        self.is_sending.set(false);
        self.request_sent();
    }
}
