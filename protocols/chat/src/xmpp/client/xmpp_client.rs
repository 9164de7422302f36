//! The handle of a client: [`XmppClient`]. What it sends is in `commands.rs`.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_auth::Mechanism;
use sinew_transports::{
    ClientService, Factory, Peer, RetryConfig,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor, WeakReactor},
};

use super::{
    Contact, SendError, XmppConfig, XmppConnection, XmppError, XmppHandler,
    session::Session,
    state::{Link, Phase},
};
use crate::{
    attempt::{Attempt, Attempting, connect},
    waiting::{Failed, Waiting},
    xmpp::{
        codec::{Element, EncodeError, Iq, Jid, Message, MessageKind, ns},
        iq_request::Asked,
        stream_management::StreamManagement,
    },
};

/// A client of XMPP: one connection at a time, and a session that may outlive it. A handle: clones are the same client.
///
/// It is a [`Factory`], too, for connections that are made elsewhere; a second connection while there is one is refused.
///
/// # Examples
///
/// A bot that stays connected:
///
/// ```no_run
/// use sinew_chat::xmpp::{
///     client::{XmppClient, XmppConfig, XmppHandler},
///     codec::Message,
/// };
/// use sinew_transports::{RetryConfig, endpoint::ClientEndpoint, reactor::Reactor};
///
/// struct Log;
///
/// impl XmppHandler for Log {
///     fn message_received(&mut self, _: &XmppClient, message: &Message) {
///         println!("{:?}: {:?}", message.from(), message.body());
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let reactor = Reactor::new()?;
///     let config = XmppConfig::new("bot@example.org".parse()?, "secret");
///     let xmpp = XmppClient::new(&reactor, config, Log);
///     let endpoint: ClientEndpoint = "tcp:xmpp.example.org:5222".parse()?;
///     xmpp.keep_connected(&reactor, endpoint, RetryConfig::default());
///     reactor.run()?;
///     Ok(())
/// }
/// ```
pub struct XmppClient(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) reactor: WeakReactor,
    pub(super) config: XmppConfig,
    /// Out of its cell while it is called.
    handler: RefCell<Option<Box<dyn XmppHandler>>>,
    pub(super) link: RefCell<Link>,
    pub(super) session: RefCell<Session>,
    /// The mechanism of the last login: a later one is no worse.
    pub(super) pinned: RefCell<Option<Mechanism>>,
    /// Those who wait until the client is online.
    pub(super) waiting: Waiting<XmppError>,
    /// The connection that [`connect`](XmppClient::connect) makes.
    pub(super) attempt: Attempt,
}

impl XmppClient {
    /// A client that is not connected yet.
    #[must_use]
    pub fn new(reactor: &Reactor, config: XmppConfig, handler: impl XmppHandler) -> Self {
        Self(Rc::new(Inner {
            reactor: reactor.downgrade(),
            handler: RefCell::new(Some(Box::new(handler))),
            link: RefCell::new(Link::new(0)),
            session: RefCell::new(Session::new(config.jid.clone())),
            pinned: RefCell::default(),
            waiting: Waiting::new(|reason| XmppError::Lost { reason }),
            attempt: Attempt::default(),
            config,
        }))
    }

    /// Connects once. The result comes when the client is online; the connection lives until [`quit`](Self::quit), or until it is lost.
    /// Cancelling the deferred, or dropping it, before it has a result gives the connection up.
    ///
    /// # Errors
    ///
    /// [`XmppError`]; [`XmppError::Connected`] also while a connection is being made, or if one that was made elsewhere was faster.
    pub fn connect(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
    ) -> Deferred<(), XmppError> {
        connect(self, reactor, endpoint.into())
    }

    /// Connects, and again whenever the connection is lost, until [`ClientService::stop`]. The service has started already. It tries
    /// again after a login that was refused, too: stop it in [`login_failed`](XmppHandler::login_failed) if that makes no sense.
    pub fn keep_connected(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
        retry: RetryConfig,
    ) -> ClientService<XmppConnection> {
        let service = ClientService::with(reactor, endpoint, retry, self.clone());
        service.start();
        service
    }

