//! A server, and clients in memory that send lines and collect what they receive.

use std::{net::SocketAddr, time::Duration};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_chat::irc::server::{IrcServer, IrcServerConnection, ServerConfig};
use sinew_transports::{
    Connection, Peer, StreamConfig,
    memory::{self, Wire},
    reactor::Reactor,
};

pub(crate) struct Network {
    pub(crate) reactor: Reactor,
    pub(crate) server: IrcServer,
}

pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) wire: Wire,
    _connection: Connection<IrcServerConnection>,
}

/// A server whose clients may send as fast as they like.
pub(crate) fn config() -> ServerConfig {
    let config = ServerConfig::new("irc.test").unwrap().network("Test").unwrap();
    config.flood(10_000, Duration::from_millis(1))
}

/// Ann with the password `secret`, also over connections that are not encrypted.
pub(crate) fn users() -> Authenticator {
    let users = Users::new().user("ann", "secret").user("bob", "secret");
    Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true))
}

impl Network {
    pub(crate) fn new(config: ServerConfig) -> Self {
        let reactor = Reactor::simulated(0);
        let server = IrcServer::new(&reactor, config);
        Self { reactor, server }
    }

    /// A connection that has said nothing.
    pub(crate) fn connect(&self) -> Client {
        self.connect_as(Peer::Memory)
    }

    pub(crate) fn connect_from(&self, ip: &str) -> Client {
        self.connect_as(Peer::Inet(SocketAddr::new(ip.parse().unwrap(), 1)))
    }

    fn connect_as(&self, peer: Peer) -> Client {
        self.connect_with(StreamConfig::default(), peer)
    }

    fn connect_with(&self, stream: StreamConfig, peer: Peer) -> Client {
        let connection = self.server.connection();
        let made = memory::connect_as(&self.reactor, stream, connection, peer, None);
        let (connection, wire) = made.expect("there is room");
        let client = Client { reactor: self.reactor.clone(), wire, _connection: connection };
        client.advance(0);
        client
    }

    /// A client that was welcomed.
    pub(crate) fn client(&self, nick: &str) -> Client {
        self.welcomed(nick, self.connect())
    }

    /// A client for which little is queued: long lists are made a few lines at a time.
    pub(crate) fn narrow_client(&self, nick: &str) -> Client {
        let stream = StreamConfig::default().watermarks(1_000, 500);
        self.welcomed(nick, self.connect_with(stream, Peer::Memory))
    }

    fn welcomed(&self, nick: &str, client: Client) -> Client {
        let welcome = client.say(&format!("NICK {nick}\nUSER {nick} 0 * :Name of {nick}"));
        assert!(welcome.contains(" 001 "), "{welcome}");
        client
    }

    /// A client with these capabilities.
    pub(crate) fn with(&self, nick: &str, capabilities: &str) -> Client {
        let client = self.connect();
        let welcome = client.say(&format!(
            "CAP REQ :{capabilities}\nNICK {nick}\nUSER {nick} 0 * :Name of {nick}\nCAP END"
        ));
        assert!(welcome.contains(" 001 "), "{welcome}");
        client
    }

    /// Clients in `#a`, of which the first is its operator.
    pub(crate) fn in_channel<const N: usize>(&self, nicks: [&str; N]) -> [Client; N] {
        let clients = nicks.map(|nick| {
            let client = self.client(nick);
            client.say("JOIN #a");
            client
        });
        clients.iter().for_each(|client| drop(client.received()));
        clients
    }
}

impl Client {
    /// Sends lines, and returns what is received then.
    pub(crate) fn say(&self, lines: &str) -> String {
        self.send(format!("{lines}\n").as_bytes());
        self.received()
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        self.wire.receive_if_open(bytes);
        self.advance(0);
    }

    /// What was received since the last call, with LF.
    pub(crate) fn received(&self) -> String {
        self.advance(0);
        String::from_utf8_lossy(&self.wire.sent()).replace("\r\n", "\n")
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.wire.is_closing()
    }

    /// The numbers and commands of what is received.
    pub(crate) fn codes(&self, lines: &str) -> Vec<String> {
        codes(&self.say(lines))
    }
}

pub(crate) fn codes(received: &str) -> Vec<String> {
    let command = |line: &str| {
        let mut words = line.split(' ').skip_while(|word| word.starts_with('@'));
        let first = words.next().unwrap_or_default();
        let command = if first.starts_with(':') { words.next().unwrap_or_default() } else { first };
        command.to_owned()
    };
    received.lines().map(command).collect()
}
