//! The root of all handlers, [`BaseRequestHandler`], and the order in which one is called. No socket is touched here.

use std::panic::{self, AssertUnwindSafe};

use crate::{
    Address, BaseServer, Context, HandlerResult, Request, RequestError,
    family::{Kind, Stream},
};

/// Handles one request: a new value is made for each, as in Python.
///
/// `setup`, `handle` and `finish` are called in this order. **`finish` runs whenever `setup` went well**, also if `handle`
/// returned an error or panicked: that is what Python does, whatever its documentation leaves open, and what cleaning up
/// needs. If `setup` fails, neither of the others is called. The first error of the three goes to
/// [`handle_error`](crate::Hooks::handle_error), and the server lives on.
///
/// The type parameter is the kind of request: [`Stream`] for TCP and Unix streams, [`Datagram`](crate::Datagram) for the
/// others. [`StreamRequestHandler`](crate::StreamRequestHandler) and
/// [`DatagramRequestHandler`](crate::DatagramRequestHandler) are the comfortable ones.
///
/// # Examples
///
/// ```
/// use sinew_socketserver::{BaseRequestHandler, Context, HandlerResult};
///
/// struct Shout;
///
/// impl BaseRequestHandler for Shout {
///     fn handle(&mut self, cx: &mut Context) -> HandlerResult {
///         let data = cx.request.recv(1024)?;
///         cx.request.sendall(&data.to_ascii_uppercase())?;
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle requests of the kind `{K}`",
    label = "not a `BaseRequestHandler<{K}>`",
    note = "implement `StreamRequestHandler` for connections or `DatagramRequestHandler` for datagrams; `handle` is the only method that it must have",
    note = "the server is given a closure that makes one for each request: `|| Handler`"
)]
pub trait BaseRequestHandler<K: Kind = Stream>: 'static {
    /// Before `handle`.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn setup(&mut self, cx: &mut Context<K>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// The work. It may block: it has its own thread or process, unless the server handles in place.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn handle(&mut self, cx: &mut Context<K>) -> HandlerResult;

    /// After `handle`, however that ended.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong.
    fn finish(&mut self, cx: &mut Context<K>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// What makes a handler for each request and has it handle that.
pub(crate) type Handle =
    Box<dyn Fn(&BaseServer, &Request, &Address) -> Result<(), RequestError> + Send + Sync>;

/// Erases the type of the handler: the rest of the crate need not know it.
pub(crate) fn erase<K: Kind, H: BaseRequestHandler<K>>(
    make: impl Fn() -> H + Send + Sync + 'static,
) -> Handle {
    Box::new(move |server, request, client_address| {
        let mut cx = Context {
            request: K::take(request).ok_or(RequestError::WrongKind)?,
            client_address: client_address.clone(),
            server: server.clone(),
        };
        let mut handler = make();
        phases(&mut handler, &mut cx, H::setup, H::handle, H::finish)
    })
}

/// The three calls in their order.
pub(crate) fn phases<H, C>(
    handler: &mut H,
    cx: &mut C,
    setup: fn(&mut H, &mut C) -> HandlerResult,
    handle: fn(&mut H, &mut C) -> HandlerResult,
    finish: fn(&mut H, &mut C) -> HandlerResult,
) -> Result<(), RequestError> {
    setup(handler, cx)?;
    let handled = guard(|| Ok(handle(handler, cx)?));
    let finished = guard(|| Ok(finish(handler, cx)?));
    handled.and(finished)
}

/// Turns a panic into an error, so that one request costs one request.
pub(crate) fn guard<T>(f: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "of something that is not text".to_owned(),
        };
        Err(RequestError::Panicked(message))
    })
}
