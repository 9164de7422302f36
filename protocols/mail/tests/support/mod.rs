//! A handler that notes what it is given, and a client in memory that sends bytes and collects replies.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::smtp::{
    codec::{Recipient, Reply, Sender},
    server::{
        MessageSink, Outcome, ServerConfig, Session, SmtpConnection, SmtpHandler, SmtpServer,
        Verdict,
    },
};
use sinew_transports::{
    Connection, Peer, Protocol, StreamConfig, memory,
    memory::Wire,
    reactor::{Deferred, Promise, Reactor},
};

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
}

/// What all handlers of a server share.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) mails: Vec<Mail>,
    /// Messages that were dropped before their end.
    pub(crate) dropped: usize,
    /// The number of connections.
    pub(crate) connections: usize,
    /// The number of calls of `write`.
    pub(crate) writes: usize,
    /// Steps to decide later, by their names; and what was asked.
    pub(crate) later: Vec<&'static str>,
    pub(crate) open: Vec<Promise<(), Reply>>,
    pub(crate) open_finish: Vec<Promise<Outcome, Reply>>,
    /// What the end of a message is to reply; 250 without.
    pub(crate) outcome: Option<Outcome>,
    /// What `write` replies with.
    pub(crate) write_fails: Option<Reply>,
}

pub(crate) type Shared = Rc<RefCell<Notes>>;

/// Accepts recipients that do not begin with `no`; 4yz for those that begin with `later`.
pub(crate) struct Handler(pub(crate) Shared);

impl Handler {
    fn decide(&self, session: &Session, step: &'static str) -> Verdict {
        let mut notes = self.0.borrow_mut();
        if !notes.later.contains(&step) {
            return Verdict::accept();
        }
        let reactor = session.transport().reactor().expect("it runs");
        let (promise, deferred) = reactor.promise();
        notes.open.push(promise);
        Verdict::later(deferred)
    }
}

impl SmtpHandler for Handler {
    fn connected(&mut self, session: &Session) -> Verdict {
        self.0.borrow_mut().connections += 1;
        self.decide(session, "connected")
    }

    fn helo(&mut self, session: &Session, name: &str) -> Verdict {
        if name == "spam.example" {
            return Verdict::refuse(Reply::refused());
        }
        self.decide(session, "helo")
    }

    fn mail(&mut self, session: &Session, from: &Sender) -> Verdict {
        if from.address().is_some_and(|from| from.domain() == "spam.example") {
            return Verdict::refuse(Reply::refused());
        }
        self.decide(session, "mail")
    }

    fn rcpt(&mut self, session: &Session, to: &Recipient) -> Verdict {
        match to.address().local() {
            to if to.starts_with("no") => Verdict::refuse(Reply::no_such_mailbox()),
            to if to.starts_with("later") => Verdict::refuse(Reply::try_later()),
            to if to.starts_with("wrong") => Verdict::refuse(Reply::ok()),
            to if to.starts_with("away") => {
                Verdict::refuse(Reply::new(421, "4.3.2 away").expect("it is a reply"))
            }
            _ => self.decide(session, "rcpt"),
        }
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let from = session.sender().and_then(Sender::address).map(ToString::to_string);
        let to = session.recipients().iter().map(|to| to.address().to_string()).collect();
        let mail = Mail { from: from.unwrap_or_default(), to, text: String::new() };
        let reactor = session.transport().reactor().expect("it runs");
        let sink = Sink { notes: Rc::clone(&self.0), mail: Some(mail), reactor };
        let sink: Box<dyn MessageSink> = Box::new(sink);
        if self.0.borrow().later.contains(&"data") {
            let reactor = session.transport().reactor().expect("it runs");
            let (promise, deferred) = reactor.promise();
            self.0.borrow_mut().open.push(promise);
            let sink: Deferred<_, Reply> =
                deferred.map(|done: Result<(), Reply>| done.map(|()| sink));
            return Verdict::later(sink);
        }
        Verdict::now(sink)
    }
}

