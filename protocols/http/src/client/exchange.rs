//! One request and its response, as the connection and the user's handles see them: [`Exchange`].

use std::{
    cell::{Cell, RefCell},
    fmt::Display,
    rc::{Rc, Weak},
    time::Duration,
};

use http::{Method, StatusCode};
use sinew_transports::{
    Transport,
    reactor::{Deferred, Failure, Promise, WeakReactor},
};

use super::{RequestError, Response, link::Link, outgoing::OnInformational};
use crate::{
    body::{Body, Incoming, Receiving, Sending},
    codec::{BodyError, Fields, Framing},
};

/// What becomes of the response, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its head is awaited.
    Head,
    /// The user has the head, and the body comes.
    Body,
    /// Another protocol has been agreed upon, and the user has to name it.
    Switched,
    /// It is over; the connection may be serving another request.
    Over,
}

/// See the head of this file.
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
    /// Some of the response has come.
    pub(super) is_answered: Cell<bool>,
    /// Not all of the request is with the transport.
    pub(super) is_sending: Cell<bool>,
    /// The body is a file, whose unsent bytes are in no queue.
    pub(super) is_file: Cell<bool>,
    /// A body that waits for `100 Continue`.
    held: RefCell<Option<(Body, Framing)>>,
    /// That of the connection, or of this request.
    pub(super) idle_timeout: Cell<Option<Duration>>,
    /// The connection ends after the response.
    pub(super) closes: Cell<bool>,
    pub(super) incoming: RefCell<Incoming>,
    on_informational: RefCell<Option<OnInformational>>,
    /// An `Upgraded` has the connection.
    pub(super) is_claimed: Cell<bool>,
    /// The connection looks again when the call returns that is under way.
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

    /// Settles the promise with the response. Cancelled, the connection is closed.
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

    /// Sends the body that was held back, if there is one.
    pub(super) fn send_held(self: &Rc<Self>) {
        let held = self.held.borrow_mut().take();
        if let Some((body, framing)) = held {
            self.send_body(&mut Vec::new(), body, framing);
        }
    }

    /// Sends the body, behind what is in the buffer.
    pub(super) fn send_body(self: &Rc<Self>, head: &mut Vec<u8>, body: Body, framing: Framing) {
        let transport = self.transport.clone();
        self.send(&transport, head, body, framing);
        if !self.is_sending.get() {
            self.request_sent();
        }
    }

    /// All of the request is with the transport: from now on the server has the time for its head.
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

    /// Gives the response to the user. It is dropped if the deferred was cancelled.
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

    /// The rest of the body is not wanted: reads and drops it if it is short, else closes the connection.
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

    /// The connection looks.
    pub(super) fn looked_at(&self) {
        self.woken.set(false);
    }

    pub(super) fn body_max(&self) -> u64 {
        self.link.upgrade().map_or(0, |link| link.config.body_max)
    }

    pub(super) fn link(&self) -> Option<Rc<Link>> {
        self.link.upgrade()
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
