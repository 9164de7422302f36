//! The handle of a component: [`XmppComponent`]. What stanzas mean to it is in `stanzas.rs`.

use std::{cell::RefCell, fmt, rc::Rc};

use sinew_transports::{
    ClientService, Factory, Peer, RetryConfig, Transport,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor, WeakReactor},
};

use super::{
    ComponentConfig, ComponentConnection, ComponentError, ComponentHandler,
    link::{Link, Phase},
};
use crate::{
    attempt::{Attempt, Attempting, connect},
    waiting::{Failed, Waiting},
    xmpp::{
        client::{RequestError, SendError, requests::Requests},
        codec::{Element, Iq, Jid, StreamCondition, StreamError, ns},
        iq_request::Asked,
    },
};

/// A component of a server: one connection at a time. A handle: clones are the same component.
///
/// It is a [`Factory`], too, for connections that are made elsewhere; a second connection while there is one is refused.
///
/// # Examples
///
/// ```no_run
/// use sinew_chat::xmpp::{
///     codec::Presence,
///     component::{ComponentConfig, ComponentHandler, XmppComponent},
/// };
/// use sinew_transports::{RetryConfig, endpoint::ClientEndpoint, reactor::Reactor};
///
/// struct Log;
///
/// impl ComponentHandler for Log {
///     fn presence_received(&mut self, _: &XmppComponent, presence: &Presence) {
///         println!("{:?} to {:?}", presence.from(), presence.to());
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let reactor = Reactor::new()?;
///     let config = ComponentConfig::new("log.example.org".parse()?, "a long random secret");
///     let xmpp = XmppComponent::new(&reactor, config, Log);
///     let endpoint: ClientEndpoint = "tcp:localhost:5347".parse()?;
///     xmpp.keep_connected(&reactor, endpoint, RetryConfig::default());
///     reactor.run()?;
///     Ok(())
/// }
/// ```
pub struct XmppComponent(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) reactor: WeakReactor,
    pub(super) config: ComponentConfig,
    /// Out of its cell while it is called.
    handler: RefCell<Option<Box<dyn ComponentHandler>>>,
    pub(super) link: RefCell<Link>,
    pub(super) requests: RefCell<Requests>,
    /// Those who wait until the component is online.
    pub(super) waiting: Waiting<ComponentError>,
    /// The connection that [`connect`](XmppComponent::connect) makes.
    attempt: Attempt,
}

impl XmppComponent {
    /// A component that is not connected yet.
    #[must_use]
    pub fn new(reactor: &Reactor, config: ComponentConfig, handler: impl ComponentHandler) -> Self {
        Self(Rc::new(Inner {
            reactor: reactor.downgrade(),
            handler: RefCell::new(Some(Box::new(handler))),
            link: RefCell::new(Link::new(0)),
            requests: RefCell::default(),
            waiting: Waiting::new(|reason| ComponentError::Lost { reason }),
            attempt: Attempt::default(),
            config,
        }))
    }

    /// Connects once. The result comes when the server has accepted the component; the connection lives until [`quit`](Self::quit), or
    /// until it is lost. Cancelling the deferred, or dropping it, before it has a result gives the connection up.
    ///
    /// # Errors
    ///
    /// [`ComponentError`]; [`ComponentError::Connected`] also while a connection is being made, or if one that was made elsewhere was faster.
    pub fn connect(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
    ) -> Deferred<(), ComponentError> {
        connect(self, reactor, endpoint.into())
    }

    /// Connects, and again whenever the connection is lost, until [`ClientService::stop`]. The service has started already. It tries
    /// again after a wrong secret, too: stop it in [`handshake_failed`](ComponentHandler::handshake_failed) if that makes no sense.
    pub fn keep_connected(
        &self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
        retry: RetryConfig,
    ) -> ClientService<ComponentConnection> {
        let service = ClientService::with(reactor, endpoint, retry, self.clone());
        service.start();
        service
    }

    /// Resolves when the component is online: at once if it is. Attempts of [`keep_connected`](Self::keep_connected) that make no
    /// connection are no end of it: those of [`connect`](Self::connect) are.
    ///
    /// # Errors
    ///
    /// [`ComponentError`]: the next connection ends before that.
    pub fn when_online(&self) -> Deferred<(), ComponentError> {
        let (promise, online) = self.0.reactor.promise();
        match self.is_online() {
            true => promise.resolve(()),
            false => drop(self.0.waiting.push(promise)),
        }
        online
    }