    /// Resolves when the client is online: at once if it is. Attempts of [`keep_connected`](Self::keep_connected) that make no
    /// connection are no end of it: those of [`connect`](Self::connect) are.
    ///
    /// # Errors
    ///
    /// [`XmppError`]: the next connection ends before that.
    pub fn when_online(&self) -> Deferred<(), XmppError> {
        let (promise, online) = self.0.reactor.promise();
        match self.is_online() {
            true => promise.resolve(()),
            false => drop(self.0.waiting.push(promise)),
        }
        online
    }

    /// Resolves when there is no connection: at once if there is none. After [`quit`](Self::quit), all that was written has been sent
    /// by then, as far as the server has taken it.
    ///
    /// # Errors
    ///
    /// [`Failure`](sinew_transports::reactor::Failure): the wait is given up.
    pub fn when_offline(&self) -> Deferred<()> {
        let transport = self.0.link.borrow().transport.clone();
        match transport {
            Some(transport) => transport.when_lost(),
            None => {
                let (promise, offline) = self.0.reactor.promise();
                promise.resolve(());
                offline
            }
        }
    }

    /// Whether the client is online.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.0.link.borrow().phase == Phase::Online
    }

    /// Whether the stanzas of this session are acknowledged, and it can be resumed (XEP-0198).
    #[must_use]
    pub fn can_resume(&self) -> bool {
        let session = self.0.session.borrow();
        session.management.as_ref().is_some_and(StreamManagement::can_resume)
    }

    /// The address of the client: with its resource, as soon as the server has bound one.
    #[must_use]
    pub fn jid(&self) -> Jid {
        self.0.session.borrow().jid.clone()
    }

    /// The contacts, as far as they are known.
    #[must_use]
    pub fn roster(&self) -> Vec<Contact> {
        self.0.session.borrow().roster.contacts().cloned().collect()
    }

    /// A contact.
    #[must_use]
    pub fn contact(&self, jid: &Jid) -> Option<Contact> {
        self.0.session.borrow().roster.contact(jid).cloned()
    }

    /// The rooms that the client is in.
    #[must_use]
    pub fn rooms(&self) -> Vec<Jid> {
        self.0.session.borrow().rooms.names()
    }

    /// The nick of the client in a room.
    #[must_use]
    pub fn nick(&self, room: &Jid) -> Option<String> {
        self.0.session.borrow().rooms.nick(room).map(str::to_owned)
    }

    /// Whether a message is of the account itself: in a room, of the nick that the client has there.
    #[must_use]
    pub fn is_own(&self, message: &Message) -> bool {
        let Some(from) = message.from() else { return true };
        match message.kind() {
            MessageKind::Groupchat => {
                let session = self.0.session.borrow();
                from.resource().is_some_and(|nick| session.rooms.nick(&from.bare()) == Some(nick))
            }
            _ => from.is_same_bare(&self.jid()),
        }
    }

    /// The client is not online: those who wait are told when the value is dropped.
    pub(super) fn failed(&self, error: XmppError) -> Failed<XmppError> {
        self.0.waiting.fail(error, self.0.attempt.waiter())
    }

    /// Calls the handler. No cell is borrowed meanwhile.
    pub(super) fn call(&self, f: impl FnOnce(&mut dyn XmppHandler, &Self)) {
        let handler = self.0.handler.borrow_mut().take();
        let mut taken = Taken { client: self, handler };
        if let Some(handler) = &mut taken.handler {
            f(&mut **handler, self);
        }
    }

    pub(super) fn now(&self) -> Option<Instant> {
        self.0.reactor.upgrade().map(|reactor| reactor.now())
    }

    /// For how long the server owes an acknowledgement.
    pub(super) fn acknowledgement_owed(&self) -> Option<Duration> {
        let session = self.0.session.borrow();
        let asked = session.management.as_ref()?.asked()?;
        Some(self.now()?.saturating_duration_since(asked))
    }

    pub(super) fn session_number(&self) -> u64 {
        self.0.session.borrow().number
    }

    /// Sends a stanza.
    pub(super) fn put(&self, stanza: Element) -> Result<(), SendError> {
        let text = self.checked(&stanza)?;
        let link = self.0.link.borrow();
        let Some(transport) = link.transport.clone().filter(|_| link.phase == Phase::Online) else {
            return Err(SendError::NotConnected);
        };
        drop(link);
        let max = self.0.config.output_max;
        if transport.queued() > max {
            return Err(SendError::QueueFull { max });
        }
        let mut session = self.0.session.borrow_mut();
        let Some(management) = &mut session.management else {
            drop(session);
            transport.write(text);
            return Ok(());
        };
        let max = self.0.config.unacknowledged_max;
        if management.len() >= max {
            return Err(SendError::QueueFull { max });
        }
        let asks = management.sent(stanza, text.clone(), self.now());
        drop(session);
        transport.write(text);
        if asks {
            transport.write(REQUEST);
        }
        Ok(())
    }

    /// Sends the messages that wait, if there are some.
    pub(super) fn send_waiting_if_online(&self) {
        if self.is_online() && !self.0.session.borrow().waiting.is_empty() {
            self.send_waiting();
        }
    }

    /// Sends a message, or keeps it until the client is online.
    pub(super) fn put_or_keep(&self, stanza: Element) -> Result<(), SendError> {
        // Not before those that wait already.
        let has_turn = self.0.session.borrow().waiting.is_empty();
        if (self.is_online() && has_turn) || !self.0.config.waits_while_away {
            return self.put(stanza);
        }
        self.checked(&stanza)?;
        let max = self.0.config.unacknowledged_max;
        let mut session = self.0.session.borrow_mut();
        if session.waiting.len() >= max {
            return Err(SendError::QueueFull { max });
        }
        session.waiting.push_back(stanza);
        Ok(())
    }

    fn checked(&self, stanza: &Element) -> Result<String, SendError> {
        let max = self.0.link.borrow().server_limits.stanza_max(self.0.config.stanza_max);
        stanza.encode_for_server(ns::CLIENT, max).map_err(|error| match error {
            EncodeError::TooLong { len, max } => SendError::TooLong { len, max },
            error => error.into(),
        })
    }
}

