//! Everything that a server can send, in every phase: the table of `state.rs`.

use std::time::Duration;

use crate::xmpp_support::{BIND, BOUND, ENABLED, HEADER, MECHANISMS, SUCCESS, Script, config};

/// What is received, and what becomes of the connection in `Features`, `LoggingIn`, `Binding`, `Resuming`, `Enabling` and `Online`:
/// `-` it fails, `+` it goes on.
const TABLE: [(&str, &str); 14] = [
    ("<stream:features/>", "------"),
    ("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "------"),
    ("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "------"),
    ("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "-+----"),
    ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "------"),
    ("<iq type='result' id='x'/>", "----++"),
    ("<iq type='get' id='x' from='a@b'><x/></iq>", "--+-++"),
    ("<message from='a@b'/>", "--+-++"),
    ("<presence from='a@b'/>", "--+-++"),
    ("<failed xmlns='urn:xmpp:sm:3'/>", "---+++"),
    ("<enabled xmlns='urn:xmpp:sm:3'/>", "----++"),
    ("<r xmlns='urn:xmpp:sm:3'/>", "---+++"),
    ("<stream:error/>", "------"),
    ("</stream:stream>", "------"),
];

/// A client in the phase of that column.
fn in_phase(column: usize) -> Script {
    let resumes = column == 3;
    if resumes {
        let mut script = Script::online(config());
        script.cut();
        script.reconnect();
        script.log_in();
        script.receive(BIND);
        assert!(script.sent().contains("<resume "));
        return script;
    }
    let script = Script::new(config());
    let steps = [HEADER, MECHANISMS, SUCCESS, HEADER, BIND, BOUND, ENABLED];
    let count = match column {
        0 => 1,
        1 => 2,
        2 => 5,
        4 => 6,
        _ => 7,
    };
    for step in &steps[..count] {
        script.receive(step);
    }
    script
}

#[test]
fn every_element_in_every_phase() {
    for (text, row) in TABLE {
        for (column, expected) in row.chars().enumerate() {
            let script = in_phase(column);
            script.notes();
            script.sent();
            script.receive(text);
            assert_eq!(
                script.wire.is_closing(),
                expected == '-',
                "{text} in column {column}: {:?}",
                script.notes()
            );
            if expected == '-' {
                // Nothing is received any more, whatever is in flight.
                script.receive("<message from='a@b'><body>late</body></message>");
                script.wire.close_if_open();
                script.advance(10_000);
                let notes = script.notes();
                assert!(notes.iter().all(|note| !note.contains("late")), "{notes:?}");
                assert!(!script.xmpp.is_online());
            }
        }
    }
}

#[test]
fn before_the_header() {
    for text in ["</stream:stream>", "x", "<!--", "<message/>", "<stream:stream>"] {
        let script = Script::new(config());
        script.receive(text);
        assert!(script.wire.is_closing(), "{text}");
        assert!(script.failure().starts_with("login_failed"));
    }
}

#[test]
fn a_second_connection_is_refused() {
    use sinew_transports::{Factory, Peer};
    let script = Script::new(config());
    script.advance(0);
    assert!(script.xmpp.clone().build_protocol(&Peer::Memory).is_none());
    let again = script.xmpp.connect(&script.reactor, ("127.0.0.1", 9));
    script.advance(0);
    assert!(again.take().unwrap().unwrap_err().to_string().contains("connected already"));
    let waiting = (script.xmpp.when_online(), script.xmpp.when_online());
    script.failure();
    assert!(waiting.0.take().unwrap().is_err() && waiting.1.take().unwrap().is_err());
    script.reactor.advance(Duration::from_secs(100)).unwrap();
}
