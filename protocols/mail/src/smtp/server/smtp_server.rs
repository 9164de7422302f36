//! The factory of server connections: [`SmtpServer`], a [`Factory`] for endpoints of any kind.

use std::{fmt, rc::Rc};

use sinew_protocols::basic::Framed;
use sinew_transports::{Factory, Peer};

use super::{ServerConfig, SmtpHandler, SmtpHandling};
use crate::smtp::codec::CommandLine;

/// Most commands of a connection that are handled in one turn of the event loop. The others have theirs before its next ones.
const COMMANDS_PER_TURN: u8 = 32;

/// A connection of a server, as a [`Protocol`](sinew_transports::Protocol).
pub type SmtpConnection<H> = Framed<CommandLine, SmtpHandling<H>>;

/// A server of SMTP or LMTP, as a [`Factory`] for any port: TCP, TLS, a Unix socket, memory, behind the PROXY protocol, in a network
/// simulation. Clones share everything, and may serve several ports of one reactor.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::{codec::{Recipient, Reply}, server::{
///     MessageSink, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict, collect,
/// }};
/// use sinew_transports::{Peer, ReactorTcp, reactor::Reactor};
///
/// /// Takes all mail, and forgets it.
/// struct Discard;
///
/// impl SmtpHandler for Discard {
///     fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
///         Verdict::accept()
///     }
///
///     fn data(&mut self, _: &Session) -> Verdict<Box<dyn MessageSink>> {
///         collect(|_| Verdict::reply(Reply::ok()))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let server = SmtpServer::new(ServerConfig::new("mail.example.org")?, |_: &Peer| Discard);
/// let port = reactor.listen_tcp("127.0.0.1:0", server)?;
/// println!("{}", port.local());
/// # Ok(())
/// # }
/// ```
pub struct SmtpServer<H> {
    config: Rc<ServerConfig>,
    make: Make<H>,
}

type Make<H> = Rc<dyn Fn(&Peer) -> H>;

impl<H: SmtpHandler> SmtpServer<H> {
    /// A server with a handler for each connection, which `make` makes.
    #[must_use]
    pub fn new(config: ServerConfig, make: impl Fn(&Peer) -> H + 'static) -> Self {
        Self { config: Rc::new(config), make: Rc::new(make) }
    }

    /// Ends all sessions in which a user has logged in, and returns how many there were: for a user who may not log in any more, or has
    /// another password. Each is told 421 in the next turn of the loop. A message that has not arrived as a whole is dropped; one that has is
    /// decided upon, and its reply is said before. No further command is carried out. Logins of the user that have begun before are refused
    /// with 454.
    ///
    /// Call it once the authenticator knows of the change. The sessions of all servers with the same [`Sessions`](ServerConfig::sessions) end.
    pub fn end_sessions(&self, user: &str) -> usize {
        self.config.sessions.end(user)
    }

    /// A connection of this server with a client, for callers that establish connections themselves.
    #[must_use]
    pub fn connection(&self, peer: &Peer) -> SmtpConnection<H> {
        let handler = (self.make)(peer);
        let lines = CommandLine::new(self.config.line_limit());
        Framed::with_decoder(lines, SmtpHandling::new(handler, Rc::clone(&self.config)))
            .frames_per_turn(COMMANDS_PER_TURN)
    }
}

impl<H: SmtpHandler> Factory for SmtpServer<H> {
    type Protocol = SmtpConnection<H>;

    fn build_protocol(&mut self, peer: &Peer) -> Option<SmtpConnection<H>> {
        Some(self.connection(peer))
    }
}

impl<H> Clone for SmtpServer<H> {
    fn clone(&self) -> Self {
        Self { config: Rc::clone(&self.config), make: Rc::clone(&self.make) }
    }
}

impl<H> fmt::Debug for SmtpServer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer").field("config", &self.config).finish_non_exhaustive()
    }
}
