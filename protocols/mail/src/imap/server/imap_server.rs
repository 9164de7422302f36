//! The factory of server connections: [`ImapServer`], a [`Factory`] for endpoints of any kind.

use std::rc::Rc;

use sinew_transports::{Factory, Peer};

use super::{ImapConnection, ServerConfig};

/// A server of IMAP, as a [`Factory`] for any port: TCP, TLS, a Unix socket, memory, behind the PROXY protocol, in a network
/// simulation. Clones share everything, and may serve several ports of one reactor.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use sinew_auth::{Authenticator, Users};
/// use sinew_mail::{imap::server::{ImapServer, ServerConfig}, store::MemoryStore};
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::default();
/// store.create_account("ann")?;
/// let users = Authenticator::new(Users::new().user("ann", "secret"));
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", ImapServer::new(ServerConfig::new(users, Rc::new(store))))?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ImapServer {
    config: Rc<ServerConfig>,
}

impl ImapServer {
    /// A server.
    #[must_use]
    pub fn new(config: ServerConfig) -> Self {
        Self { config: Rc::new(config) }
    }

    /// Ends all sessions of a user, and returns how many there were: for a user who may not log in any more, or has another password. Each
    /// is told `BYE [EXPIRED]` (RFC 5530) in the next turn of the loop, also in IDLE and in the middle of an APPEND, whose message is dropped; in
    /// the middle of an answer that cannot be ended, such as the text of a message, the connection is aborted. No further command is
    /// carried out. Logins of the user that have begun before are refused with `NO [UNAVAILABLE]`.
    ///
    /// Call it once the authenticator knows of the change. The sessions of all servers with the same [`Sessions`](ServerConfig::sessions) end.
    pub fn end_sessions(&self, user: &str) -> usize {
        self.config.sessions.end(user)
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> ImapConnection {
        ImapConnection::new(Rc::clone(&self.config))
    }
}

impl Factory for ImapServer {
    type Protocol = ImapConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<ImapConnection> {
        Some(self.connection())
    }
}
