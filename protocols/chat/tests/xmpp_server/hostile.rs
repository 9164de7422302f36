//! Input that nobody should send, and pieces of any size.

use super::kit::{HEADER, Site, auth, bind, config};

/// What the stream ends with, before a login and after it.
fn conditions(text: &str) -> [String; 2] {
    let before = {
        let site = Site::new(config());
        let client = site.connect();
        client.say(HEADER);
        condition(&client.ask(text))
    };
    let after = {
        let site = Site::new(config());
        let client = site.online("ann", "desk");
        condition(&client.ask(text))
    };
    [before, after]
}

fn condition(heard: &str) -> String {
    let Some(at) = heard.find("<stream:error><") else { return heard.to_owned() };
    let rest = &heard[at + "<stream:error><".len()..];
    rest[..rest.find(' ').unwrap()].to_owned()
}

#[test]
fn xml_that_xmpp_does_not_have() {
    for (text, expected) in [
        // dtd, entity, comment, instruction
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>", "restricted-xml"),
        ("<message>&a;</message>", "restricted-xml"),
        ("<!-- x -->", "restricted-xml"),
        ("<?x y?>", "restricted-xml"),
        // second_xml_declaration
        ("<?xml version='1.0'?>", "restricted-xml"),
        ("<a></b>", "not-well-formed"),
        ("<a a='1' a='2'/>", "not-well-formed"),
        ("text", "not-well-formed"),
        ("<a:b/>", "bad-namespace-prefix"),
        ("<a>\u{1}</a>", "not-well-formed"),
        // namespace_redeclared_in_child
        ("<x:message xmlns:x='jabber:server'/>", "unsupported-stanza-type"),
    ] {
        for found in conditions(text) {
            assert_eq!(found, expected, "{text}");
        }
    }
    let site = Site::new(config());
    let client = site.connect();
    client.wire.receive(&b"<stream:stream a='\xff'>"[..]);
    site.advance(0);
    assert_eq!(condition(&client.heard()), "not-well-formed");
}

#[test]
fn attribute_bomb() {
    let attributes: String = (0..200).map(|number| format!(" a{number}=''")).collect();
    for found in conditions(&format!("<message{attributes}/>")) {
        assert_eq!(found, "policy-violation");
    }
}

#[test]
fn depth_10000_costs_nothing() {
    for found in conditions(&"<a>".repeat(10_000)) {
        assert_eq!(found, "policy-violation");
    }
}

/// What our client sends at most is taken and passed on. With one more element, the stream ends.
#[test]
fn the_deepest_stanza() {
    let deep = |depth: usize| {
        let (start, end) = ("<x>".repeat(depth - 1), "</x>".repeat(depth - 1));
        format!("<message to='ann@example.org' type='chat'>{start}{end}</message>")
    };
    let site = Site::new(config());
    let (ann, phone) = (site.online("ann", "desk"), site.online("ann", "phone"));
    phone.ask("<iq type='set' id='1'><enable xmlns='urn:xmpp:carbons:2'/></iq>");
    let bob = site.online("bob", "desk");
    bob.say(&deep(63).replace("ann@example.org", "ann@example.org/desk"));
    assert_eq!(ann.heard().matches("<x").count(), 62);
    // The copy is three deeper: `elements_in_each_other` of the client reads one.
    let copy = phone.heard();
    assert!(copy.contains("<forwarded ") && copy.matches("<x").count() == 62, "{copy}");
    assert_eq!(condition(&bob.ask(&deep(64))), "policy-violation");
}

#[test]
fn open_tag_never_closed() {
    let site = Site::new(config());
    let client = site.connect();
    client.say(HEADER);
    client.say("<auth a='");
    for _ in 0..20 {
        client.say(&"x".repeat(1_000));
    }
    assert_eq!(condition(&client.heard()), "policy-violation");
}

/// 10 KiB before the login, 256 KiB after it.
#[test]
fn stanzas_before_and_after_the_login() {
    let long =
        |len: usize| format!("<message to='example.org'><x>{}</x></message>", "y".repeat(len));
    let site = Site::new(config());
    let client = site.connect();
    client.say(HEADER);
    assert_eq!(condition(&client.ask(&long(11_000))), "policy-violation");
    let client = site.online("ann", "desk");
    client.say(&long(11_000));
    assert!(client.heard().contains("service-unavailable"));
    client.say(&long(300_000));
    assert_eq!(condition(&client.heard()), "policy-violation");
}

/// What was received may come in pieces of any size, and one piece may have several stanzas.
#[test]
fn every_split() {
    let session = [
        HEADER,
        &auth("ann", "secret"),
        HEADER,
        &bind("d\u{e9}sk"),
        "<enable xmlns='urn:xmpp:sm:3'/><presence/> <r xmlns='urn:xmpp:sm:3'/>\
         <message to='ann@example.org/d\u{e9}sk'><body>\u{1f4f1} &lt;</body></message>\
         <iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq></stream:stream>",
    ]
    .concat();
    let bytes = session.as_bytes();
    let whole = run(&[bytes]);
    assert!(
        whole.contains("<body>\u{1f4f1} &lt;</body>") && whole.ends_with("</stream:stream>"),
        "{whole}"
    );
    for at in 1..bytes.len() {
        let (first, second) = bytes.split_at(at);
        assert_eq!(run(&[first, second]), whole, "split at {at}");
    }
    let each: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(&each), whole);
}

/// All that the server says, without what is random.
fn run(pieces: &[&[u8]]) -> String {
    let site = Site::new(config());
    let client = site.connect();
    for piece in pieces {
        client.wire.receive_if_open(piece);
        site.advance(0);
    }
    let mut heard = client.heard();
    for marker in ["example.org' id='"] {
        let mut from = 0;
        while let Some(at) = heard[from..].find(marker) {
            let at = from + at + marker.len();
            heard.replace_range(at..at + 32, "ID");
            from = at;
        }
    }
    heard
}

/// Nothing in a value can end it where it is written again.
#[test]
fn nothing_breaks_out() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.say(
        "<message to='bob@example.org/desk' id=\"'/>&lt;evil/>\"><body><![CDATA[</body></message><evil/>]]></body></message>",
    );
    let heard = bob.heard();
    assert!(!heard.contains("<evil"), "{heard}");
    assert!(heard.contains("&lt;evil/&gt;") || heard.contains("&lt;evil/>"), "{heard}");
}
