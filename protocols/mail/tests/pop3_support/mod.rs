//! Maildrops in memory that note what they are asked, and a client in memory that sends bytes and collects responses.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_auth::{Authenticator, AuthenticatorConfig, FailureLimiter, Identity, Users};
use sinew_mail::pop3::{
    codec::UniqueId,
    server::{Maildrop, MaildropError, Pop3Connection, Pop3Server, ServerConfig},
};
use sinew_transports::{
    Connection, Protocol, StreamConfig, Transport, memory,
    memory::Wire,
    reactor::{Deferred, Promise, Reactor},
};

/// The mail of all users.
#[derive(Default)]
pub(crate) struct Mail {
    /// By user.
    pub(crate) boxes: BTreeMap<String, Vec<(String, Bytes)>>,
    /// What was read: message, offset, length of what was given.
    pub(crate) reads: Vec<(usize, u64, usize)>,
    /// Whether several messages are read by one request; and which were.
    pub(crate) reads_many: bool,
    pub(crate) read_together: Vec<Vec<usize>>,
    /// A message that such a request leaves out.
    pub(crate) left_out: Option<usize>,
    /// Such requests fail.
    pub(crate) many_fail: bool,
    /// How often a session has ended by QUIT.
    pub(crate) finished: usize,
    /// Steps that are answered later, by their names.
    pub(crate) later: Vec<&'static str>,
    pub(crate) open: Vec<Promise<(), MaildropError>>,
    /// Reads that were begun and not cancelled, or answered.
    pub(crate) fails: Option<fn() -> MaildropError>,
    /// Reads from this offset on fail.
    pub(crate) fails_from: u64,
}

pub(crate) type Shared = Rc<RefCell<Mail>>;

/// Mail of `ann`, with these messages, whose unique ids are `id1` and so on.
pub(crate) fn mail(messages: &[&str]) -> Shared {
    let messages = messages.iter().enumerate();
    let messages = messages
        .map(|(at, text)| (format!("id{}", at + 1), Bytes::copy_from_slice(text.as_bytes())));
    let boxes = BTreeMap::from([("ann".to_owned(), messages.collect())]);
    Rc::new(RefCell::new(Mail { boxes, ..Mail::default() }))
}

/// The unique ids that a user has.
pub(crate) fn ids(mail: &Shared) -> Vec<String> {
    mail.borrow().boxes["ann"].iter().map(|(id, _)| id.clone()).collect()
}

struct MemoryDrop {
    mail: Shared,
    user: String,
    messages: Vec<(String, Bytes)>,
}

/// Answers at once, or later if the test says so.
fn answer<T: 'static>(
    mail: &Shared,
    reactor: &Reactor,
    step: &'static str,
    value: T,
) -> Deferred<T, MaildropError> {
    let mut mail = mail.borrow_mut();
    if !mail.later.contains(&step) {
        return Deferred::ready_on(reactor, value);
    }
    let (promise, deferred) = reactor.promise::<(), MaildropError>();
    mail.open.push(promise);
    deferred.map(|result| result.map(|()| value))
}

impl Maildrop for MemoryDrop {
    fn message_count(&self) -> usize {
        self.messages.len()
    }

    fn size(&self, message: usize) -> u64 {
        self.messages[message].1.len() as u64
    }

    fn unique_id(&self, message: usize) -> UniqueId {
        self.messages[message].0.parse().expect("a unique id")
    }

    fn read(
        &self,
        reactor: &Reactor,
        message: usize,
        offset: u64,
        len: usize,
    ) -> Deferred<Bytes, MaildropError> {
        let text = &self.messages[message].1;
        let from = usize::try_from(offset).unwrap().min(text.len());
        let piece = text.slice(from..text.len().min(from + len));
        let mut mail = self.mail.borrow_mut();
        mail.reads.push((message, offset, piece.len()));
        if let Some(fails) = mail.fails.filter(|_| offset >= mail.fails_from) {
            return Deferred::failed_on(reactor, fails());
        }
        drop(mail);
        answer(&self.mail, reactor, "read", piece)
    }

    fn read_many(
        &self,
        reactor: &Reactor,
        messages: &[usize],
        len: usize,
    ) -> Option<Deferred<Vec<(usize, Bytes)>, MaildropError>> {
        let mut mail = self.mail.borrow_mut();
        if !mail.reads_many {
            return None;
        }
        mail.read_together.push(messages.to_vec());
        if mail.many_fail {
            let failure = MaildropError::Temporary("disk".into());
            return Some(Deferred::failed_on(reactor, failure));
        }
        let asked = messages.iter().filter(|index| mail.left_out != Some(**index));
        // Each has its own memory, as if it was read.
        let text = |index: usize| self.messages[index].1.to_vec();
        let read = asked.map(|index| {
            let mut text = text(*index);
            text.truncate(len);
            (*index, Bytes::from(text))
        });
        let read: Vec<_> = read.collect();
        drop(mail);
        Some(answer(&self.mail, reactor, "read_many", read))
    }

