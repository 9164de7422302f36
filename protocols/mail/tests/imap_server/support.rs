//! A server with mail in memory, and clients that talk with it by the lines of a dialogue.

use std::{rc::Rc, time::Duration};

use sinew_auth::{Authenticator, AuthenticatorConfig, Users};
use sinew_mail::{
    imap::server::{ImapConnection, ImapServer, ServerConfig},
    store::{Account, Flags, MailboxName, MemoryStore, NewMessage, Store},
};
use sinew_transports::{
    Connection, Protocol, StreamConfig, memory, memory::Wire, reactor::Reactor,
};

/// A server for ann, whose password is `secret`.
pub(crate) struct World {
    pub(crate) reactor: Reactor,
    pub(crate) store: MemoryStore,
    pub(crate) server: ImapServer,
}

pub(crate) struct Client {
    reactor: Reactor,
    pub(crate) wire: Wire,
    connection: Connection<ImapConnection>,
}

/// A message of some parts.
pub(crate) const MIXED: &str = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
    Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: quoted-printable\r\n\r\nSch=C3=B6ne Gr=\r\n=C3=BC=C3=9Fe\r\n--x\r\nContent-Type: image/png\r\n\
    Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--x--\r\n";

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(configure: impl FnOnce(ServerConfig) -> ServerConfig) -> Self {
        let store = MemoryStore::default();
        store.create_account("ann").unwrap();
        Self::with_store(store.clone(), store, configure)
    }

    pub(crate) fn with_store(
        memory: MemoryStore,
        store: impl Store,
        configure: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        crate::watchdog::watch_this_test();
        let config = AuthenticatorConfig::default().allow_plaintext(true);
        let users = Authenticator::with(Users::new().user("ann", "secret"), config);
        let config = configure(ServerConfig::new(users, Rc::new(store)));
        Self { reactor: Reactor::simulated(0), store: memory, server: ImapServer::new(config) }
    }

    /// With so many messages in the inbox, `Subject: 1` and so on.
    pub(crate) fn with_messages(count: usize) -> Self {
        let world = Self::new();
        for number in 1..=count {
            world.deliver("INBOX", &format!("Subject: {number}\r\n\r\ntext {number}\r\n"));
        }
        world
    }

    pub(crate) fn account(&self) -> Rc<dyn Account> {
        let account = self.store.account(&self.reactor, "ann");
        self.advance(Duration::ZERO);
        account.take().unwrap().unwrap()
    }

    pub(crate) fn deliver(&self, name: &str, text: &str) {
        self.deliver_with(name, text, Flags::new());
    }

    pub(crate) fn deliver_with(&self, name: &str, text: &str, flags: Flags) {
        let (account, name) = (self.account(), name.parse::<MailboxName>().unwrap());
        let text = text.as_bytes().to_vec();
        let task = self.reactor.spawn(async move {
            let mut append = account.deliver(&name, NewMessage::new().flags(flags)).await?;
            append.write(text.into()).await?;
            append.finish().await
        });
        self.advance(Duration::ZERO);
        task.take().expect("a store in memory is not late").unwrap().unwrap();
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop becomes idle");
    }

    /// A client that has connected.
    pub(crate) fn connect(&self) -> Client {
        let made =
            memory::connect(&self.reactor, StreamConfig::default(), self.server.connection());
        let (connection, wire) = made.expect("room for one");
        let client = Client { reactor: self.reactor.clone(), wire, connection };
        client.advance(Duration::ZERO);
        client
    }

    /// A client that has logged in.
    pub(crate) fn client(&self) -> Client {
        let client = self.connect();
        client.received();
        assert!(client.say("login LOGIN ann secret\r\n").starts_with("login OK "));
        client
    }

    /// A client that has selected the inbox.
    pub(crate) fn selected(&self) -> Client {
        let client = self.client();
        let selected = client.say("select SELECT INBOX\r\n");
        assert!(selected.ends_with("select OK [READ-WRITE] Selected\r\n"), "{selected}");
        client
    }
}

impl Client {
    /// Sends, and returns what is answered.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        self.wire.receive_if_open(bytes.as_ref());
        self.received()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop becomes idle");
    }

    /// What was received since the last call.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(&self.received_bytes()).into_owned()
    }

    pub(crate) fn received_bytes(&self) -> Vec<u8> {
        let mut received = Vec::new();
        loop {
            self.advance(Duration::ZERO);
            let piece = self.wire.take(usize::MAX);
            if piece.is_empty() {
                return received;
            }
            received.extend_from_slice(&piece);
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.wire.is_closing()
    }

    /// What comes before the timers of this turn.
    pub(crate) fn say_early(&self, bytes: &[u8]) -> String {
        self.connection.with(|protocol, transport| protocol.data_received(transport, bytes));
        self.received()
    }

    pub(crate) fn drain(&self) {
        self.connection.with(|protocol, transport| protocol.drain_requested(transport));
        self.advance(Duration::ZERO);
    }

    /// Plays a dialogue: lines behind `C: ` are sent, and must be answered with the lines behind `S: ` that follow. A line that ends in
    /// `…` must begin so.
    #[track_caller]
    pub(crate) fn dialogue(&self, dialogue: &str) {
        let mut lines =
            dialogue.lines().map(str::trim_start).filter(|line| !line.is_empty()).peekable();
        while let Some(line) = lines.next() {
            let command =
                line.strip_prefix("C: ").unwrap_or_else(|| panic!("no line of a client: {line}"));
            let answer = self.say(format!("{command}\r\n"));
            let mut answers = answer.split_terminator("\r\n");
            while let Some(expected) = lines.next_if(|line| !line.starts_with("C: ")) {
                let expected =
                    expected.strip_prefix("S: ").or(expected.strip_prefix("S:")).expect("S:");
                let found = answers
                    .next()
                    .unwrap_or_else(|| panic!("{command}\n{answer}\nwithout {expected}"));
                let fits = match expected.strip_suffix('…') {
                    Some(start) => found.starts_with(start),
                    None => found == expected,
                };
                assert!(fits, "{command}\n{answer}\nhas\n{found}\nin place of\n{expected}");
            }
            let rest: Vec<_> = answers.collect();
            assert!(rest.is_empty(), "{command}\n{answer}\nhas too much: {rest:?}");
        }
    }
}
