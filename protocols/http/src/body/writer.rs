//! A body that is written through a handle: [`BodyWriter`], the writing end of a [`BodySource`].

use std::{cell::RefCell, fmt, mem, rc::Rc};

use sinew_transports::{
    WriteStatus,
    reactor::{Deferred, Promise, Reactor, error_debug},
};

use super::{Body, BodySource, BodyWaker, Produced};
use crate::codec::Fields;

/// High watermark of bytes that the connection has not taken yet. The connection has watermarks of its own.
const HIGH: usize = 64 * 1024;

/// Writes a body at any time: from a timer, from another connection's callback, from a task.
///
/// No call runs a callback. If it is dropped before [`finish`](Self::finish), the connection ends before the body does, so that
/// the peer notices the truncation.
///
/// # Examples
///
/// ```
/// use sinew_http::{Body, server::{Reply, Request, Response}};
///
/// fn slowly(request: Request, reply: Reply) {
///     let (writer, body) = Body::writer();
///     reply.send(Response::text("").with_body(body));
///     writer.write(b"one moment\n");
///     request.reactor().call_later(std::time::Duration::from_secs(1), move |_| {
///         writer.write(b"there you are\n");
///         writer.finish();
///     });
/// }
/// ```
pub struct BodyWriter {
    pipe: Rc<RefCell<Pipe>>,
    finished: bool,
}

/// The writer was dropped before the body was finished.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body was dropped before it was finished")]
struct Abandoned;

error_debug!(Abandoned);

#[derive(Default)]
struct Pipe {
    queue: Vec<u8>,
    end: Option<Result<Fields, Abandoned>>,
    waker: Option<BodyWaker>,
    /// Waits for room.
    waiting: Vec<Promise<bool>>,
    gone: bool,
}

/// The connection's end.
struct PipeSource(Rc<RefCell<Pipe>>);

impl Body {
    /// A body, and the handle that writes it.
    #[must_use]
    pub fn writer() -> (BodyWriter, Self) {
        let pipe = Rc::default();
        let writer = BodyWriter { pipe: Rc::clone(&pipe), finished: false };
        (writer, Self::source(PipeSource(pipe), None))
    }
}

impl BodyWriter {
    /// Appends to the body. [`AboveHighWatermark`](WriteStatus::AboveHighWatermark) if more than 64 KiB are queued now: the data
    /// will be sent, but wait for [`room`](Self::room) before writing more. [`Closed`](WriteStatus::Closed) if the peer has
    /// disconnected.
    pub fn write(&self, data: impl AsRef<[u8]>) -> WriteStatus {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.gone {
            return WriteStatus::Closed;
        }
        pipe.queue.extend_from_slice(data.as_ref());
        let status = match pipe.queue.len() > HIGH {
            true => WriteStatus::AboveHighWatermark,
            false => WriteStatus::Ok,
        };
        drop(pipe);
        self.wake();
        status
    }

    /// Resolves when the connection has taken everything: to `true`, or to `false` once the peer has disconnected.
    pub fn room(&self, reactor: &Reactor) -> Deferred<bool> {
        let mut pipe = self.pipe.borrow_mut();
        if pipe.gone || pipe.queue.is_empty() {
            return Deferred::ready_on(reactor, !pipe.gone);
        }
        let (promise, room) = reactor.promise();
        pipe.waiting.push(promise);
        room
    }

    /// Whether the peer has disconnected, and nothing more will be sent.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pipe.borrow().gone
    }

    /// Completes the body.
    pub fn finish(self) {
        self.finish_with(Fields::new());
    }

    /// Completes the body, with trailers. HTTP/1.0 clients do not receive trailers.
    pub fn finish_with(mut self, trailers: Fields) {
        self.finished = true;
        self.end(Ok(trailers));
    }

    fn end(&self, end: Result<Fields, Abandoned>) {
        self.pipe.borrow_mut().end = Some(end);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.pipe.borrow().waker {
            waker.wake();
        }
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.end(Err(Abandoned));
        }
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.pipe.borrow().queue.len();
        f.debug_struct("BodyWriter").field("queued", &queued).finish_non_exhaustive()
    }
}

impl BodySource for PipeSource {
    fn produce(&mut self, out: &mut Vec<u8>, waker: &BodyWaker) -> Produced {
        let mut pipe = self.0.borrow_mut();
        pipe.waker.get_or_insert_with(|| waker.clone());
        out.append(&mut pipe.queue);
        if pipe.queue.capacity() > HIGH {
            pipe.queue = Vec::new();
        }
        mem::take(&mut pipe.waiting).into_iter().for_each(|waiting| waiting.resolve(true));
        match &pipe.end {
            None => Produced::Waiting,
            Some(Ok(_)) => Produced::Done,
            Some(Err(abandoned)) => Produced::Failed(Box::new(*abandoned)),
        }
    }

    fn trailers(&mut self) -> Fields {
        match self.0.borrow_mut().end.take() {
            Some(Ok(trailers)) => trailers,
            _ => Fields::new(),
        }
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.gone = true;
        pipe.queue = Vec::new();
        pipe.waker = None;
        mem::take(&mut pipe.waiting).into_iter().for_each(|waiting| waiting.resolve(false));
    }
}
