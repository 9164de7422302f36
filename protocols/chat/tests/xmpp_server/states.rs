//! Each element in each state of a connection.

use super::kit::{Client, HEADER, Site, auth, bind, config};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const RESPONSE: &str =
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AGFubgBzZWNyZXQ=</response>";
const ABORT: &str = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const RESUME: &str = "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>";
const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3'/>";
const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";
const ACTIVE: &str = "<active xmlns='urn:xmpp:csi:0'/>";
const INACTIVE: &str = "<inactive xmlns='urn:xmpp:csi:0'/>";
const PING: &str = "<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>";
const MESSAGE: &str = "<message to='bob@example.org'/>";

/// A connection in that state.
fn in_state<'a>(site: &'a Site, state: &str) -> Client<'a> {
    match state {
        "binding" => return site.log_in("ann"),
        "online" => return site.bind("ann", "desk"),
        _ => {}
    }
    let client = site.connect();
    if state != "opening" {
        client.say(HEADER);
    }
    if state == "responding" {
        client.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>");
    }
    client.heard();
    client
}

/// What the answer is, in a word.
fn answer(state: &str, text: &str) -> String {
    let site = Site::new(config());
    let client = in_state(&site, state);
    let heard = client.ask(text);
    let conditions = [
        "not-authorized",
        "unsupported-stanza-type",
        "not-well-formed",
        "invalid-namespace",
        "bad-format",
    ];
    if heard.contains("<stream:error>") {
        assert!(heard.ends_with("</stream:error></stream:stream>"), "{heard}");
        let found = conditions.iter().find(|word| heard.contains(&format!("<{word} ")));
        return format!("ends: {}", found.unwrap_or(&"?"));
    }
    for (sign, word) in [
        ("</stream:stream>", "closes"),
        ("<stream:features>", "features"),
        ("<failure", "failure"),
        ("<success", "success"),
        ("<challenge", "challenge"),
        ("<failed", "failed"),
        ("<enabled", "enabled"),
        ("<jid>", "bound"),
        ("type='result'", "result"),
        ("type='error'", "error"),
    ] {
        if heard.contains(sign) {
            return word.to_owned();
        }
    }
    assert_eq!(heard, "", "{state}: {text}");
    "nothing".to_owned()
}

#[test]
fn every_element_in_every_state() {
    let stanza = "ends: not-authorized";
    let no_stanza = "ends: unsupported-stanza-type";
    let auth = auth("ann", "secret");
    let bind = bind("desk");
    for (text, expected) in [
        (STARTTLS, ["closes", no_stanza, no_stanza, no_stanza]),
        (&auth, ["success", no_stanza, no_stanza, no_stanza]),
        (RESPONSE, [no_stanza, "success", no_stanza, no_stanza]),
        (ABORT, [no_stanza, "failure", no_stanza, no_stanza]),
        (&bind, [stanza, stanza, "bound", "error"]),
        (RESUME, [no_stanza, no_stanza, "failed", no_stanza]),
        (ENABLE, [no_stanza, no_stanza, no_stanza, "enabled"]),
        (REQUEST, [no_stanza, no_stanza, no_stanza, no_stanza]),
        (ACTIVE, [no_stanza, no_stanza, no_stanza, "nothing"]),
        (INACTIVE, [no_stanza, no_stanza, no_stanza, "nothing"]),
        (PING, [stanza, stanza, stanza, "result"]),
        (MESSAGE, [stanza, stanza, stanza, "nothing"]),
        ("<x xmlns='urn:x'/>", [no_stanza; 4]),
        ("<x/>", [stanza, stanza, stanza, no_stanza]),
        (" \n\t", ["nothing"; 4]),
        ("</stream:stream>", ["closes"; 4]),
    ] {
        for (state, expected) in
            ["login", "responding", "binding", "online"].into_iter().zip(expected)
        {
            assert_eq!(answer(state, text), expected, "{state}: {text}");
        }
    }
    for (text, expected) in [
        (HEADER, "features"),
        ("</stream:stream>", "ends: not-well-formed"),
        ("<stream xmlns='jabber:client'>", "ends: invalid-namespace"),
        ("rubbish", "ends: not-well-formed"),
    ] {
        assert_eq!(answer("opening", text), expected, "{text}");
    }
}
