//! The base trait of all handlers, [`BaseRequestHandler`], and the order of its calls. No socket is used here.

use std::panic::{self, AssertUnwindSafe};

use crate::{
    Address, BaseServer, Context, HandlerResult, Request, RequestError,
    family::{Kind, Stream},
};

/// Handles one request: a new value is made for each, as in Python.
///
/// `setup`, `handle` and `finish` are called in this order. **`finish` is called whenever `setup` succeeded**, also if
/// `handle` returned an error or panicked: that is Python's behaviour, which its documentation leaves open, and what
/// cleanup needs. If `setup` fails, neither of the others is called. The first error of the three goes to
/// [`handle_error`](crate::Hooks::handle_error), and the server continues.
///
/// The type parameter is the kind of request: [`Stream`] for TCP and Unix streams, [`Datagram`](crate::Datagram) for the
/// others. [`StreamRequestHandler`](crate::StreamRequestHandler) and
/// [`DatagramRequestHandler`](crate::DatagramRequestHandler) are more convenient.
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
    /// Called before `handle`.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn setup(&mut self, cx: &mut Context<K>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }

    /// Serves the request. It may block: it has its own thread or process, unless the mode is [`InPlace`](crate::InPlace).
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn handle(&mut self, cx: &mut Context<K>) -> HandlerResult;

    /// Called after `handle`, even if that failed.
    ///
    /// # Errors
    ///
    /// Any error fails the request.
    fn finish(&mut self, cx: &mut Context<K>) -> HandlerResult {
        let _ = cx;
        Ok(())
    }
}

/// Makes a handler and has it handle a request.
pub(crate) type Handle =
    Box<dyn Fn(&BaseServer, &Request, &Address) -> Result<(), RequestError> + Send + Sync>;

/// Erases the handler's type from the rest of the crate.
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

/// Calls the three phases in their order.
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

/// Turns a panic into an error, so that it fails only one request.
pub(crate) fn guard<T>(f: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    panic::catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (None, Some(text)) => text.clone(),
            (None, None) => "a panic without a message".to_owned(),
        };
        Err(RequestError::Panicked(message))
    })
}
