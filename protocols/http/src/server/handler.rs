//! The trait that users implement: [`Handler`], and two shortcuts: [`answer`] for responses that are ready at once,
//! [`answer_async`] for futures.

use std::{future::Future, panic::Location, rc::Rc};

use super::{Reply, Request, Response};

/// Responds to requests.
///
/// A closure `Fn(Request, Reply)` is a handler. It may respond at once; or keep the [`Reply`] and respond from a timer, from
/// another connection's callback or from a [`Deferred`](sinew_transports::reactor::Deferred) of a job. Dropping the reply without
/// a response sends a 500, and logs it.
///
/// Handlers are called by the loop only. Several connections share one handler, so it keeps its state in cells.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::{Reply, Request, Response};
///
/// fn later(request: Request, reply: Reply) {
///     request.reactor().call_later(Duration::from_secs(1), |_| reply.send(Response::text("late")));
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer requests",
    label = "not a `Handler`",
    note = "a closure that is given a `Request` and a `Reply` is one: `|request: Request, reply: Reply| …`",
    note = "`answer(|request| …)` makes one of a closure that returns a response, `answer_async` of one that returns a future"
)]
pub trait Handler: 'static {
    /// A request has arrived, that is, its head. The body is read through the request.
    fn handle(&self, request: Request, reply: Reply);
}

impl<F: Fn(Request, Reply) + 'static> Handler for F {
    fn handle(&self, request: Request, reply: Reply) {
        self(request, reply);
    }
}

impl<H: Handler + ?Sized> Handler for Rc<H> {
    fn handle(&self, request: Request, reply: Reply) {
        (**self).handle(request, reply);
    }
}

/// A handler that responds at once: with a [`Response`], a status, text, or a `Result` of those.
///
/// # Examples
///
/// ```
/// use sinew_http::{StatusCode, server::{Request, answer}};
///
/// let hello = answer(|_| "hello\n");
/// let name = answer(|request: &Request| {
///     request.query().map(str::to_owned).ok_or(StatusCode::BAD_REQUEST)
/// });
/// # fn is_handler(_: impl sinew_http::server::Handler) {}
/// # is_handler(hello);
/// # is_handler(name);
/// ```
pub fn answer<R: Into<Response>>(
    f: impl Fn(&Request) -> R + 'static,
) -> impl Fn(Request, Reply) + 'static {
    move |request, reply| {
        let response = f(&request).into();
        drop(request);
        reply.send(response);
    }
}

/// A handler that runs a future for each request, on the reactor of the connection. The future is cancelled when the client
/// disconnects.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::{Request, Response, answer_async};
///
/// let echo = answer_async(|request: Request| async move {
///     request.collect().await.map(Response::text).unwrap_or_default()
/// });
/// # fn is_handler(_: impl sinew_http::server::Handler) {}
/// # is_handler(echo);
/// ```
#[track_caller]
pub fn answer_async<R, F>(f: impl Fn(Request) -> F + 'static) -> impl Fn(Request, Reply) + 'static
where
    R: Into<Response>,
    F: Future<Output = R> + 'static,
{
    let at = Location::caller();
    move |request, reply| {
        let reactor = request.reactor();
        let future = f(request.clone());
        let task = reactor.spawn_at(at, async move { reply.send(future.await.into()) });
        request.on_disconnect(move |_| task.cancel());
    }
}
