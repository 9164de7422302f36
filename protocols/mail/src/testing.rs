//! A mail server for tests of programs that send mail: [`TestServer`]. It keeps what it is sent, and refuses, waits or hangs up as a test wants.
//! On any endpoint: sockets of the system, memory, a host of a simulated network. It delivers nothing.

use std::{cell::RefCell, collections::VecDeque, fmt, net::SocketAddr, rc::Rc, time::Duration};

use sinew_transports::{
    Factory, ListenError, Peer, ReactorTcp, Transport,
    reactor::{Deferred, Failure, Promise, Reactor},
};

use crate::smtp::{
    codec::{Recipient, Reply, Sender},
    server::{MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict},
};

/// Messages that are kept, and their bytes.
const MAILS_MAX: usize = 1_000;
const BYTES_MAX: usize = 64 << 20;

/// A server of SMTP, or of LMTP, that accepts everything unless it is told otherwise. Cheap to clone: clones are the same server.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`mails_max`](Self::mails_max): messages that nobody has [taken](Self::next) | 1,000 | 452 |
/// | [`bytes_max`](Self::bytes_max): their bytes | 64 MiB | 452 |
///
/// The others are those of [`ServerConfig`].
///
/// # Examples
///
/// A program that sends mail, and a server that does not know one of the recipients:
///
/// ```
/// use sinew_mail::{
///     smtp::{client::{ClientConfig, Envelope, Security, sendmail}, codec::Reply},
///     testing::{Reaction, Step, TestServer},
/// };
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let server = TestServer::new().react(|step| match step {
///     Step::Rcpt(to) if to.address().local() == "carol" => Reaction::Refuse(Reply::no_such_mailbox()),
///     _ => Reaction::Accept,
/// });
/// let at = server.listen(&reactor, "127.0.0.1:0".parse()?)?;
///
/// let to = ["bob@example.org".parse()?, "carol@example.org".parse()?];
/// let envelope = Envelope::new(Some("ann@example.net".parse()?), to);
/// let config = ClientConfig::new("client.example.net")?.security(Security::None);
/// let delivery = reactor.run_until(sendmail(&reactor, at, config, envelope, "Subject: hello\n\nHello.\n"))??;
/// assert!(!delivery.is_complete());
///
/// let mail = reactor.run_until(server.next(&reactor))??;
/// assert_eq!(mail.recipients(), ["bob@example.org"]);
/// assert_eq!(mail.text(), "Subject: hello\r\n\r\nHello.\r\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct TestServer(Rc<Script>);

struct Script {
    config: RefCell<ServerConfig>,
    react: RefCell<Option<React>>,
    limits: RefCell<(usize, usize)>,
    mails: RefCell<VecDeque<TestMail>>,
    waiting: RefCell<VecDeque<Promise<TestMail, Failure>>>,
}

type React = Rc<dyn Fn(&Step<'_>) -> Reaction>;

/// A message that the server has accepted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestMail {
    /// The name by which the client has introduced itself.
    pub helo: String,
    /// Who has logged in, if the server has [logins](ServerConfig::auth).
    pub user: Option<String>,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// The sender, with the parameters of MAIL.
    pub from: Sender,
    /// The recipients that were accepted, with the parameters of RCPT.
    pub to: Vec<Recipient>,
    /// The message, without the dots that SMTP adds.
    pub message: Vec<u8>,
}

impl TestMail {
    /// The addresses of the recipients.
    #[must_use]
    pub fn recipients(&self) -> Vec<String> {
        self.to.iter().map(|to| to.address().to_string()).collect()
    }

    /// The message as text; bytes that are not UTF-8 are U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }
}

/// What a client has done, which a [reaction](TestServer::react) answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// It has connected, and waits for the greeting.
    Connected,
    /// It has said its name.
    Helo(&'a str),
    /// It begins a message from this sender.
    Mail(&'a Sender),
    /// It names a recipient.
    Rcpt(&'a Recipient),
    /// It asks whether the message may follow (DATA), or sends the first of it (BDAT).
    Data,
    /// It has sent all of it.
    Message(&'a TestMail),
    /// By LMTP, for each recipient of a message that was accepted so far. Here only [`Reaction::Refuse`] is more than
    /// [`Reaction::Accept`].
    Delivery(&'a Recipient, &'a TestMail),
}

/// What the server does with a step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Reaction {
    /// It goes on.
    Accept,
    /// It refuses, with a reply of 4yz or 5yz.
    Refuse(Reply),
    /// It says nothing, for [`ServerConfig::verdict_timeout`].
    Silence,
    /// It closes the connection without a reply.
    Close,
    /// It does that later.
    After(Duration, Box<Self>),
}

impl TestServer {
    /// A server that accepts everything. It is called `mail.test`, and adds no `Received` line.
    pub fn new() -> Self {
        Self(Rc::new(Script {
            config: RefCell::new(usual()),
            react: RefCell::default(),
            limits: RefCell::new((MAILS_MAX, BYTES_MAX)),
            mails: RefCell::default(),
            waiting: RefCell::default(),
        }))
    }

    /// Uses another configuration, with TLS, logins, LMTP or other limits, for [factories](Self::factory) that are made from now on.
    pub fn config(self, config: ServerConfig) -> Self {
        *self.0.config.borrow_mut() = config;
        self
    }

    /// Sets what the server does at each step. It may note what it sees.
    pub fn react(self, react: impl Fn(&Step<'_>) -> Reaction + 'static) -> Self {
        self.0.react.replace(Some(Rc::new(react)));
        self
    }

    /// Most messages that are kept until they are taken. Default 1,000.
    pub fn mails_max(self, mails: usize) -> Self {
        self.0.limits.borrow_mut().0 = mails;
        self
    }

    /// Most bytes of them. Default 64 MiB.
    pub fn bytes_max(self, bytes: usize) -> Self {
        self.0.limits.borrow_mut().1 = bytes;
        self
    }

    /// The messages that were accepted and not taken, the oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<TestMail> {
        self.0.mails.borrow().iter().cloned().collect()
    }

    /// Takes the oldest message, or waits for one.
    pub fn next(&self, reactor: &Reactor) -> Deferred<TestMail, Failure> {
        if let Some(mail) = self.0.mails.borrow_mut().pop_front() {
            return Deferred::ready_on(reactor, mail);
        }
        let (promise, next) = reactor.promise();
        self.0.waiting.borrow_mut().push_back(promise);
        next
    }

    /// Listens on an address, with port 0 on any that is free. Returns the address.
    ///
    /// # Errors
    ///
    /// [`ListenError`].
    pub fn listen(&self, reactor: &Reactor, addr: SocketAddr) -> Result<SocketAddr, ListenError> {
        Ok(reactor.listen_tcp(addr, self.factory())?.local())
    }

    /// A factory for connections, to listen on any endpoint.
    pub fn factory(&self) -> impl Factory + use<> {
        let server = self.clone();
        SmtpServer::new(self.0.config.borrow().clone(), move |_: &Peer| Handling {
            server: server.clone(),
            open: Open::default(),
        })
    }

    fn reaction(&self, step: &Step<'_>) -> Reaction {
        // Without a borrow held: it may set another.
        let react = self.0.react.borrow().clone();
        react.map_or(Reaction::Accept, |react| react(step))
    }

    fn has_room(&self, len: usize) -> bool {
        let (mails, (mails_max, bytes_max)) = (self.0.mails.borrow(), *self.0.limits.borrow());
        let bytes: usize = mails.iter().map(|mail| mail.message.len()).sum();
        mails.len() < mails_max && bytes.saturating_add(len) <= bytes_max
    }

    /// Gives a message to who waits, or keeps it.
    fn keep(&self, mail: TestMail) {
        let mut waiting = self.0.waiting.borrow_mut();
        // Who does not wait any more does not get it.
        while let Some(next) = waiting.pop_front() {
            if next.is_awaited() {
                return next.resolve(mail);
            }
        }
        self.0.mails.borrow_mut().push_back(mail);
    }

    /// Decides as a reaction says. `accept` makes what is accepted, then.
    fn decide<T: 'static>(
        reaction: Reaction,
        transport: &Transport,
        open: &Open,
        accept: impl FnOnce() -> Result<T, Reply> + 'static,
    ) -> Verdict<T> {
        let (mut reaction, mut delay) = (reaction, Duration::ZERO);
        while let Reaction::After(more, then) = reaction {
            (reaction, delay) = (*then, delay.saturating_add(more));
        }
        let Some(reactor) = transport.reactor() else { return Verdict::refuse(Reply::try_later()) };
        match reaction {
            Reaction::Accept if delay.is_zero() => return accept().into(),
            Reaction::Refuse(reply) if delay.is_zero() => return Verdict::refuse(reply),
            _ => {}
        }
        let (promise, decided) = reactor.promise();
        let (transport, open) = (transport.clone(), open.clone());
        reactor.call_later(delay, move |_| match reaction {
            Reaction::Accept => promise.settle(Ok(())),
            Reaction::Refuse(reply) => promise.settle(Err(reply)),
            Reaction::Close => {
                // The verdict stays open: there is no reply.
                open.replace(Some(promise));
                transport.lose_connection();
            }
            Reaction::Silence | Reaction::After(..) => drop(open.replace(Some(promise))),
        });
        Verdict::later(decided.map(|decided: Result<(), Reply>| decided.and_then(|()| accept())))
    }
}

impl Default for TestServer {
    fn default() -> Self {
        Self::new()
    }
}

/// A step that is never decided. One at a time: nothing more of the connection is read meanwhile.
type Open = Rc<RefCell<Option<Promise<(), Reply>>>>;

/// One connection.
struct Handling {
    server: TestServer,
    open: Open,
}

impl Handling {
    fn step(&self, session: &Session, step: &Step<'_>) -> Verdict {
        let reaction = self.server.reaction(step);
        TestServer::decide(reaction, session.transport(), &self.open, || Ok(()))
    }
}

impl SmtpHandler for Handling {
    fn connected(&mut self, session: &Session) -> Verdict {
        self.step(session, &Step::Connected)
    }

    fn helo(&mut self, session: &Session, name: &str) -> Verdict {
        self.step(session, &Step::Helo(name))
    }

    fn mail(&mut self, session: &Session, from: &Sender) -> Verdict {
        match self.server.has_room(0) {
            true => self.step(session, &Step::Mail(from)),
            false => Verdict::refuse(full()),
        }
    }

    fn rcpt(&mut self, session: &Session, to: &Recipient) -> Verdict {
        self.step(session, &Step::Rcpt(to))
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let mail = TestMail {
            helo: session.helo().unwrap_or_default().to_owned(),
            user: session.identity().map(|identity| identity.name().to_owned()),
            is_tls: session.is_tls(),
            from: session.sender().cloned().unwrap_or_default(),
            to: session.recipients().to_vec(),
            message: Vec::new(),
        };
        let (server, transport) = (self.server.clone(), session.transport().clone());
        let (open, is_lmtp) = (Rc::clone(&self.open), session.is_lmtp());
        let sink = Sink { server, transport, open: Rc::clone(&open), mail, is_lmtp };
        let reaction = self.server.reaction(&Step::Data);
        TestServer::decide(reaction, session.transport(), &open, || {
            Ok(Box::new(sink) as Box<dyn MessageSink>)
        })
    }
}

/// A message while it arrives.
struct Sink {
    server: TestServer,
    transport: Transport,
    open: Open,
    mail: TestMail,
    is_lmtp: bool,
}

impl MessageSink for Sink {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        if !self.server.has_room(self.mail.message.len().saturating_add(piece.len())) {
            return Verdict::refuse(full());
        }
        self.mail.message.extend_from_slice(piece);
        Verdict::accept()
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        let Self { server, transport, open, mut mail, is_lmtp } = *self;
        let reaction = server.reaction(&Step::Message(&mail));
        TestServer::decide(reaction, &transport, &open, move || {
            // Others may have come meanwhile.
            if !server.has_room(mail.message.len()) {
                return Err(full());
            }
            let outcome = match is_lmtp {
                true => Outcome::Each(server.deliver(&mut mail)),
                false => Outcome::All(Reply::ok()),
            };
            if !mail.to.is_empty() {
                server.keep(mail);
            }
            Ok(outcome)
        })
    }
}

impl TestServer {
    /// The replies for the recipients of a message by LMTP, of whom those stay that have it.
    fn deliver(&self, mail: &mut TestMail) -> Vec<Reply> {
        let to = mail.to.clone();
        let reply = |to: &Recipient| match self.reaction(&Step::Delivery(to, mail)) {
            Reaction::Refuse(reply) => reply,
            _ => Reply::ok(),
        };
        let replies: Vec<Reply> = to.iter().map(reply).collect();
        let accepted = to.into_iter().zip(&replies).filter(|(_, reply)| reply.is_success());
        mail.to = accepted.map(|(to, _)| to).collect();
        replies
    }
}

fn usual() -> ServerConfig {
    ServerConfig::new("mail.test").expect("it is a name").received_line(false)
}

fn full() -> Reply {
    Reply::new(452, "4.3.1 The test server has no room for more messages").expect("it is a reply")
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("mails", &self.0.mails.borrow().len())
            .finish_non_exhaustive()
    }
}
