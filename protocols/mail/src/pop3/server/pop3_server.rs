//! The factory of server connections: [`Pop3Server`], a [`Factory`] for endpoints of any kind.

use std::{fmt, rc::Rc};

use sinew_protocols::basic::{Framed, Line};
use sinew_transports::{Factory, Peer};

use super::{Pop3Handler, Pop3Handling, ServerConfig, locks::Locks};

/// A connection of a server, as a [`Protocol`](sinew_transports::Protocol).
pub type Pop3Connection = Framed<Line, Pop3Handling>;

/// Most commands of a connection that are handled in one turn of the event loop. The others have theirs before its next ones.
const COMMANDS_PER_TURN: u8 = 32;

/// A server of POP3, as a [`Factory`] for any port: TCP, TLS, a Unix socket, memory, behind the PROXY protocol, in a network simulation.
/// Clones share everything, and may serve several ports of one reactor.
///
/// A user has one session at a time, unless the [configuration](ServerConfig::exclusive) says otherwise. That holds for one server and its
/// clones: where several reactors or processes serve the same mail, [`open`](Pop3Handler::open) must lock it.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use bytes::Bytes;
/// use sinew_auth::{Identity, Users};
/// use sinew_mail::pop3::{codec::UniqueId, server::{Maildrop, MaildropError, Pop3Server, ServerConfig}};
/// use sinew_transports::{ReactorTcp, Transport, reactor::{Deferred, Reactor}};
///
/// /// A maildrop with one message, which cannot be deleted.
/// struct Welcome;
///
/// const TEXT: &[u8] = b"Subject: welcome\r\n\r\nYou have mail.\r\n";
///
/// impl Maildrop for Welcome {
///     fn message_count(&self) -> usize {
///         1
///     }
///
///     fn size(&self, _: usize) -> u64 {
///         TEXT.len() as u64
///     }
///
///     fn unique_id(&self, _: usize) -> UniqueId {
///         "welcome".parse().expect("it is one")
///     }
///
///     fn read(&self, reactor: &Reactor, _: usize, offset: u64, len: usize) -> Deferred<Bytes, MaildropError> {
///         let rest = TEXT.get(offset as usize..).unwrap_or_default();
///         Deferred::ready_on(reactor, Bytes::from_static(&rest[..rest.len().min(len)]))
///     }
///
///     fn finish(&self, reactor: &Reactor, _: &[usize]) -> Deferred<(), MaildropError> {
///         Deferred::ready_on(reactor, ())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let open = |reactor: &Reactor, _: &Transport, _: &Identity| -> Deferred<Rc<dyn Maildrop>, MaildropError> {
///     Deferred::ready_on(reactor, Rc::new(Welcome))
/// };
/// let config = ServerConfig::new("mail.example.org", Users::new().user("ann", "secret"))?;
/// let port = reactor.listen_tcp("127.0.0.1:0", Pop3Server::new(config, open))?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pop3Server {
    config: Rc<ServerConfig>,
    handler: Rc<dyn Pop3Handler>,
    locks: Locks,
}

impl Pop3Server {
    /// A server of the maildrops that the handler opens.
    #[must_use]
    pub fn new(config: ServerConfig, handler: impl Pop3Handler) -> Self {
        Self { config: Rc::new(config), handler: Rc::new(handler), locks: Locks::default() }
    }

    /// Ends all sessions of a user, and returns how many there were: for a user who may not log in any more, or has another password. Nothing
    /// is deleted, for that is up to QUIT (RFC 1939 6), and the maildrop is free again. Each is told `-ERR [AUTH]` (RFC 3206) in the next turn
    /// of the loop; in the middle of a list or a message the connection is aborted. After QUIT the deletion goes on. Logins of the user
    /// that have begun before are refused with `-ERR [SYS/TEMP]`.
    ///
    /// Call it once the authenticator knows of the change. The sessions of all servers with the same [`Sessions`](ServerConfig::sessions) end.
    pub fn end_sessions(&self, user: &str) -> usize {
        self.config.sessions.end(user)
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self) -> Pop3Connection {
        let lines = Line::strict_crlf().len_max(self.config.line_limit());
        let (config, handler) = (Rc::clone(&self.config), Rc::clone(&self.handler));
        Framed::with_decoder(lines, Pop3Handling::new(config, handler, self.locks.clone()))
            .frames_per_turn(COMMANDS_PER_TURN)
    }
}

impl Factory for Pop3Server {
    type Protocol = Pop3Connection;

    fn build_protocol(&mut self, _: &Peer) -> Option<Pop3Connection> {
        Some(self.connection())
    }
}

impl fmt::Debug for Pop3Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pop3Server").field("config", &self.config).finish_non_exhaustive()
    }
}