/// Asks for an acknowledgement.
pub(super) const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";

/// The handler while it is called. It goes back into its cell also if it panics.
struct Taken<'a> {
    client: &'a XmppClient,
    handler: Option<Box<dyn XmppHandler>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.handler.is_some() {
            *self.client.0.handler.borrow_mut() = self.handler.take();
        }
    }
}

impl Asked for Inner {
    fn answer(self: Rc<Self>, session: u64, _: &Iq, answer: Iq) -> Result<(), SendError> {
        let client = XmppClient(self);
        match session == client.session_number() {
            true => client.put(answer.into()),
            false => Err(SendError::NotConnected),
        }
    }
}

impl Factory for XmppClient {
    type Protocol = XmppConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<XmppConnection> {
        let mut link = self.0.link.borrow_mut();
        if link.phase != Phase::Offline {
            return None;
        }
        *link = Link::new(link.generation + 1);
        drop(link);
        Some(XmppConnection::new(self.clone()))
    }
}

impl Attempting for XmppClient {
    type Error = XmppError;

    fn attempt(&self) -> &Attempt {
        &self.0.attempt
    }

    fn waiting(&self) -> &Waiting<XmppError> {
        &self.0.waiting
    }

    fn connected() -> XmppError {
        XmppError::Connected
    }

    fn is_offline(&self) -> bool {
        self.0.link.borrow().phase == Phase::Offline
    }

    fn connection_number(&self) -> u64 {
        self.0.link.borrow().generation
    }

    fn abort_unless_online(&self) {
        let link = self.0.link.borrow();
        let transport = link.transport.clone().filter(|_| link.phase != Phase::Online);
        drop(link);
        if let Some(transport) = transport {
            transport.abort();
        }
    }

    fn weak(&self) -> Box<dyn FnOnce() -> Option<Self>> {
        let weak = Rc::downgrade(&self.0);
        Box::new(move || weak.upgrade().map(Self))
    }
}

impl Clone for XmppClient {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl fmt::Debug for XmppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.0.link.try_borrow().ok().map(|link| link.phase);
        f.debug_struct("XmppClient").field("phase", &phase).finish_non_exhaustive()
    }
}
