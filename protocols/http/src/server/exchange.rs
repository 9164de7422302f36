//! One request with its response, shared by the connection and the user's handles: [`Exchange`]. Reused for later requests, so
//! that a plain request allocates nothing.

use std::{
    any::Any,
    cell::{Cell, RefCell, RefMut},
    ops::Range,
    rc::Rc,
    time::Duration,
};

use http::StatusCode;
use sinew_transports::{TimerId, Transport, endpoint::DynProtocol, reactor::Reactor};

use super::{Ended, Request, Response, ServerConfig};
use crate::{
    body::{Incoming, Receiving, Sending},
    codec::RequestHead,
};

/// Stages of the response, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handler has not responded.
    #[default]
    Waiting,
    /// The handler has responded; the response is in `answer`.
    Answered,
    /// The head is written, the body is being produced.
    Sending,
    /// All of it is with the transport.
    Sent,
    /// The connection has ended, or has responded by itself.
    Gone,
}

/// What the handler has responded.
pub(super) enum Answer {
    Response(Response),
    /// The connection is handed over to another protocol after the response.
    HandOver(Response, DynProtocol),
    /// The reply was dropped.
    Dropped,
}

type Map = Box<dyn FnOnce(&Request, &mut Response)>;
type OnEnd = Box<dyn FnOnce(&Request, &Ended)>;
type OnDisconnect = Box<dyn FnOnce(&Reactor)>;

/// The request head. Not changed while there are handles to it.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) head: RequestHead,
    transport: Option<Transport>,
    pub(super) incoming: RefCell<Incoming>,
    pub(super) stage: Cell<Stage>,
    answer: RefCell<Option<Answer>>,
    /// The connection will check for changes when the present call returns.
    in_loop: Cell<bool>,
    woken: Cell<bool>,
    /// Bytes of the response body that were written.
    pub(super) sent: Cell<u64>,
    /// The status of the response.
    pub(super) answered_with: Cell<Option<StatusCode>>,
    /// The body of the response is a file, so the part that is not sent yet is in no queue.
    pub(super) is_file: Cell<bool>,
    /// The connection closes after the response.
    pub(super) closes: Cell<bool>,
    /// Whether there was something in one of the next three lists.
    has_hooks: Cell<bool>,
    maps: RefCell<Vec<Map>>,
    ends: RefCell<Vec<OnEnd>>,
    disconnects: RefCell<Vec<OnDisconnect>>,
    /// Whether there was something in one of the next two lists.
    has_notes: Cell<bool>,
    notes: RefCell<Vec<Rc<dyn Any>>>,
    /// Parameters of the path: names, and the positions of their values.
    pub(super) params: RefCell<Vec<(Rc<str>, Range<usize>)>>,
    /// How much of the path routers have consumed.
    pub(super) mounted: Cell<usize>,
    pub(super) body_max: Cell<u64>,
    /// Bytes of the body at the start of the window in which its rate is measured.
    pub(super) body_mark: Cell<u64>,
    /// The end of that window.
    pub(super) body_timer: Cell<Option<TimerId>>,
}

impl Exchange {
    /// A new request on a connection. Its head is already set.
    pub(super) fn begin(&mut self, transport: &Transport, config: &ServerConfig) {
        self.transport = Some(transport.clone());
        let (framing, expects_continue) = (self.head.framing(), self.head.expects_continue());
        self.incoming.get_mut().begin(framing, config.chunks, expects_continue);
        self.body_max.set(config.body_max);
    }

    /// Resets it for another request. Drops what users have stored.
    pub(super) fn clear(&mut self) {
        self.head.shrink();
        self.transport = None;
        self.incoming.get_mut().clear();
        self.stage.set(Stage::Waiting);
        *self.answer.get_mut() = None;
        self.woken.set(false);
        self.sent.set(0);
        self.answered_with.set(None);
        self.is_file.set(false);
        self.closes.set(false);
        self.mounted.set(0);
        if self.has_hooks.take() {
            self.maps.get_mut().clear();
            self.ends.get_mut().clear();
            self.disconnects.get_mut().clear();
        }
        if self.has_notes.take() {
            self.notes.get_mut().clear();
            self.params.get_mut().clear();
        }
    }

    pub(super) fn stop_body_timer(&self, transport: &Transport) {
        if let Some(timer) = self.body_timer.take() {
            transport.cancel_timer(timer);
        }
    }

    pub(super) fn transport(&self) -> Option<&Transport> {
        self.transport.as_ref()
    }

