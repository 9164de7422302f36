//! A body that comes in on one connection and goes out on another, no faster than the other takes it: [`pipe`].

use std::{cell::RefCell, mem, rc::Rc};

use super::backends::InWork;
use crate::{
    body::{Body, BodyControl, BodyReceiver, BodySource, BodyWaker, Produced},
    client,
    codec::{BodyError, Fields},
    server::Request,
};

/// What may be on its way before the sender is held back. Both connections have watermarks of their own.
const HIGH: usize = 64 * 1024;

/// What both ends share.
#[derive(Default)]
struct Pipe {
    queue: Vec<u8>,
    end: Option<Result<Fields, BodyError>>,
    waker: Option<BodyWaker>,
    /// The sender, while it is held back.
    held_back: Option<BodyControl>,
    /// Nothing is taken any more; what still comes is dropped.
    is_closed: bool,
}

/// The end where the body comes in.
struct Inlet(Rc<RefCell<Pipe>>);

/// The end where the body goes out.
struct Outlet<S: Sender> {
    pipe: Rc<RefCell<Pipe>>,
    sender: S,
    is_begun: bool,
}

/// The sender of the body.
trait Sender: 'static {
    /// The body is wanted for the first time.
    fn begin(&mut self, inlet: Inlet);

    /// It is not wanted any more, and was not received whole.
    fn give_up(&mut self);
}

/// The body of a request, asked for when the backend wants it: so a client that waits for `100 Continue` gets it then.
pub(super) struct Upload {
    pub(super) request: Request,
    /// Is set once some of the body was asked for: then the request cannot be repeated.
    pub(super) begun: Rc<std::cell::Cell<bool>>,
}

impl Upload {
    /// The body, of that length if it is known.
    pub(super) fn body(self, length: Option<u64>) -> Body {
        Body::source(Outlet { pipe: Rc::default(), sender: self, is_begun: false }, length)
    }
}

impl Sender for Upload {
    fn begin(&mut self, inlet: Inlet) {
        self.begun.set(true);
        self.request.receive(inlet);
    }

    fn give_up(&mut self) {
        // The server drops what is left of it.
    }
}

/// The body of a response. Its request is in work for as long.
pub(super) struct Download {
    response: Option<client::Response>,
    _in_work: InWork,
}

impl Download {
    /// The body of a response, of the length that the response says.
    pub(super) fn body(response: client::Response, work: InWork) -> Body {
        let length = response.length();
        let sender = Self { response: Some(response), _in_work: work };
        Body::source(Outlet { pipe: Rc::default(), sender, is_begun: false }, length)
    }
}

impl Sender for Download {
    fn begin(&mut self, inlet: Inlet) {
        if let Some(response) = &self.response {
            response.receive(inlet);
        }
    }

    fn give_up(&mut self) {
        if let Some(response) = self.response.take() {
            response.abort();
        }
    }
}

impl BodyReceiver for Inlet {
    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        let mut pipe = self.0.borrow_mut();
        if pipe.is_closed {
            return;
        }
        pipe.queue.extend_from_slice(data);
        if pipe.queue.len() > HIGH && pipe.held_back.is_none() {
            pipe.held_back = Some(body.clone());
            body.pause();
        }
        pipe.wake();
    }

    fn body_ended(self: Box<Self>, end: Result<Fields, BodyError>) {
        let mut pipe = self.0.borrow_mut();
        pipe.held_back = None;
        pipe.end = Some(end);
        pipe.wake();
    }
}

impl Pipe {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }
}

impl<S: Sender> BodySource for Outlet<S> {
    fn produce(&mut self, out: &mut Vec<u8>, waker: &BodyWaker) -> Produced {
        let mut pipe = self.pipe.borrow_mut();
        pipe.waker.get_or_insert_with(|| waker.clone());
        if !mem::replace(&mut self.is_begun, true) {
            drop(pipe);
            self.sender.begin(Inlet(Rc::clone(&self.pipe)));
            pipe = self.pipe.borrow_mut();
        }
        if out.is_empty() {
            mem::swap(out, &mut pipe.queue);
        } else {
            out.append(&mut pipe.queue);
        }
        if let Some(sender) = pipe.held_back.take() {
            sender.resume();
        }
        match &pipe.end {
            None => Produced::Waiting,
            Some(Ok(_)) => Produced::Done,
            Some(Err(error)) => Produced::Failed(Box::new(error.clone())),
        }
    }

    fn trailers(&mut self) -> Fields {
        match self.pipe.borrow_mut().end.take() {
            Some(Ok(trailers)) => trailers,
            _ => Fields::new(),
        }
    }
}

impl<S: Sender> Drop for Outlet<S> {
    fn drop(&mut self) {
        let mut pipe = self.pipe.borrow_mut();
        pipe.is_closed = true;
        pipe.queue = Vec::new();
        pipe.waker = None;
        let is_over = pipe.end.is_some();
        if let Some(sender) = pipe.held_back.take() {
            sender.resume();
        }
        drop(pipe);
        if !is_over {
            self.sender.give_up();
        }
    }
}
