//! One request and its answer, as the connection and the user's handles see it: [`Exchange`]. It is used again for later requests, so
//! that a plain one allocates nothing.

use std::{
    any::Any,
    cell::{Cell, RefCell, RefMut},
    ops::Range,
    rc::Rc,
    time::Duration,
};

use http::StatusCode;
use sinew_transports::{Protocol, TimerId, Transport, reactor::Reactor};

use super::{Ended, Request, Response, ServerConfig, incoming::Incoming};
use crate::codec::RequestHead;

/// What becomes of the answer, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handler has not answered.
    #[default]
    Waiting,
    /// It has; the answer lies in `answer`.
    Answered,
    /// Its head is written, its body is being produced.
    Sending,
    /// All of it is with the transport.
    Sent,
    /// The connection is over, or has answered by itself.
    Gone,
}

/// What the handler has answered.
pub(super) enum Answer {
    Response(Response),
    /// The connection goes to another protocol after the response.
    HandOver(Response, Box<dyn Protocol>),
    /// The reply was dropped.
    Dropped,
}

type Map = Box<dyn FnOnce(&Request, &mut Response)>;
type OnEnd = Box<dyn FnOnce(&Request, &Ended)>;
type OnDisconnect = Box<dyn FnOnce(&Reactor)>;

/// See the head of this file. The head is not changed while there are handles to it.
#[derive(Default)]
pub(super) struct Exchange {
    pub(super) head: RequestHead,
    transport: Option<Transport>,
    pub(super) incoming: RefCell<Incoming>,
    pub(super) stage: Cell<Stage>,
    answer: RefCell<Option<Answer>>,
    /// The connection looks again when the call returns that is under way.
    pub(super) in_loop: Cell<bool>,
    woken: Cell<bool>,
    /// Bytes of the body of the answer that were written.
    pub(super) sent: Cell<u64>,
    /// What was answered.
    pub(super) answered_with: Cell<Option<StatusCode>>,
    /// The body of the answer is a file, of which what waits is in no queue.
    pub(super) is_file: Cell<bool>,
    /// The connection ends after the answer.
    pub(super) closes: Cell<bool>,
    /// Whether there is, or was, something in one of the three lists that follow.
    has_hooks: Cell<bool>,
    maps: RefCell<Vec<Map>>,
    ends: RefCell<Vec<OnEnd>>,
    disconnects: RefCell<Vec<OnDisconnect>>,
    /// Whether there is something in one of the two lists that follow.
    has_notes: Cell<bool>,
    notes: RefCell<Vec<Rc<dyn Any>>>,
    /// Parameters of the path: names, and where their values are in it.
    pub(super) params: RefCell<Vec<(Rc<str>, Range<usize>)>>,
    /// How much of the path was used by routers so far.
    pub(super) mounted: Cell<usize>,
    pub(super) body_max: Cell<u64>,
    /// Bytes of the body when the window began in which its rate is measured.
    pub(super) body_mark: Cell<u64>,
    /// The end of that window.
    pub(super) body_timer: Cell<Option<TimerId>>,
}

impl Exchange {
    /// A new request on a connection, whose head is in place already.
    pub(super) fn begin(&mut self, transport: &Transport, config: &ServerConfig) {
        self.transport = Some(transport.clone());
        let (framing, expects_continue) = (self.head.framing(), self.head.expects_continue());
        self.incoming.get_mut().begin(framing, config.chunks, expects_continue);
        self.body_max.set(config.body_max);
    }

    /// Makes it ready for another request. What users have put in is dropped.
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

    /// Notes where the value of a parameter of the path is; its name comes later.
    pub(super) fn add_param(&self, place: Range<usize>) {
        thread_local! {
            static NO_NAME: Rc<str> = Rc::from("");
        }
        self.has_notes.set(true);
        self.params.borrow_mut().push((NO_NAME.with(Rc::clone), place));
    }

    /// Names the parameters behind the mark, and adds the one that is all that is left.
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

    /// Has the connection look at this, from the loop.
    #[inline]
    pub(super) fn wake(&self) {
        if !self.in_loop.get() && !self.woken.replace(true) {
            self.call_connection();
        }
    }

    fn call_connection(&self) {
        if let Some(transport) = &self.transport {
            transport.call_later(Duration::ZERO);
        }
    }

    /// The connection looks.
    pub(super) fn looked_at(&self) {
        self.woken.set(false);
    }

    /// The handler answers. What comes too late is handed back.
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

    /// The maps, the last that was added first.
    #[inline]
    pub(super) fn next_map(&self) -> Option<Map> {
        if self.has_hooks.get() { self.maps.borrow_mut().pop() } else { None }
    }

    /// Puts something beside the request.
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

    /// Whether there is no body, and nobody wants to change the answer or to be told of its end.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        !self.has_hooks.get() && self.incoming.borrow().is_untouched()
    }

    /// Tells whoever wants to know how it ended.
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

    /// Notes whom to tell when the client is gone before it has its answer; hands it back if it is already.
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
}