    fn finish(&self, reactor: &Reactor, deleted: &[usize]) -> Deferred<(), MaildropError> {
        let mut mail = self.mail.borrow_mut();
        mail.finished += 1;
        let gone: Vec<_> = deleted.iter().map(|index| self.messages[*index].0.clone()).collect();
        let kept = mail.boxes.get_mut(&self.user).unwrap();
        kept.retain(|(id, _)| !gone.contains(id));
        drop(mail);
        answer(&self.mail, reactor, "finish", ())
    }
}

/// One user `ann` with the password `secret`, over connections that are not encrypted, whose failures are answered at once.
pub(crate) fn users() -> Authenticator {
    let config =
        AuthenticatorConfig::default().allow_plaintext(true).limiter(FailureLimiter::off());
    Authenticator::with(Users::new().user("ann", "secret").user("bob", "hunter2"), config)
}

pub(crate) fn config() -> ServerConfig {
    ServerConfig::new("mail.example", users()).expect("a name")
}

pub(crate) fn server(config: ServerConfig, mail: &Shared) -> Pop3Server {
    let mail = Rc::clone(mail);
    let open = move |reactor: &Reactor,
                     _: &Transport,
                     identity: &Identity|
          -> Deferred<Rc<dyn Maildrop>, MaildropError> {
        let user = identity.name().to_owned();
        let Some(messages) = mail.borrow().boxes.get(&user).cloned() else {
            return Deferred::failed_on(reactor, MaildropError::Permanent("no maildrop".into()));
        };
        let maildrop: Rc<dyn Maildrop> =
            Rc::new(MemoryDrop { mail: Rc::clone(&mail), user, messages });
        answer(&mail, reactor, "open", maildrop)
    };
    Pop3Server::new(config, open)
}

pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) mail: Shared,
    pub(crate) wire: Wire,
    connection: Connection<Pop3Connection>,
}

pub(crate) const LOGIN: &str = "USER ann\r\nPASS secret\r\n";

impl Client {
    /// One that has received the greeting.
    pub(crate) fn new(config: ServerConfig, mail: &Shared) -> Self {
        Self::on(&Reactor::simulated(0), &server(config, mail), mail)
    }

    /// One of several with the same server.
    pub(crate) fn on(reactor: &Reactor, server: &Pop3Server, mail: &Shared) -> Self {
        crate::watchdog::watch_this_test();
        let made = memory::connect(reactor, StreamConfig::default(), server.connection());
        let (connection, wire) = made.expect("room for one");
        let client = Self { reactor: reactor.clone(), mail: Rc::clone(mail), wire, connection };
        assert!(client.received().starts_with("+OK mail.example POP3"));
        client
    }

    /// One of `ann`, with these messages, that has logged in.
    pub(crate) fn logged_in(messages: &[&str]) -> Self {
        Self::logged_in_to(config(), &mail(messages))
    }

    pub(crate) fn logged_in_to(config: ServerConfig, mail: &Shared) -> Self {
        let client = Self::new(config, mail);
        let login = client.say(LOGIN);
        assert!(login.starts_with("+OK Say PASS\r\n+OK "), "{login}");
        client
    }

    /// Sends, and returns what is received.
    pub(crate) fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        self.wire.receive_if_open(bytes.as_ref());
        self.received()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop becomes idle");
    }

    /// What was received since the last call.
    pub(crate) fn received(&self) -> String {
        let mut all = Vec::new();
        loop {
            self.advance(Duration::ZERO);
            let some = self.wire.take(usize::MAX);
            if some.is_empty() {
                return String::from_utf8(all).expect("responses are text");
            }
            all.extend_from_slice(&some);
        }
    }

    /// Answers what was put off first.
    pub(crate) fn settle(&self, result: Result<(), MaildropError>) {
        let promise = self.mail.borrow_mut().open.remove(0);
        promise.settle(result);
        self.advance(Duration::ZERO);
    }

    /// What comes before the timers of this turn.
    pub(crate) fn say_early(&self, bytes: &[u8]) -> String {
        self.connection.with(|protocol, transport| protocol.data_received(transport, bytes));
        self.received()
    }

    /// The server is asked to finish.
    pub(crate) fn drain(&self) {
        self.connection.with(|protocol, transport| protocol.drain_requested(transport));
        self.advance(Duration::ZERO);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.wire.is_closing()
    }
}
