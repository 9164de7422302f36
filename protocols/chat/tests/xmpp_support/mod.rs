//! A client of XMPP in memory, whose server is a script; its handler notes what it is told.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_auth::{ClientLogin, Mechanism};
use sinew_chat::xmpp::{
    client::{
        Contact, IqRequest, Security, XmppClient, XmppConfig, XmppConnection, XmppError,
        XmppHandler,
    },
    codec::{Element, Jid, Message, Presence, StanzaError},
};
use sinew_transports::{
    Connection, ConnectionLost, Factory, Peer, StreamConfig, memory, memory::Wire, reactor::Reactor,
};

pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='x' version='1.0'>";
pub(crate) const MECHANISMS: &str = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>PLAIN</mechanism></mechanisms></stream:features>";
pub(crate) const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
pub(crate) const BIND: &str = "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
    <sm xmlns='urn:xmpp:sm:3'/></stream:features>";
pub(crate) const BOUND: &str = "<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <jid>ann@example.org/desk</jid></bind></iq>";
pub(crate) const ENABLED: &str =
    "<enabled xmlns='urn:xmpp:sm:3' id='sm1' resume='true' max='100'/>";

pub(crate) type Notes = Rc<RefCell<Vec<String>>>;

/// Notes each event as a line, and keeps the questions.
pub(crate) struct Noting(pub(crate) Notes, pub(crate) Rc<RefCell<Vec<IqRequest>>>);

impl Noting {
    fn note(&self, text: String) {
        self.0.borrow_mut().push(text);
    }
}

fn of(jid: Option<&Jid>) -> String {
    jid.map(Jid::to_string).unwrap_or_default()
}

impl XmppHandler for Noting {
    fn online(&mut self, _: &XmppClient, is_resumed: bool) {
        self.note(format!("online {is_resumed}"));
    }

    fn login_failed(&mut self, _: &XmppClient, error: &XmppError) {
        self.note(format!("login_failed {error}"));
    }

    fn connection_lost(&mut self, _: &XmppClient, reason: &ConnectionLost) {
        self.note(format!("connection_lost {reason}"));
    }

    fn undelivered(&mut self, _: &XmppClient, stanzas: Vec<Element>) {
        let names: Vec<_> = stanzas.iter().map(Element::name).collect();
        self.note(format!("undelivered {}", names.join(" ")));
    }

    fn message_received(&mut self, _: &XmppClient, message: &Message) {
        self.note(format!("message {} {:?}", of(message.from()), message.body()));
    }

    fn room_message(&mut self, _: &XmppClient, message: &Message) {
        self.note(format!("room_message {} {:?}", of(message.from()), message.body()));
    }

    fn message_failed(&mut self, _: &XmppClient, message: &Message, error: &StanzaError) {
        self.note(format!("message_failed {} {error}", of(message.from())));
    }

    fn carbon_received(&mut self, _: &XmppClient, message: &Message, is_sent: bool) {
        self.note(format!("carbon {} {is_sent}", of(message.from())));
    }

    fn receipt_received(&mut self, _: &XmppClient, from: &Jid, id: &str) {
        self.note(format!("receipt {from} {id}"));
    }

    fn presence_received(&mut self, _: &XmppClient, presence: &Presence) {
        self.note(format!("presence {} {:?}", of(presence.from()), presence.kind()));
    }

    fn subscription_requested(&mut self, _: &XmppClient, from: &Jid, _: &Presence) {
        self.note(format!("subscription_requested {from}"));
    }

    fn subscription_changed(&mut self, _: &XmppClient, presence: &Presence) {
        self.note(format!("subscription_changed {}", of(presence.from())));
    }

    fn roster_received(&mut self, xmpp: &XmppClient) {
        self.note(format!("roster {}", xmpp.roster().len()));
    }

    fn contact_changed(&mut self, _: &XmppClient, jid: &Jid, contact: Option<&Contact>) {
        self.note(format!("contact {jid} {:?}", contact.map(|contact| contact.subscription)));
    }

    fn room_joined(&mut self, _: &XmppClient, room: &Jid) {
        self.note(format!("room_joined {room}"));
    }

    fn room_left(&mut self, _: &XmppClient, room: &Jid, _: &Presence) {
        self.note(format!("room_left {room}"));
    }

