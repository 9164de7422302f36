//! XMPP: whatever a server sends to a component, and a component to its port, both send only what is a stream; and no stanzas break a
//! room.

use std::time::{Duration, SystemTime};

use sinew::{
    auth::Users,
    chat::xmpp::{
        codec::{
            Element, Message, Stanza, StreamEvent, StreamParser, XmlLimits, component_handshake, ns,
        },
        component::{ComponentConfig, ComponentHandler, XmppComponent},
        server::{
            ServerConfig, XmppServer,
            components::{ComponentPort, ComponentsConfig},
            rooms::{Affiliation, Role, Room, RoomChange, Rooms, RoomsConfig},
        },
    },
    reactor::Reactor,
    transports::{Factory, Peer, StreamConfig, memory},
};

use super::{input::Input, pieces::pieces, xmpp::sent_streams};

const OPEN: &[u8] = b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='c.b' id='1'>";

/// Says something to whom it hears of.
struct Echo;

impl ComponentHandler for Echo {
    fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {
        if let (Some(from), Some(body)) = (message.from(), message.body()) {
            let _ = xmpp.send(Message::chat(from.clone()).with_body(body));
        }
    }
}

/// A server that sends anything to a component, before it has accepted it or after.
pub(crate) fn component(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let is_online = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let config = ComponentConfig::new("c.b".parse().expect("a domain"), "secret");
    let xmpp = XmppComponent::new(&reactor, config, Echo);
    for _ in 0..2 {
        let Some(connection) = xmpp.clone().build_protocol(&Peer::Memory) else { return };
        let made = memory::connect(&reactor, StreamConfig::default(), connection);
        let (_connection, wire) = made.expect("room for one");
        let begin: &[&[u8]] = if is_online { &[OPEN, b"<handshake/>"] } else { &[] };
        for piece in begin.iter().copied().chain(pieces(stream, &lens)) {
            wire.receive_if_open(piece);
            reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
        }
        sent_streams(&wire.sent());
        wire.reset_if_open();
        reactor.advance(Duration::from_secs(10)).expect("the loop becomes idle");
    }
}

/// A component that sends anything to its port, before it has proved its secret or after.
pub(crate) fn component_port(data: &mut Input<'_>) {
    let lens = data.piece_lens(64);
    let is_online = data.byte().is_multiple_of(2);
    let stream = data.bytes(4 * 1_024);
    let reactor = Reactor::simulated(0);
    let config = ComponentsConfig::default().component("c.b", "secret").expect("a domain");
    let mut port = ComponentPort::new(config);
    let config = ServerConfig::new("b", Users::new()).expect("a domain");
    let server = XmppServer::new(&reactor, port.register(config).expect("a domain"));
    port.attach(&server);
    let connection = port.build_protocol(&Peer::Memory).expect("room for one");
    let made = memory::connect(&reactor, StreamConfig::default(), connection);
    let (_connection, wire) = made.expect("room for one");
    let mut sent = Vec::new();
    if is_online {
        wire.receive(OPEN);
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
        sent = wire.sent();
        let header = std::str::from_utf8(&sent).expect("it is UTF-8");
        let id = header.split(" id='").nth(1).and_then(|id| id.split('\'').next());
        let proof = component_handshake(id.expect("a header has an id"), b"secret");
        wire.receive(format!("<handshake>{proof}</handshake>").as_bytes());
        reactor.advance(Duration::ZERO).expect("the loop becomes idle");
        assert_eq!(port.connected().len(), 1);
    }
    for piece in pieces(stream, &lens) {
        wire.receive_if_open(piece);
        reactor.advance(Duration::from_millis(20)).expect("the loop becomes idle");
    }
    sent.extend(wire.sent());
    sent_streams(&sent);
    wire.reset_if_open();
    reactor.advance(Duration::from_secs(10)).expect("the loop becomes idle");
    assert!(port.connected().is_empty());
}

/// Stanzas of anybody to rooms.
pub(crate) fn rooms(data: &mut Input<'_>) {
    let domain = || "r.b".parse().expect("a domain");
    let config = || RoomsConfig::default().occupants_max(4).rooms_max(3).history_max(4);
    let locks = data.byte().is_multiple_of(2);
    let mut rooms = Rooms::new(domain(), config().locks_new_rooms(locks));
    let mut parser = StreamParser::new(XmlLimits::default());
    let stream = [b"<s xmlns='jabber:client'>", data.bytes(8 * 1_024)].concat();
    let mut data = stream.as_slice();
    while let Ok(Some(event)) = parser.next(&mut data) {
        let StreamEvent::Stanza(stanza) = event else { continue };
        for out in rooms.stanza_received(stanza, SystemTime::UNIX_EPOCH) {
            is_stanza(out);
        }
        rooms.rooms().for_each(holds);
        for change in rooms.take_changes().into_values() {
            if let RoomChange::Save(record) = change {
                let mut again = Rooms::new(domain(), config());
                again.restore(&record).expect("what is stored can be read");
            }
        }
    }
}

fn is_stanza(out: Element) {
    assert!(out.encode(ns::CLIENT).is_ok(), "{out:?}");
    assert!(out.attribute("from").is_some() && out.attribute("to").is_some(), "{out:?}");
    assert!(Stanza::try_from(out).is_ok());
}

fn holds(room: &Room) {
    assert!(room.affiliations().any(|(_, affiliation)| affiliation == Affiliation::Owner));
    for (_, occupant) in room.occupants() {
        let affiliation = room.affiliation(occupant.jid());
        assert!(affiliation > Affiliation::Outcast && occupant.role() > Role::None);
        assert!(!room.settings().is_members_only || affiliation >= Affiliation::Member);
    }
}
