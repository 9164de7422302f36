//! Rooms and some people, whose stanzas are XML; what is answered is written in one line each.

use std::time::{Duration, SystemTime};

use sinew_chat::xmpp::{
    codec::{Element, Jid, StanzaError, StreamEvent, StreamParser, XmlLimits, ns},
    server::rooms::{Room, Rooms, RoomsConfig},
};

pub(crate) struct Script {
    pub(crate) rooms: Rooms,
    pub(crate) now: SystemTime,
}

pub(crate) fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// An element of `jabber:client`.
pub(crate) fn parse(xml: &str) -> Element {
    let text = format!("<stream xmlns='jabber:client'>{xml}");
    let mut parser = StreamParser::new(XmlLimits::default());
    let mut data = text.as_bytes();
    while let Some(event) = parser.next(&mut data).expect("it is XML") {
        if let StreamEvent::Stanza(element) = event {
            return element;
        }
    }
    panic!("{xml} has no end")
}

/// `to: presence of nick, member/participant, 110 201` and the like.
pub(crate) fn describe(stanza: &Element) -> String {
    let part = |name| stanza.attribute(name).unwrap_or_default();
    let to = part("to").split('@').next().unwrap_or_default();
    let from = part("from").split('/').nth(1).unwrap_or("room");
    let mut line = format!("{to}: {} of {from}", stanza.name());
    if let Some(kind) = stanza.attribute("type") {
        line += &format!(", {kind}");
    }
    for child in stanza.children() {
        match (child.name(), child.ns()) {
            ("x", ns::MUC_USER) => describe_x(child, &mut line),
            ("body" | "subject", _) => line += &format!(", {} {:?}", child.name(), child.text()),
            ("error", _) => line += &format!(", {}", StanzaError::of(stanza).condition),
            ("delay", _) => line += &format!(", {}", child.attribute("stamp").unwrap()),
            (name, _) => line += &format!(", <{name}>"),
        }
    }
    line
}

fn describe_x(x: &Element, line: &mut String) {
    for child in x.children() {
        let of = |name| child.attribute(name).unwrap_or_default();
        match child.name() {
            "item" => *line += &format!(", {}/{}", of("affiliation"), of("role")),
            "status" => *line += &format!(" {}", of("code")),
            name => *line += &format!(" <{name} {}>", of("from")),
        }
        if let Some(nick) = child.attribute("nick") {
            *line += &format!(" now {nick}");
        }
        for detail in child.children() {
            *line += &match detail.attribute("nick") {
                Some(actor) => format!(" by {actor}"),
                None => format!(" {:?}", detail.text()),
            };
        }
    }
}

impl Script {
    pub(crate) fn new(config: RoomsConfig) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        Self { rooms: Rooms::new(jid("rooms.b"), config), now }
    }

    /// The room `club`, which Ann has made, with these others in it.
    pub(crate) fn with(people: &[&str]) -> Self {
        let mut script = Self::new(RoomsConfig::default().locks_new_rooms(false));
        for name in ["ann"].iter().chain(people) {
            script.enter(name);
        }
        script
    }

    /// A stanza of somebody; what comes of it.
    pub(crate) fn send(&mut self, from: &str, xml: &str) -> Vec<Element> {
        let stanza = parse(xml).with_attribute("from", format!("{from}@b/x"));
        self.rooms.stanza_received(stanza, self.now)
    }

    pub(crate) fn told(&mut self, from: &str, xml: &str) -> Vec<String> {
        self.send(from, xml).iter().map(describe).collect()
    }

    /// The condition of the one answer.
    pub(crate) fn error(&mut self, from: &str, xml: &str) -> String {
        let out = self.send(from, xml);
        assert_eq!(out.len(), 1, "{xml}: {out:?}");
        assert_eq!(out[0].attribute("to"), Some(format!("{from}@b/x").as_str()));
        StanzaError::of(&out[0]).condition.to_string()
    }

    pub(crate) fn enter(&mut self, name: &str) -> Vec<String> {
        self.told(name, &entry(name, ""))
    }

    pub(crate) fn leave(&mut self, name: &str) -> Vec<String> {
        let xml = format!("<presence type='unavailable' to='club@rooms.b/{name}'/>");
        self.told(name, &xml)
    }

    pub(crate) fn say(&mut self, name: &str, body: &str) -> Vec<String> {
        let xml =
            format!("<message type='groupchat' to='club@rooms.b'><body>{body}</body></message>");
        self.told(name, &xml)
    }

    pub(crate) fn room(&self) -> &Room {
        self.rooms.room(&jid("club@rooms.b")).expect("there is a room")
    }

    pub(crate) fn configure(&mut self, fields: &[(&str, &str)]) -> Vec<String> {
        self.told("ann", &submit(fields))
    }
}

/// Somebody enters, with this in the entry.
pub(crate) fn entry(nick: &str, x: &str) -> String {
    format!(
        "<presence to='club@rooms.b/{nick}'><x xmlns='http://jabber.org/protocol/muc'>{x}</x></presence>"
    )
}

/// A set of `muc#admin` with these items.
pub(crate) fn admin(items: &str) -> String {
    format!(
        "<iq type='set' id='1' to='club@rooms.b'><query xmlns='{}'>{items}</query></iq>",
        ns::MUC_ADMIN
    )
}

/// A set of `muc#owner`.
pub(crate) fn owner(payload: &str) -> String {
    format!(
        "<iq type='set' id='1' to='club@rooms.b'><query xmlns='{}'>{payload}</query></iq>",
        ns::MUC_OWNER
    )
}

pub(crate) fn submit(fields: &[(&str, &str)]) -> String {
    let fields: String = fields
        .iter()
        .map(|(name, value)| {
            let name = if name.contains('#') {
                (*name).to_owned()
            } else {
                format!("muc#roomconfig_{name}")
            };
            format!("<field var='{name}'><value>{value}</value></field>")
        })
        .collect();
    owner(&format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
}
