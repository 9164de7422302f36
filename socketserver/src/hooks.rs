//! What can be overridden: [`Hooks`], whose defaults are the functions of [`base`](crate::base).

use std::io;

use crate::{Address, BaseServer, Request, RequestError, base};

/// The methods that people override in a subclass of Python's servers. Implement this for a type of your own, give it to
/// [`ServerConfig::hooks`](crate::ServerConfig::hooks), and override what you need. What was `super().name(…)` is
/// [`base::name(server, …)`](crate::base).
///
/// Hooks are shared between threads: those up to `process_request` and `service_actions` are called by the thread that serves,
/// the others wherever the request is handled, with [`Forking`](crate::Forking) in a child. A hook that panics costs
/// the request it was called for, and nothing more.
///
/// # Examples
///
/// ```no_run
/// use sinew_socketserver::{Address, BaseServer, Hooks, Request, ServerConfig, ThreadingTcpServer};
/// # use sinew_socketserver::{HandlerResult, StreamContext, StreamRequestHandler};
/// # struct Upper;
/// # impl StreamRequestHandler for Upper {
/// #     fn handle(&mut self, _: &mut StreamContext) -> HandlerResult { Ok(()) }
/// # }
///
/// struct OnlyLocal;
///
/// impl Hooks for OnlyLocal {
///     fn verify_request(&self, _: &BaseServer, _: &Request, client_address: &Address) -> bool {
///         client_address.ip().is_some_and(|ip| ip.is_loopback())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ServerConfig::default().hooks(OnlyLocal);
/// let server = ThreadingTcpServer::bind_with("0.0.0.0:8000", || Upper, config)?;
/// server.serve_forever()?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no hooks",
    label = "not `Hooks`",
    note = "implement `Hooks` for a type that is `Send` and `Sync`; it has no method that must be written"
)]
pub trait Hooks: Send + Sync + 'static {
    /// Binds the socket to [`server_address`](BaseServer::server_address).
    ///
    /// # Errors
    ///
    /// Whatever keeps the server from being made.
    fn server_bind(&self, server: &BaseServer) -> io::Result<()> {
        base::server_bind(server)
    }

    /// Listens, if it is a server of streams.
    ///
    /// # Errors
    ///
    /// Whatever keeps the server from being made.
    fn server_activate(&self, server: &BaseServer) -> io::Result<()> {
        base::server_activate(server)
    }

    /// Gets the next connection or datagram. It must not wait.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none. After an error of one connection that is gone (accept(2), "Error handling"), or about an
    /// answer that did not arrive, the next is tried; after any other the server rests for a moment, since most (no descriptors
    /// left) would come again at once.
    fn get_request(&self, server: &BaseServer) -> io::Result<(Request, Address)> {
        base::get_request(server)
    }

    /// Whether this request is to be handled. If not, it is shut down. Default `true`.
    fn verify_request(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> bool {
        let _ = (server, request, client_address);
        true
    }

    /// Has the request handled: in place, in a thread, in a child.
    ///
    /// # Errors
    ///
    /// If it cannot be; then `handle_error` and `shutdown_request` follow.
    fn process_request(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        base::process_request(server, request, client_address)
    }

    /// Makes a handler and has it handle the request.
    ///
    /// # Errors
    ///
    /// What the handler fails with; then `handle_error` and `shutdown_request` follow.
    fn finish_request(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        base::finish_request(server, request, client_address)
    }

    /// Is told what went wrong with a request. The default logs it as an error.
    fn handle_error(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
        error: &RequestError,
    ) {
        base::handle_error(server, request, client_address, error);
    }

    /// Is told that no request came within the [`timeout`](crate::ServerConfig::timeout) of
    /// [`handle_request`](BaseServer::handle_request).
    fn handle_timeout(&self, server: &BaseServer) {
        let _ = server;
    }

    /// Is called after each pass over the requests that were there and, if there is a
    /// [`poll_interval`](crate::ServerConfig::poll_interval), at that interval.
    fn service_actions(&self, server: &BaseServer) {
        let _ = server;
    }

    /// Ends a request that has been handled: for a connection `SHUT_WR`, then `close_request`.
    fn shutdown_request(&self, server: &BaseServer, request: Request) {
        base::shutdown_request(server, request);
    }

    /// Lets a request go. A connection is closed when its last [`Socket`](crate::Socket) goes.
    fn close_request(&self, server: &BaseServer, request: Request) {
        base::close_request(server, request);
    }

    /// Closes the socket of the server.
    fn server_close(&self, server: &BaseServer) {
        base::server_close(server);
    }
}

impl Hooks for () {}