struct Sink {
    notes: Shared,
    mail: Option<Mail>,
    reactor: Reactor,
}

impl MessageSink for Sink {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        let mut notes = self.notes.borrow_mut();
        notes.writes += 1;
        let text = String::from_utf8_lossy(piece);
        self.mail.as_mut().expect("it has not ended").text.push_str(&text);
        if let Some(reply) = notes.write_fails.clone() {
            return Verdict::refuse(reply);
        }
        if notes.later.contains(&"write") {
            let (promise, deferred) = self.reactor.promise();
            notes.open.push(promise);
            return Verdict::later(deferred);
        }
        Verdict::accept()
    }

    fn finish(mut self: Box<Self>) -> Verdict<Outcome> {
        let mut notes = self.notes.borrow_mut();
        notes.mails.extend(self.mail.take());
        if notes.later.contains(&"finish") {
            let (promise, deferred) = self.reactor.promise();
            notes.open_finish.push(promise);
            return Verdict::later(deferred);
        }
        Verdict::now(notes.outcome.clone().unwrap_or(Outcome::All(Reply::ok())))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.mail.is_some() {
            self.notes.borrow_mut().dropped += 1;
        }
    }
}

/// Limits for tests: no `Received` line, so that texts can be compared.
pub(crate) fn config() -> ServerConfig {
    ServerConfig::new("mail.example").expect("a name").received_line(false)
}

pub(crate) fn server(config: ServerConfig, notes: &Shared) -> SmtpServer<Handler> {
    let notes = Rc::clone(notes);
    SmtpServer::new(config, move |_: &Peer| Handler(Rc::clone(&notes)))
}

pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) notes: Shared,
    pub(crate) wire: Wire,
    connection: Connection<SmtpConnection<Handler>>,
}

impl Client {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self::with_notes(config, Notes::default())
    }

    pub(crate) fn with_notes(config: ServerConfig, notes: Notes) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        let notes = Rc::new(RefCell::new(notes));
        let connection = server(config, &notes).connection(&Peer::Memory);
        let made = memory::connect(&reactor, StreamConfig::default(), connection);
        let (connection, wire) = made.expect("room for one");
        let client = Self { reactor, notes, wire, connection };
        client.advance(Duration::ZERO);
        client
    }

    /// One that has greeted, and begun a message to bob.
    pub(crate) fn with_message(config: ServerConfig) -> Self {
        let client = Self::new(config);
        client.say("EHLO a\r\nMAIL FROM:<ann@example.net>\r\nRCPT TO:<bob@example.org>\r\n");
        client.received();
        client
    }

    /// Sends, and returns the replies.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        self.wire.receive_if_open(bytes.as_ref());
        self.received()
    }

    /// The codes of the replies to what is sent.
    pub(crate) fn codes(&self, bytes: impl AsRef<[u8]>) -> Vec<u16> {
        codes(&self.say(bytes))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop becomes idle");
    }

    /// What was received since the last call.
    pub(crate) fn received(&self) -> String {
        self.advance(Duration::ZERO);
        String::from_utf8(self.wire.take(usize::MAX)).expect("replies are text")
    }

    /// Decides the step that was put off first.
    pub(crate) fn settle(&self, result: Result<(), Reply>) {
        self.notes.borrow_mut().open.remove(0).settle(result);
        self.advance(Duration::ZERO);
    }

    /// The server is asked to finish.
    pub(crate) fn drain(&self) {
        self.connection.with(|protocol, transport| protocol.drain_requested(transport));
        self.advance(Duration::ZERO);
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.notes.borrow().mails.clone()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.wire.is_closing()
    }
}

/// The codes of the last lines of replies.
pub(crate) fn codes(replies: &str) -> Vec<u16> {
    let lines = replies.lines().filter(|line| line.as_bytes().get(3) != Some(&b'-'));
    lines.map(|line| line[..3].parse().expect("a code")).collect()
}
