//! The overridable methods of a server: [`Hooks`], whose defaults are the functions of [`base`](crate::base).

use std::io;

use crate::{Address, BaseServer, Request, RequestError, base};

/// The methods that are overridden in subclasses of Python's servers. Implement this for a type of your own, pass it to
/// [`ServerConfig::hooks`](crate::ServerConfig::hooks), and override what you need. `super().name(…)` becomes
/// [`base::name(server, …)`](crate::base).
///
/// Hooks are shared between threads: those up to `process_request` and `service_actions` are called by the serving thread,
/// the others where the request is handled, with [`Forking`](crate::Forking) in a child. A panic in a hook fails
/// the request that it was called for, and nothing else.
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
    /// Any error fails the creation of the server.
    fn server_bind(&self, server: &BaseServer) -> io::Result<()> {
        base::server_bind(server)
    }

    /// Starts listening, for stream servers.
    ///
    /// # Errors
    ///
    /// Any error fails the creation of the server.
    fn server_activate(&self, server: &BaseServer) -> io::Result<()> {
        base::server_activate(server)
    }

    /// Returns the next connection or datagram. It must not block.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none. After an error that concerns one lost connection (accept(2), "Error handling"),
    /// or a reply that did not arrive, the next request is tried; after any other the server backs off for a moment,
    /// since most (no descriptors left) would recur at once.
    fn get_request(&self, server: &BaseServer) -> io::Result<(Request, Address)> {
        base::get_request(server)
    }

    /// Whether to handle this request. If not, it is shut down. Default `true`.
    fn verify_request(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> bool {
        let _ = (server, request, client_address);
        true
    }

    /// Has the request handled: in place, in a thread, or in a child.
    ///
    /// # Errors
    ///
    /// If handling could not be started; then `handle_error` and `shutdown_request` are called.
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
    /// The handler's error; then `handle_error` and `shutdown_request` are called.
    fn finish_request(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> Result<(), RequestError> {
        base::finish_request(server, request, client_address)
    }

    /// Called with the error of a request. The default logs it.
    fn handle_error(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
        error: &RequestError,
    ) {
        base::handle_error(server, request, client_address, error);
    }

    /// Called when no request arrived within the [`timeout`](crate::ServerConfig::timeout) of
    /// [`handle_request`](BaseServer::handle_request).
    fn handle_timeout(&self, server: &BaseServer) {
        let _ = server;
    }

    /// Called after each pass over the pending requests and, if there is a
    /// [`poll_interval`](crate::ServerConfig::poll_interval), at that interval.
    fn service_actions(&self, server: &BaseServer) {
        let _ = server;
    }

    /// Ends a request that has been handled: for a connection `SHUT_WR`, then `close_request`.
    fn shutdown_request(&self, server: &BaseServer, request: Request) {
        base::shutdown_request(server, request);
    }

    /// Drops a request. A connection is closed when the last clone of its [`Socket`](crate::Socket) is dropped.
    fn close_request(&self, server: &BaseServer, request: Request) {
        base::close_request(server, request);
    }

    /// Closes the socket of the server.
    fn server_close(&self, server: &BaseServer) {
        base::server_close(server);
    }
}

impl Hooks for () {}