    /// Whether the server has accepted the component.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.0.link.borrow().phase == Phase::Online
    }

    /// The domain of the component, as an address.
    #[must_use]
    pub fn domain(&self) -> Jid {
        self.0.config.domain.clone()
    }

    /// Sends a stanza. One without a sender is from the domain.
    ///
    /// # Errors
    ///
    /// [`SendError`]: [`Addresses`](SendError::Addresses) for a stanza without a recipient, or from elsewhere. Nothing is kept for
    /// later while the component is not online.
    pub fn send(&self, stanza: impl Into<Element>) -> Result<(), SendError> {
        let mut stanza = stanza.into();
        if stanza.attribute("from").is_none() {
            stanza.set_attribute("from", self.0.config.domain.domain());
        }
        let from = stanza.attribute("from").and_then(|from| from.parse::<Jid>().ok());
        let is_own = from.is_some_and(|from| from.domain() == self.0.config.domain.domain());
        let to = stanza.attribute("to").and_then(|to| to.parse::<Jid>().ok());
        if !is_own || to.is_none() {
            return Err(SendError::Addresses);
        }
        // Without a declaration, what is of a client is of the component in its stream.
        let text = stanza.encode_for_server(ns::CLIENT, usize::MAX)?;
        let (len, max) = (text.len(), self.0.config.stanza_max);
        if len > max {
            return Err(SendError::TooLong { len, max });
        }
        let link = self.0.link.borrow();
        let Some(transport) = link.transport.clone().filter(|_| link.phase == Phase::Online) else {
            return Err(SendError::NotConnected);
        };
        drop(link);
        let max = self.0.config.output_max;
        if transport.queued() > max {
            return Err(SendError::QueueFull { max });
        }
        transport.write(text);
        Ok(())
    }

    /// Asks, and waits for the answer: of whom was asked, not of anybody who knows the id. The question needs a recipient; without a
    /// sender it is from the domain.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub fn request(&self, iq: Iq) -> Deferred<Iq, RequestError> {
        let (promise, answer) = self.0.reactor.promise();
        let Some(reactor) = self.0.reactor.upgrade() else {
            promise.reject(RequestError::Lost);
            return answer;
        };
        let mut requests = self.0.requests.borrow_mut();
        requests.prune();
        let max = self.0.config.requests_max;
        if requests.len() >= max {
            drop(requests);
            promise.reject(RequestError::TooMany { max });
            return answer;
        }
        let id = requests.next_id();
        drop(requests);
        let to = iq.to().cloned();
        if let Err(error) = self.send(iq.with_id(id.as_str())) {
            promise.reject(error.into());
            return answer;
        }
        let after = self.0.config.request_timeout;
        let (this, late) = (self.clone(), id.clone());
        let timer = reactor.call_later(after, move |_| {
            this.0.requests.borrow_mut().fail(&late, RequestError::TimedOut { after });
        });
        self.0.requests.borrow_mut().push(id, to, timer, promise);
        answer
    }

    /// Ends the stream, and closes the connection. One that [`connect`](Self::connect) makes is not made.
    pub fn quit(&self) {
        self.0.attempt.cancel();
        let mut link = self.0.link.borrow_mut();
        let Some(transport) = link.transport.clone() else { return };
        if link.phase == Phase::Closing {
            return;
        }
        link.phase = Phase::Closing;
        drop(link);
        transport.write("</stream:stream>");
        transport.lose_connection();
    }

    /// The component is not online: those who wait are told when the value is dropped.
    pub(super) fn failed(&self, error: ComponentError) -> Failed<ComponentError> {
        self.0.waiting.fail(error, self.0.attempt.waiter())
    }

    /// Calls the handler. No cell is borrowed meanwhile.
    pub(super) fn call(&self, f: impl FnOnce(&mut dyn ComponentHandler, &Self)) {
        let handler = self.0.handler.borrow_mut().take();
        let mut taken = Taken { component: self, handler };
        if let Some(handler) = &mut taken.handler {
            f(&mut **handler, self);
        }
    }

    /// Gives the connection up, and says why if the server is to blame.
    pub(super) fn fail(&self, transport: &Transport, error: ComponentError) {
        let said = match &error {
            ComponentError::Xml(error) => Some(StreamError::new(error.condition())),
            ComponentError::Unexpected { .. } => {
                Some(StreamError::new(StreamCondition::PolicyViolation))
            }
            _ => None,
        };
        let mut link = self.0.link.borrow_mut();
        if link.phase == Phase::Closing {
            return;
        }
        let reason = error.to_string();
        link.failure.get_or_insert(error);
        link.phase = Phase::Closing;
        drop(link);
        if let Some(text) = said.and_then(|said| said.to_element().encode(ns::COMPONENT).ok()) {
            transport.write(text);
        }
        transport.write("</stream:stream>");
        transport.fail(reason);
    }
}

/// An answer from the address that was asked.
pub(super) fn answer_to(question: &Iq, answer: Iq) -> Iq {
    match question.to() {
        Some(to) => answer.with_from(Jid::clone(to)),
        None => answer,
    }
}

/// The handler while it is called. It goes back into its cell also if it panics.
struct Taken<'a> {
    component: &'a XmppComponent,
    handler: Option<Box<dyn ComponentHandler>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.handler.is_some() {
            *self.component.0.handler.borrow_mut() = self.handler.take();
        }
    }
}

impl Asked for Inner {
    fn answer(self: Rc<Self>, connection: u64, question: &Iq, answer: Iq) -> Result<(), SendError> {
        let component = XmppComponent(self);
        // The server has answered for a connection that is lost.
        if component.connection_number() != connection {
            return Err(SendError::NotConnected);
        }
        component.send(answer_to(question, answer))
    }
}

impl Factory for XmppComponent {
    type Protocol = ComponentConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<ComponentConnection> {
        let mut link = self.0.link.borrow_mut();
        if link.phase != Phase::Offline {
            return None;
        }
        let generation = link.generation + 1;
        *link = Link { phase: Phase::Opening, ..Link::new(generation) };
        drop(link);
        Some(ComponentConnection::new(self.clone()))
    }
}

impl Attempting for XmppComponent {
    type Error = ComponentError;

    fn attempt(&self) -> &Attempt {
        &self.0.attempt
    }

    fn waiting(&self) -> &Waiting<ComponentError> {
        &self.0.waiting
    }

    fn connected() -> ComponentError {
        ComponentError::Connected
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

impl Clone for XmppComponent {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl fmt::Debug for XmppComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.0.link.try_borrow().ok().map(|link| link.phase);
        f.debug_struct("XmppComponent")
            .field("domain", &self.0.config.domain)
            .field("phase", &phase)
            .finish_non_exhaustive()
    }
}
