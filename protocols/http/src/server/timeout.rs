//! A time limit for handlers: [`Timeout`].

use std::{rc::Rc, time::Duration};

use http::StatusCode;

use super::{Handler, Reply, Request, Response, exchange::Answer};

/// A layer that responds with 503 when the handler has not responded in time. A later response of the handler is dropped. A
/// streamed body may take longer: the limit applies to the start of the response.
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
    /// Wraps a handler.
    pub fn new(inner: H, within: Duration) -> Self {
        Self { inner, within, status: StatusCode::SERVICE_UNAVAILABLE }
    }

    /// Sets another status, such as 504 when the handler is a gateway.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl<H: Handler> Handler for Timeout<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (exchange, status) = (Rc::clone(&request.0), self.status);
        let call = request.reactor().call_later(self.within, move |_| {
            // If the handler was faster, only a status is dropped.
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
