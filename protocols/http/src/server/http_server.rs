//! The factory of server connections: [`HttpServer`], a [`Factory`] for endpoints of any kind.

use std::{fmt, rc::Rc};

use sinew_transports::{Factory, Peer};

use super::{Handler, HttpConnection, ServerConfig, shared::Shared};

/// An HTTP/1.1 server: a handler and limits, as a [`Factory`] for any port: TCP, TLS, a Unix socket, memory, behind the PROXY
/// protocol, in a network simulation. Clones share everything, and may serve several ports of one reactor.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{HttpServer, answer};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(answer(|_| "hello\n")))?;
/// println!("http://{}/", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HttpServer {
    shared: Rc<Shared>,
}

impl HttpServer {
    /// A server with the default limits.
    #[must_use]
    pub fn new(handler: impl Handler) -> Self {
        Self::with_config(handler, ServerConfig::default())
    }

    /// A server with these limits.
    #[must_use]
    pub fn with_config(handler: impl Handler, config: ServerConfig) -> Self {
        Self { shared: Rc::new(Shared::new(handler, config)) }
    }

    /// A connection of this server, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> HttpConnection {
        HttpConnection::new(Rc::clone(&self.shared))
    }
}

impl Factory for HttpServer {
    type Protocol = HttpConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<HttpConnection> {
        Some(self.connection())
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
