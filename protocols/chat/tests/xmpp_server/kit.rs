//! A server in memory, and clients by script.

use std::{cell::RefCell, time::Duration};

use data_encoding::BASE64;
use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_chat::xmpp::server::{ServerConfig, XmppServer, XmppServerConnection};
use sinew_transports::{Connection, StreamConfig, memory, memory::Wire, reactor::Reactor};

pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Users whose password is `secret`; it may be sent in plaintext, as by clients on the same machine.
pub(crate) fn users() -> Authenticator {
    let names = ["ann", "bob", "carl", "dora"];
    let users = names.iter().fold(Users::new(), |users, name| users.user(*name, "secret"));
    Authenticator::with(users, AuthenticatorConfig::default().allow_plaintext(true))
}

pub(crate) fn config() -> ServerConfig {
    let config = ServerConfig::new("example.org", users()).unwrap();
    config.requires_tls(false).has_account(|name| ["ann", "bob", "carl", "dora"].contains(&name))
}

pub(crate) struct Site {
    pub(crate) reactor: Reactor,
    pub(crate) server: XmppServer,
}

impl Site {
    pub(crate) fn new(config: ServerConfig) -> Self {
        let reactor = Reactor::simulated(0);
        let server = XmppServer::new(&reactor, config);
        Self { reactor, server }
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }

    /// A connection that has said nothing.
    pub(crate) fn connect(&self) -> Client<'_> {
        let (connection, wire) =
            memory::connect(&self.reactor, StreamConfig::default(), self.server.connection())
                .expect("there is no limit");
        Client { site: self, wire, _connection: connection, unread: RefCell::default() }
    }

    /// A client that has logged in, up to the features behind it. The store may be a folder, which is read on another thread.
    pub(crate) fn log_in(&self, user: &str) -> Client<'_> {
        let client = self.connect();
        client.say(HEADER);
        assert!(client.heard().contains("<mechanism>PLAIN</mechanism>"));
        client.say(&auth(user, "secret"));
        let mut heard = client.heard();
        for _ in 0..10_000 {
            if !heard.is_empty() {
                break;
            }
            self.advance(1);
            std::thread::yield_now();
            heard = client.heard();
        }
        assert!(heard.contains("<success"), "{heard}");
        client.say(HEADER);
        let features = client.heard();
        assert!(features.contains("urn:ietf:params:xml:ns:xmpp-bind"), "{features}");
        client
    }

    /// A client that has bound a resource.
    pub(crate) fn bind(&self, user: &str, resource: &str) -> Client<'_> {
        let client = self.log_in(user);
        client.say(&bind(resource));
        let bound = client.heard();
        assert!(bound.contains(&format!("<jid>{user}@example.org/{resource}</jid>")), "{bound}");
        client
    }

    /// A client that has said that it is there.
    pub(crate) fn online(&self, user: &str, resource: &str) -> Client<'_> {
        let client = self.bind(user, resource);
        client.say("<presence/>");
        let own = client.heard();
        assert!(own.contains(&format!("from='{user}@example.org/{resource}'")), "{own}");
        client
    }

    /// Ann and Bob see each other.
    pub(crate) fn make_friends(&self) {
        let (ann, bob) = (self.online("ann", "setup"), self.online("bob", "setup"));
        for (one, other, name) in [(&ann, &bob, "bob"), (&bob, &ann, "ann")] {
            one.say(&format!("<presence to='{name}@example.org' type='subscribe'/>"));
            let asker = if name == "bob" { "ann" } else { "bob" };
            other.say(&format!("<presence to='{asker}@example.org' type='subscribed'/>"));
        }
        ann.end();
        bob.end();
    }
}

pub(crate) fn auth(user: &str, password: &str) -> String {
    let text = BASE64.encode(format!("\0{user}\0{password}").as_bytes());
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{text}</auth>")
}

pub(crate) fn bind(resource: &str) -> String {
    format!(
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    )
}

/// The other end of a connection of the server.
pub(crate) struct Client<'a> {
    pub(crate) site: &'a Site,
    pub(crate) wire: Wire,
    _connection: Connection<XmppServerConnection>,
    unread: RefCell<Vec<u8>>,
}

impl Client<'_> {
    pub(crate) fn say(&self, text: &str) {
        self.wire.receive_if_open(text.as_bytes());
        self.site.advance(0);
    }

    /// What the server has sent since the last call.
    pub(crate) fn heard(&self) -> String {
        self.site.advance(0);
        let mut unread = self.unread.take();
        unread.extend(self.wire.sent());
        String::from_utf8(unread).expect("it is UTF-8")
    }

    /// Says something, and returns what the server says to it.
    pub(crate) fn ask(&self, text: &str) -> String {
        self.heard();
        self.say(text);
        self.heard()
    }

    /// Ends the stream.
    pub(crate) fn end(&self) {
        self.say("</stream:stream>");
        let last = self.heard();
        assert!(last.ends_with("</stream:stream>"), "{last}");
    }

    /// The connection is reset.
    pub(crate) fn cut(&self) {
        self.wire.reset();
        self.site.advance(0);
    }
}
