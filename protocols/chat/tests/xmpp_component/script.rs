//! A component in memory, whose server is a script; its handler notes what it is told.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_chat::xmpp::{
    codec::{Jid, Message, Presence, StanzaError},
    component::{
        ComponentConfig, ComponentConnection, ComponentError, ComponentHandler, IqRequest,
        XmppComponent,
    },
};
use sinew_transports::{
    Connection, ConnectionLost, Factory, Peer, StreamConfig, memory, memory::Wire, reactor::Reactor,
};

pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
    xmlns:stream='http://etherx.jabber.org/streams' from='echo.example.org' id='3BF96D32'>";
pub(crate) const PROOF: &str = "<handshake>b09ea9b3b7f586be8a08d0a3dd7466f110aeb136</handshake>";

type Notes = Rc<RefCell<Vec<String>>>;

/// Notes each event as a line, and keeps the questions.
struct Noting(Notes, Rc<RefCell<Vec<IqRequest>>>);

impl Noting {
    fn note(&self, text: String) {
        self.0.borrow_mut().push(text);
    }
}

fn of(jid: Option<&Jid>) -> String {
    jid.map(Jid::to_string).unwrap_or_default()
}

impl ComponentHandler for Noting {
    fn online(&mut self, _: &XmppComponent) {
        self.note("online".to_owned());
    }

    fn handshake_failed(&mut self, _: &XmppComponent, error: &ComponentError) {
        self.note(format!("failed: {error}"));
    }

    fn connection_lost(&mut self, _: &XmppComponent, _: &ConnectionLost) {
        self.note("lost".to_owned());
    }

    fn message_received(&mut self, _: &XmppComponent, message: &Message) {
        let (from, to) = (of(message.from()), of(message.to()));
        self.note(format!("message {from} {to} {:?}", message.body()));
    }

    fn message_failed(&mut self, _: &XmppComponent, message: &Message, error: &StanzaError) {
        self.note(format!("message_failed {} {error}", of(message.from())));
    }

    fn presence_received(&mut self, _: &XmppComponent, presence: &Presence) {
        self.note(format!("presence {} {:?}", of(presence.from()), presence.kind()));
    }

    fn iq_received(&mut self, _: &XmppComponent, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("mine", "urn:mine")) {
            self.1.borrow_mut().push(request);
        }
    }
}

/// A component and the other end of its connection.
pub(crate) struct Script {
    pub(crate) reactor: Reactor,
    pub(crate) xmpp: XmppComponent,
    pub(crate) wire: Wire,
    _connection: Connection<ComponentConnection>,
    pub(crate) questions: Rc<RefCell<Vec<IqRequest>>>,
    notes: Notes,
}

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

pub(crate) fn config() -> ComponentConfig {
    ComponentConfig::new(jid("echo.example.org"), "secret")
}

impl Script {
    /// A component that has connected, and has received nothing.
    pub(crate) fn new(config: ComponentConfig) -> Self {
        let (notes, questions) = (Notes::default(), Rc::default());
        let script = Self::with(config, Noting(Rc::clone(&notes), Rc::clone(&questions)));
        Self { notes, questions, ..script }
    }

    /// The same with a handler that notes nothing.
    pub(crate) fn with(config: ComponentConfig, handler: impl ComponentHandler) -> Self {
        let reactor = Reactor::simulated(0);
        let xmpp = XmppComponent::new(&reactor, config, handler);
        let (connection, wire) = connect(&reactor, &xmpp);
        let (questions, notes) = (Rc::default(), Notes::default());
        Self { reactor, xmpp, wire, _connection: connection, questions, notes }
    }

    /// Connects the same component again.
    pub(crate) fn reconnect(&mut self) {
        (self._connection, self.wire) = connect(&self.reactor, &self.xmpp);
        self.advance(0);
    }

    /// A component that is online.
    pub(crate) fn online(config: ComponentConfig) -> Self {
        let script = Self::new(config);
        script.receive(HEADER);
        assert!(script.sent().ends_with(PROOF));
        script.receive("<handshake/>");
        assert_eq!(script.notes(), ["online"]);
        script
    }

    pub(crate) fn receive(&self, text: &str) {
        self.wire.receive_if_open(text.as_bytes());
        self.advance(0);
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }

    /// What the component has sent since the last call.
    pub(crate) fn sent(&self) -> String {
        self.advance(0);
        String::from_utf8(self.wire.sent()).expect("it is UTF-8")
    }

    /// What the handler was told since the last call.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.borrow_mut())
    }

    /// The server ends the connection.
    pub(crate) fn end(&self) -> Vec<String> {
        self.wire.close_if_open();
        self.advance(10_000);
        self.notes()
    }
}

fn connect(reactor: &Reactor, xmpp: &XmppComponent) -> (Connection<ComponentConnection>, Wire) {
    let protocol = xmpp.clone().build_protocol(&Peer::Memory).expect("it is offline");
    memory::connect(reactor, StreamConfig::default(), protocol).expect("no limit")
}