    /// `None` once the reactor has been dropped.
    pub(super) fn reactor(&self) -> Option<Reactor> {
        self.transport.as_ref().and_then(Transport::reactor)
    }

    /// Records the position of the value of a path parameter; its name follows later.
    pub(super) fn add_param(&self, place: Range<usize>) {
        thread_local! {
            static NO_NAME: Rc<str> = Rc::from("");
        }
        self.has_notes.set(true);
        self.params.borrow_mut().push((NO_NAME.with(Rc::clone), place));
    }

    /// Names the parameters after the mark, and adds the one for the rest of the path.
    pub(super) fn name_params(
        &self,
        mark: usize,
        names: &[Rc<str>],
        rest: Option<(&Rc<str>, Range<usize>)>,
    ) {
        self.has_notes.set(true);
        let mut params = self.params.borrow_mut();
        for (param, name) in params.iter_mut().skip(mark).zip(names) {
            param.0 = Rc::clone(name);
        }
        if let Some((name, place)) = rest {
            params.push((Rc::clone(name), place));
        }
    }

    fn call_connection(&self) {
        if let Some(transport) = &self.transport {
            transport.call_later(Duration::ZERO);
        }
    }

    /// The connection checks for changes.
    pub(super) fn looked_at(&self) {
        self.woken.set(false);
    }

    /// The handler responds. Returns a response that is too late.
    #[inline]
    pub(super) fn answer(&self, answer: Answer) -> Option<Answer> {
        if self.stage.get() != Stage::Waiting {
            return Some(answer);
        }
        self.stage.set(Stage::Answered);
        *self.answer.borrow_mut() = Some(answer);
        self.wake();
        None
    }

    /// What the handler has answered. Nothing but the connection touches it from then on.
    pub(super) fn answered(&self) -> RefMut<'_, Option<Answer>> {
        self.answer.borrow_mut()
    }

    pub(super) fn add_map(&self, map: Map) {
        self.has_hooks.set(true);
        self.maps.borrow_mut().push(map);
    }

    /// The maps, the last added one first.
    #[inline]
    pub(super) fn next_map(&self) -> Option<Map> {
        if self.has_hooks.get() { self.maps.borrow_mut().pop() } else { None }
    }

    /// Stores a value for later handlers.
    pub(super) fn add_note(&self, note: Rc<dyn Any>) {
        self.has_notes.set(true);
        self.notes.borrow_mut().push(note);
    }

    pub(super) fn find_note<T: Any>(&self) -> Option<Rc<T>> {
        self.notes.borrow().iter().rev().find_map(|note| Rc::clone(note).downcast().ok())
    }

    pub(super) fn add_end(&self, end: OnEnd) {
        self.has_hooks.set(true);
        self.ends.borrow_mut().push(end);
    }

    /// Whether there is no body, and nothing changes the response or has to know its end.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        !self.has_hooks.get() && self.incoming.borrow().is_untouched()
    }

    /// Reports the end to all who asked for it.
    #[inline]
    pub(super) fn tell_end(self: &Rc<Self>, complete: bool) {
        if self.has_hooks.get() {
            self.call_end_hooks(complete);
        }
    }

    fn call_end_hooks(self: &Rc<Self>, complete: bool) {
        while let Some(end) = self.next_end() {
            let (status, bytes) = (self.answered_with.get(), self.sent.get());
            end(&Request(Rc::clone(self)), &Ended { status, bytes, complete });
        }
    }

    fn next_end(&self) -> Option<OnEnd> {
        self.ends.borrow_mut().pop()
    }

    /// Registers a callback for the case that the client disconnects before it has its response; returns it if that has happened.
    pub(super) fn add_disconnect(&self, disconnect: OnDisconnect) -> Option<OnDisconnect> {
        if self.stage.get() == Stage::Gone {
            return Some(disconnect);
        }
        self.has_hooks.set(true);
        self.disconnects.borrow_mut().push(disconnect);
        None
    }

    pub(super) fn next_disconnect(&self) -> Option<OnDisconnect> {
        self.disconnects.borrow_mut().pop()
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

    #[inline]
    fn wake(&self) {
        if !self.in_loop.get() && !self.woken.replace(true) {
            self.call_connection();
        }
    }
}

impl Sending for Exchange {
    fn begin_sending(&self, is_file: bool) {
        self.stage.set(Stage::Sending);
        self.is_file.set(is_file);
    }

    fn set_sent(&self, bytes: u64) {
        self.sent.set(bytes);
    }

    fn all_sent(&self) {
        if self.stage.get() == Stage::Sending {
            self.stage.set(Stage::Sent);
            self.wake();
        }
    }
}
