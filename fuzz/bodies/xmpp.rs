//! XMPP: a stream is read alike in whatever pieces it arrives, what is read can be written and is read as the same, addresses are
//! stable; whatever a server sends, a client sends only what is a stream; and whatever a client sends, so does a server, which forgets
//! the client when it is gone.

use std::time::Duration;

use sinew::{
    auth::{Authenticator, AuthenticatorConfig, ClientLogin, Users},
    chat::xmpp::{
        client::{Security, XmppClient, XmppConfig, XmppHandler},
        codec::{
            Element, Jid, Message, Stanza, StreamEvent, StreamParser, XmlError, XmlLimits, ns,
        },
        server::{ServerConfig, XmppServer},
    },
    reactor::Reactor,
    transports::{Factory, Peer, StreamConfig, memory},
};

use super::{input::Input, pieces::pieces};

const HEADER: &[u8] = b"<s xmlns='jabber:client'>";

/// A stream, whole and in pieces.
pub(crate) fn stream(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let stream = data.rest();
    let whole = events(&[stream]);
    let parts: Vec<&[u8]> = pieces(stream, &lens).collect();
    assert_eq!(whole, events(&parts));
    for event in whole.0 {
        if let StreamEvent::Stanza(element) = event {
            written_again(element);
        }
    }
}

fn events(pieces: &[&[u8]]) -> (Vec<StreamEvent>, Option<XmlError>) {
    let limits = XmlLimits::default().stanza_max(1_024).depth_max(8).attributes_max(8);
    let mut parser = StreamParser::new(limits.elements_max(32).value_max(64));
    let mut found = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            match parser.next(&mut piece) {
                Ok(Some(event)) => found.push(event),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn written_again(element: Element) {
    let text = element.encode(ns::CLIENT).expect("what was read can be written");
    let mut parser = StreamParser::new(XmlLimits::default().stanza_max(1 << 20));
    let mut data = HEADER;
    assert!(matches!(parser.next(&mut data), Ok(Some(StreamEvent::Opened(_)))));
    let mut data = text.as_bytes();
    let read = parser.next(&mut data).expect("what was written can be read");
    assert_eq!(read, Some(StreamEvent::Stanza(element.clone())));
    if let Ok(stanza) = Stanza::try_from(element) {
        let element = match stanza {
            Stanza::Message(message) => message.into_element(),
            Stanza::Presence(presence) => presence.into_element(),
            Stanza::Iq(iq) => iq.into_element(),
            _ => return,
        };
        for name in ["from", "to"] {
            let address = element.attribute(name).map(str::parse::<Jid>);
            assert!(address.is_none_or(|jid| jid.is_ok()));
        }
    }
}

/// An address.
pub(crate) fn jid(data: &mut Input<'_>) {
    let Ok(text) = std::str::from_utf8(data.rest()) else { return };
    let Ok(jid) = text.parse::<Jid>() else { return };
    assert_eq!(jid.to_string().parse(), Ok(jid.clone()));
    let stanza = Element::new("message", ns::CLIENT).with_attribute("to", jid.to_string());
    assert!(stanza.encode(ns::CLIENT).is_ok(), "addresses have only what XML can hold");
}

/// Says something to whom it hears of.
struct Echo;

impl XmppHandler for Echo {
    fn message_received(&mut self, xmpp: &XmppClient, message: &Message) {
        if let (Some(from), Some(body)) = (message.from(), message.body()) {
            let _ = xmpp.send_message(Message::chat(from.clone()).with_body(body));
        }
    }
}

/// A server that sends anything, before the login or after it; then it cuts the connection, and the client connects again.
pub(crate) fn client(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let is_online = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    let jid: Jid = "ann@b/c".parse().expect("an address");
    let config = XmppConfig::with_login(jid, login).security(Security::None);
    let xmpp = XmppClient::new(&reactor, config.carbons(true), Echo);
    for _ in 0..2 {
        let Some(connection) = xmpp.clone().build_protocol(&Peer::Memory) else { return };
        let made = memory::connect(&reactor, StreamConfig::default(), connection);
        let (_connection, wire) = made.expect("room for one");
        let begin: &[&[u8]] = if is_online { &ONLINE } else { &[] };
        for piece in begin.iter().copied().chain(pieces(stream, &lens)) {
            wire.receive_if_open(piece);
            reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
        }
        sent_streams(&wire.sent());
        wire.reset_if_open();
        reactor.advance(Duration::from_secs(10)).expect("the loop becomes idle");
    }
}

/// What brings the client online.
const ONLINE: [&[u8]; 5] = [
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features>\
      <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'><stream:features>\
      <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><sm xmlns='urn:xmpp:sm:3'/></stream:features>",
    b"<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>ann@b/c</jid></bind></iq>",
    b"<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>",
];

/// A client that sends anything, before the login or after it, while another one is there; then its connection is cut.
pub(crate) fn server(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let is_online = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let rules = AuthenticatorConfig::default().allow_plaintext(true);
    let users = Users::new().user("ann", "secret").user("bob", "secret");
    let config = ServerConfig::new("b", Authenticator::with(users, rules)).expect("a domain");
    let config = config.requires_tls(false).send_queue_max(100_000).unacknowledged_max(20);
    let server = XmppServer::new(&reactor, config.resume_within(Duration::from_secs(10)));
    let connect = || {
        let made = memory::connect(&reactor, StreamConfig::default(), server.connection());
        made.expect("room for two")
    };
    let step = || reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
    let ((_member, member), (_connection, wire)) = (connect(), connect());
    for (wire, login, logs_in) in
        [(&member, "AGJvYgBzZWNyZXQ=", true), (&wire, "AGFubgBzZWNyZXQ=", is_online)]
    {
        let auth = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{login}</auth>"
        );
        let all: &[&[u8]] = if logs_in { &[STREAM, auth.as_bytes(), STREAM, BEGIN] } else { &[] };
        for text in all {
            wire.receive_if_open(text);
            step();
        }
    }
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        step();
    }
    wire.reset_if_open();
    // Also a session that could have been resumed.
    reactor.advance(Duration::from_secs(30)).expect("the loop becomes idle");
    sent_streams(&member.sent());
    sent_streams(&wire.sent());
    let report = server.report();
    assert!(report.connections <= 1 && report.sessions <= 1, "{report:?}");
    assert_eq!((report.sessions_waiting, report.accounts_unsaved), (0, 0), "{report:?}");
}

const STREAM: &[u8] = b"<stream:stream to='b' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
/// A resource `x`, stream management, and presence.
const BEGIN: &[u8] = b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource></bind></iq>\
    <enable xmlns='urn:xmpp:sm:3' resume='true'/><presence/><iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";

/// Streams of XML, one after another, each from its declaration on.
pub(super) fn sent_streams(sent: &[u8]) {
    let sent = std::str::from_utf8(sent).expect("it is UTF-8");
    for stream in sent.split("<?xml version='1.0'?>").skip(1) {
        let (found, error) = {
            let mut parser = StreamParser::new(XmlLimits::default());
            let (mut found, mut data) = (0, stream.as_bytes());
            loop {
                match parser.next(&mut data) {
                    Ok(Some(_)) => found += 1,
                    Ok(None) => break (found, None),
                    Err(error) => break (found, Some(error)),
                }
            }
        };
        assert!(error.is_none() && found > 0, "{error:?} in {stream}");
    }
}