    fn iq_received(&mut self, _: &XmppClient, request: IqRequest) {
        if request.payload().is_some_and(|payload| payload.is("mine", "urn:mine")) {
            self.1.borrow_mut().push(request);
        }
    }
}

/// A client and the other end of its connection.
pub(crate) struct Script {
    pub(crate) reactor: Reactor,
    pub(crate) xmpp: XmppClient,
    pub(crate) wire: Wire,
    pub(crate) connection: Connection<XmppConnection>,
    pub(crate) questions: Rc<RefCell<Vec<IqRequest>>>,
    notes: Notes,
}

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

pub(crate) fn plain() -> ClientLogin {
    ClientLogin::password("ann", "secret").allow_plaintext(true).mechanisms([Mechanism::Plain])
}

/// A client that begins with nothing of its own.
pub(crate) fn config() -> XmppConfig {
    let config = XmppConfig::with_login(jid("ann@example.org/desk"), plain());
    config.security(Security::None).fetches_roster(false).presence(None)
}

impl Script {
    /// A client that has connected, and has received nothing.
    pub(crate) fn new(config: XmppConfig) -> Self {
        let (notes, questions) = (Notes::default(), Rc::default());
        let script = Self::with(config, Noting(Rc::clone(&notes), Rc::clone(&questions)));
        Self { notes, questions, ..script }
    }

    /// The same with a handler that notes nothing.
    pub(crate) fn with(config: XmppConfig, handler: impl XmppHandler) -> Self {
        let reactor = Reactor::simulated(0);
        let xmpp = XmppClient::new(&reactor, config, handler);
        let (connection, wire) = connect(&reactor, &xmpp);
        let (questions, notes) = (Rc::default(), Notes::default());
        Self { reactor, xmpp, wire, connection, questions, notes }
    }

    /// A client that is online, with stream management.
    pub(crate) fn online(config: XmppConfig) -> Self {
        let script = Self::new(config);
        script.log_in();
        script.receive(BIND);
        script.receive(BOUND);
        script.receive(ENABLED);
        assert!(script.xmpp.is_online() && script.xmpp.can_resume());
        assert_eq!(script.notes(), ["online false"]);
        script
    }

    /// A client that is online, whose server has no stream management.
    pub(crate) fn online_simply(config: XmppConfig) -> Self {
        let script = Self::new(config);
        script.log_in();
        script.receive(
            "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
        );
        script.receive(BOUND);
        assert_eq!(script.notes(), ["online false"]);
        script
    }

    /// The login, up to the header of the stream behind it.
    pub(crate) fn log_in(&self) {
        self.receive(HEADER);
        self.receive(MECHANISMS);
        self.receive(SUCCESS);
        self.receive(HEADER);
        let sent = self.sent();
        assert!(sent.contains("mechanism='PLAIN'>AGFubgBzZWNyZXQ=</auth>"), "{sent}");
    }

    /// Connects the same client again.
    pub(crate) fn reconnect(&mut self) {
        (self.connection, self.wire) = connect(&self.reactor, &self.xmpp);
        self.advance(0);
    }

    /// The connection is reset.
    pub(crate) fn cut(&self) {
        self.wire.reset();
        self.advance(0);
        let notes = self.notes();
        assert!(notes.last().unwrap().starts_with("connection_lost"), "{notes:?}");
    }

    pub(crate) fn receive(&self, text: &str) {
        self.wire.receive_if_open(text.as_bytes());
        self.advance(0);
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.reactor.advance(Duration::from_millis(millis)).expect("the simulation settles");
    }

    /// What the client has sent since the last call.
    pub(crate) fn sent(&self) -> String {
        self.advance(0);
        String::from_utf8(self.wire.sent()).expect("it is UTF-8")
    }

    /// What the handler was told since the last call.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.borrow_mut())
    }

    /// The server ends the connection, and the client is told why it has failed.
    pub(crate) fn failure(&self) -> String {
        self.wire.close_if_open();
        self.advance(10_000);
        let notes = self.notes();
        assert_eq!(notes.len(), 1, "{notes:?}");
        notes[0].clone()
    }
}

fn connect(reactor: &Reactor, xmpp: &XmppClient) -> (Connection<XmppConnection>, Wire) {
    let protocol = xmpp.clone().build_protocol(&Peer::Memory).expect("it is offline");
    memory::connect(reactor, StreamConfig::default(), protocol).expect("there is no limit")
}
