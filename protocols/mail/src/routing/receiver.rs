//! The receiving side of a mail server: [`Receiver`], whose handlers accept mail into a queue.
//!
//! | step | refused |
//! |---|---|
//! | MAIL | 530 who has not logged in, for submission; 553 a sender that is not one's own |
//! | RCPT | 550 5.1.1 no such mailbox; 550 5.7.1 another host, from who may not; 554 5.4.6 a loop of aliases; 550 5.4.6, 5.4.4 an address literal that mail is not sent to; 552 5.2.2 a mailbox without room for the announced size |
//! | DATA | 452 the queue is full |
//! | the message | 552 5.2.2 no recipient's mailbox has room for it; 250 once it is safe on disk; what users submit has a `Date` and a `Message-ID` then |

use std::{cell::RefCell, fmt, rc::Rc};

use super::{
    RouteError, Router, Rules,
    completing::Completing,
    room::{self, Checked, Room},
};
use crate::{
    queue::{Queue, QueuedEnvelope, QueuedRecipient, Relay, SMTP_AGENT},
    smtp::{
        codec::{Completion, Recipient, Reply, Return, Sender},
        server::{MessageSink, Session, SmtpHandler, Verdict},
    },
    store::Store,
};

/// Accepts mail for the domains of a [`Router`], and for other hosts as [`Rules`] say, into a [`Queue`].
///
/// Recipients of a message that lead to the same mailbox, address of another host, program or file get one copy (RFC 5321 4.1.1.3), and each
/// the report that was asked for. Addresses with tags are in the same mailbox.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
/// use sinew_mail::{
///     queue::{Agents, MemoryFiles, Queue, QueueConfig, Spool},
///     routing::{LocalDomain, MAILBOX_AGENT, MailboxAgent, Receiver, Router, RouterConfig, Rules, StoreUsers, Target},
///     smtp::server::{ServerConfig, SmtpServer},
///     store::MemoryStore,
/// };
/// use sinew_transports::{Peer, ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let store = MemoryStore::default();
/// store.create_account("ann")?;
/// let store = Rc::new(store);
/// let users = LocalDomain::new(StoreUsers::new(store.clone()));
/// let router = Router::new(RouterConfig::new(Target::Name("ann".into())).domain("example.org", users));
/// let agents = Agents::default().with(MAILBOX_AGENT, MailboxAgent::new(store));
/// let opening = Queue::open(&reactor, Spool::on(MemoryFiles::default()), QueueConfig::new("mail.example.org")?, agents);
/// let config = ServerConfig::new("mail.example.org")?;
/// opening.then(move |reactor, queue| {
///     let Ok(queue) = queue else { return };
///     let receiver = Receiver::new(queue, router, Rules::exchanger());
///     let server = SmtpServer::new(config, move |_: &Peer| receiver.handler());
///     drop(reactor.listen_tcp("127.0.0.1:0", server));
///     # let _ = reactor.stop();
/// });
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Receiver {
    queue: Queue,
    router: Router,
    rules: Rc<Rules>,
    recipients_max: usize,
    relay: Option<Relay>,
    room: Option<Room>,
}

/// Handles the mail of one connection. Made by [`Receiver::handler`].
pub struct ReceiverHandler {
    receiver: Receiver,
    /// Where the recipients of the current message lead.
    routed: Routed,
}

type Routed = Rc<RefCell<Vec<(Recipient, Vec<QueuedRecipient>)>>>;

impl Receiver {
    /// A receiver with these rules.
    #[must_use]
    pub fn new(queue: Queue, router: Router, rules: Rules) -> Self {
        Self {
            queue,
            router,
            rules: Rc::new(rules),
            recipients_max: 10_000,
            relay: None,
            room: None,
        }
    }

    /// The agent for other hosts: address literals that it does not send to, such as `bob@[127.0.0.1]`, are refused at RCPT.
    #[must_use]
    pub fn relay(mut self, relay: Relay) -> Self {
        self.relay = Some(relay);
        self
    }

    /// The store of the [`MailboxAgent`](super::MailboxAgent), whose accounts have limits: a recipient whose mailbox has no room for
    /// the size that MAIL announces is refused with 552 5.2.2, and so is a message, at its end, for whose recipients there is no room.
    /// Default none: what does not fit in is returned to its sender later.
    ///
    /// A recipient that leads to several mailboxes or elsewhere is refused only if all are full. Where one message of several
    /// recipients, or several at once, fit in for some and not for others, that is reported.
    #[must_use]
    pub fn mailboxes(mut self, store: Rc<dyn Store>) -> Self {
        self.room = Some(Room::new(store));
        self
    }

