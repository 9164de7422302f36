//! A bound on how long a handler may take: [`Timeout`].

use std::{rc::Rc, time::Duration};

use http::StatusCode;

use super::{Handler, Reply, Request, Response, exchange::Answer};

/// A layer that answers with 503 when the handler has not answered in time. What the handler answers after that is dropped. A body that
/// is streamed may take longer: it is the answer that has to have begun.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::{Router, Timeout};
///
/// let site = Timeout::new(Router::new(), Duration::from_secs(30));
/// ```
#[derive(Debug)]
#[must_use]
pub struct Timeout<H> {
    inner: H,
    within: Duration,
    status: StatusCode,
}

impl<H: Handler> Timeout<H> {
    /// Around a handler.
    pub fn new(inner: H, within: Duration) -> Self {
        Self { inner, within, status: StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Answers with another status, as 504 where the handler asks another server.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl<H: Handler> Handler for Timeout<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (exchange, status) = (Rc::clone(&request.0), self.status);
        let call = request.reactor().call_later(self.within, move |_| {
            // If the handler was quicker there is nothing to be dropped but a status.
            drop(exchange.answer(Answer::Response(Response::new(status))));
        });
        let reply = reply.map({
            let call = call.clone();
            move |_, _| {
                call.cancel();
            }
        });
        let reply = reply.on_end(move |_, _| {
            call.cancel();
        });
        self.inner.handle(request, reply);
    }
}
