//! The factory: [`NewsServer`].

use std::{fmt, rc::Rc};

use sinew_transports::{AsyncStream, Factory, Peer, Protocol, Transport};

use super::{NewsHandler, ServerConfig, connection::Connection, shared::Shared};
use crate::store::NewsStore;

/// A server of news: a factory for any endpoint. Clones are the same server.
///
/// # Examples
///
/// ```
/// use sinew_news::{
///     nntp::server::{Access, NewsServer, ServerConfig, Session},
///     store::MemoryStore,
/// };
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let config = ServerConfig::new("news.example.org")?;
/// let server = NewsServer::new(config, MemoryStore::new(), |session: &Session| {
///     match session.identity() {
///         Some(_) => Access::read_and_post(),
///         None => Access::read(),
///     }
/// });
/// let port = reactor.listen_tcp("127.0.0.1:0", server)?;
/// # drop(port);
/// # Ok(())
/// # }
/// ```
pub struct NewsServer<S>(Rc<Shared<S>>);

impl<S: NewsStore> NewsServer<S> {
    /// A server on a store.
    #[must_use]
    pub fn new(config: ServerConfig, store: S, handler: impl NewsHandler) -> Self {
        Self(Rc::new(Shared::new(config, store, Box::new(handler))))
    }

    /// Ends all sessions in which a user has logged in, and returns how many there were: for a user who may not log in any more, or has
    /// another password. Each is told 400 (RFC 3977 3.2.1) in the next turn of the loop. An article that has not arrived as a whole is dropped;
    /// one that has is decided upon, and its response is said before. In the middle of a response of several lines the connection is
    /// aborted. No further command is carried out. Logins of the user that have begun before are refused with 403.
    ///
    /// Call it once the authenticator knows of the change. The sessions of all servers with the same [`Sessions`](ServerConfig::sessions) end.
    pub fn end_sessions(&self, user: &str) -> usize {
        self.0.config.sessions.end(user)
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> NewsConnection<S> {
        NewsConnection(Rc::clone(&self.0))
    }
}

/// The protocol of a connection: a task takes it over as soon as it is made.
pub struct NewsConnection<S>(Rc<Shared<S>>);

impl<S: NewsStore> Protocol for NewsConnection<S> {
    fn connection_made(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        // It fails only if the connection is over.
        let Ok(stream) = AsyncStream::take_over(transport) else { return };
        let shared = Rc::clone(&self.0);
        let of_task = reactor.clone();
        reactor.spawn(async move { Connection::new(of_task, stream, shared).run().await }).detach();
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

impl<S: NewsStore> Factory for NewsServer<S> {
    type Protocol = NewsConnection<S>;

    fn build_protocol(&mut self, _: &Peer) -> Option<NewsConnection<S>> {
        Some(self.connection())
    }
}

impl<S> Clone for NewsServer<S> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<S> fmt::Debug for NewsServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsServer").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for NewsConnection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewsConnection").finish_non_exhaustive()
    }
}