    /// Most recipients of a message, with those that aliases stand for. Default 10,000; past it, 452 is the reply to RCPT.
    #[must_use]
    pub fn recipients_max(mut self, recipients: usize) -> Self {
        self.recipients_max = recipients;
        self
    }

    /// A handler for a connection.
    #[must_use]
    pub fn handler(&self) -> ReceiverHandler {
        ReceiverHandler { receiver: self.clone(), routed: Rc::default() }
    }
}

impl ReceiverHandler {
    fn route(&self, session: &Session, to: &Recipient) -> Verdict {
        let Receiver { router, rules, recipients_max, relay, room, .. } = &self.receiver;
        let Some(reactor) = session.transport().reactor() else {
            return Verdict::refuse(Reply::try_later());
        };
        let (identity, ip) = (session.identity(), session.peer().ip());
        let address = to.address();
        if !router.is_local(address) && !rules.may_relay(identity, ip, address.domain()) {
            return Verdict::refuse(RouteError::RelayDenied.reply());
        }
        let refusal = relay.as_ref().filter(|_| !router.is_local(address));
        if let Some(status) = refusal.and_then(|relay| relay.refusal(address)) {
            return Verdict::refuse(status.reply());
        }
        let sender = session.sender().cloned().unwrap_or_default();
        let routing = router.route(&reactor, to, &sender);
        let (routed, to, max) = (Rc::clone(&self.routed), to.clone(), *recipients_max);
        let (room, of_task) = (room.clone(), reactor.clone());
        Verdict::later(super::run(&reactor, async move {
            let found = routing.await.map_err(|error| error.reply())?;
            let len = sender.size().unwrap_or(1);
            if let Some(room) = room
                && room.is_missing(&of_task, &sender, &found, len).await
            {
                return Err(room::mailbox_full());
            }
            let mut routed = routed.borrow_mut();
            let there: usize = routed.iter().map(|(_, found)| found.len()).sum();
            if there + found.len() > max {
                return Err(Reply::fixed(452, "4.5.3 Too many recipients"));
            }
            routed.push((to, found));
            Ok(())
        }))
    }
}

impl SmtpHandler for ReceiverHandler {
    fn mail(&mut self, session: &Session, from: &Sender) -> Verdict {
        self.routed.borrow_mut().clear();
        let rules = &self.receiver.rules;
        let identity = session.identity();
        if !rules.may_send(identity) {
            return Verdict::refuse(Reply::fixed(530, "5.7.0 Log in first"));
        }
        let is_local = from.address().is_some_and(|from| self.receiver.router.is_local(from));
        if !rules.may_send_from(identity, from.address(), is_local) {
            return Verdict::refuse(Reply::fixed(553, "5.7.1 That sender address is not yours"));
        }
        Verdict::accept()
    }

    fn rcpt(&mut self, session: &Session, to: &Recipient) -> Verdict {
        self.route(session, to)
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let mut routed = self.routed.take();
        let sender = session.sender().cloned().unwrap_or_default();
        let mut found = Vec::new();
        for to in session.recipients() {
            let Some(at) = routed.iter().position(|(routed, _)| routed == to) else {
                return Verdict::refuse(Reply::try_later());
            };
            found.extend(routed.swap_remove(at).1);
        }
        let (rules, peer) = (&self.receiver.rules, session.peer().ip());
        let is_here = found.iter().all(|to| to.is_expanded() || *to.agent() != SMTP_AGENT);
        let sender = match rules.is_stranger(session.identity(), peer) && is_here {
            // Its address may be forged: who has it gets no more than the header (RFC 3461 4.3 leaves the rest to the server).
            true => sender.with_return(Return::Headers),
            false => sender,
        };
        let checked = self.receiver.room.clone().map(|room| (room, found.clone(), sender.clone()));
        let envelope = QueuedEnvelope::new(sender).with_routed(found);
        let sink = match self.receiver.queue.sink(envelope) {
            Ok(sink) => sink,
            Err(error) => return Verdict::refuse(error.reply()),
        };
        let reactor = session.transport().reactor();
        let is_completed = self.receiver.rules.completes(session.identity());
        let sink = match reactor.as_ref().filter(|_| is_completed) {
            // RFC 6409 8.2, 8.3.
            Some(reactor) => {
                let completion = Completion::default().date(reactor.wall_clock());
                let completion = completion.field("Message-ID", sink.message_id());
                Box::new(Completing::new(sink, completion)) as Box<dyn MessageSink>
            }
            None => Box::new(sink),
        };
        Verdict::now(match (reactor, checked) {
            (Some(reactor), Some((room, found, sender))) => {
                Box::new(Checked { sink, room, reactor, sender, found, len: 0 })
            }
            _ => sink,
        })
    }
}

impl fmt::Debug for ReceiverHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiverHandler").finish_non_exhaustive()
    }
}
