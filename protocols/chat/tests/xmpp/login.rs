//! From the connection until the client is online.

use sinew_auth::{Authenticator, Channel, ClientLogin, SaslServer, ServerStep, Users};
use sinew_chat::xmpp::client::{Security, XmppConfig, XmppError};

use crate::xmpp_support::{BIND, BOUND, ENABLED, HEADER, MECHANISMS, SUCCESS, Script, config, jid};

const OPENING: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";
const BINDING: &str = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
    <resource>desk</resource></bind></iq>";

#[test]
fn in_order() {
    let script = Script::new(config());
    let online = script.xmpp.when_online();
    assert_eq!(script.sent(), OPENING);
    script.receive(HEADER);
    script.receive(MECHANISMS);
    let auth =
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFubgBzZWNyZXQ=</auth>";
    assert_eq!(script.sent(), auth);
    // In pieces of one byte, too.
    for byte in format!("{SUCCESS}{HEADER}{BIND}").chars() {
        script.receive(&byte.to_string());
    }
    assert_eq!(script.sent(), format!("{OPENING}{BINDING}"));
    script.receive(BOUND);
    assert_eq!(script.sent(), "<enable xmlns='urn:xmpp:sm:3' resume='true' max='300'/>");
    assert!(!script.xmpp.is_online() && !online.is_settled());
    script.receive(ENABLED);
    assert_eq!(script.notes(), ["online false"]);
    assert!(online.take().unwrap().is_ok());
    assert_eq!(script.xmpp.jid(), jid("ann@example.org/desk"));
    let offline = script.xmpp.when_offline();
    script.xmpp.quit();
    assert_eq!(script.sent(), "<a xmlns='urn:xmpp:sm:3' h='0'/></stream:stream>");
    assert!(!offline.is_settled());
    script.wire.close_if_open();
    script.advance(10_000);
    assert!(offline.take().unwrap().is_ok() && script.xmpp.when_offline().is_settled());
}

#[test]
fn a_session_begins_with_roster_and_presence() {
    let config = XmppConfig::with_login(jid("ann@example.org"), crate::xmpp_support::plain());
    let script = Script::new(config.security(Security::None).carbons(true));
    script.log_in();
    script.receive(BIND);
    assert!(script.sent().ends_with("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"));
    let session =
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>";
    script.receive(session); // not twice
    assert!(script.failure().contains("which is not expected here"));
    let script =
        Script::online_simply(crate::xmpp_support::config().carbons(true).fetches_roster(true));
    assert_eq!(
        script.sent().split_once("</iq>").unwrap().1,
        "<iq type='get' id='s1'><query xmlns='jabber:iq:roster'/></iq>\
         <iq type='set' id='s2'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
    );
}

#[test]
fn a_session_of_rfc_3921() {
    let script = Script::new(config());
    script.log_in();
    script.receive(
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
         <session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></stream:features>",
    );
    script.receive(BOUND);
    let session =
        "<iq type='set' id='session'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    assert_eq!(script.sent(), format!("{BINDING}{session}"));
    script.receive("<iq type='result' id='session'/>");
    assert!(script.xmpp.is_online() && !script.xmpp.can_resume());
}

#[test]
fn bind_conflict() {
    let script = Script::new(config());
    script.log_in();
    script.receive(BIND);
    script.receive(
        "<iq type='error' id='bind'><error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         </error></iq>",
    );
    assert_eq!(
        script.failure(),
        "login_failed the XMPP server did not bind the resource: conflict"
    );
    for address in ["ann@other.example/x", "ann@example.org", "", "a b@example.org/x"] {
        let script = Script::new(config());
        script.log_in();
        script.receive(BIND);
        script.receive(&BOUND.replace("ann@example.org/desk", address));
        assert!(script.failure().contains("which is not expected here"), "{address}");
    }
}

#[test]
fn logins_that_fail() {
    let failure = |texts: &[&str]| {
        let script = Script::new(config());
        for text in texts {
            script.receive(text);
        }
        let told = script.failure();
        assert!(!script.sent().contains("<iq"), "{told}");
        told
    };
    let refused = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/><text>no</text></failure>";
    let told = failure(&[HEADER, MECHANISMS, refused]);
    assert_eq!(told, "login_failed the XMPP server refused the login: not-authorized no");
    let without = "<stream:features/>";
    assert_eq!(failure(&[HEADER, without]), "login_failed could not log in to the XMPP server");
    // A success with data that the mechanism does not have, or without a login.
    let success = SUCCESS.replace("/>", ">eA==</success>");
    assert_eq!(
        failure(&[HEADER, MECHANISMS, &success]),
        "login_failed could not log in to the XMPP server"
    );
    assert!(failure(&[HEADER, SUCCESS]).contains("before the features"));
    let old = HEADER.replace(" version='1.0'>", ">");
    assert!(failure(&[&old]).contains("an older version"));
    for (from, to) in [("etherx.jabber.org", "example.org"), ("jabber:client", "jabber:server")] {
        let other = HEADER.replace(from, to);
        assert!(failure(&[&other]).contains("another protocol"), "{other}");
    }
    // Without leave a password is not sent in plaintext.
    let login = ClientLogin::password("ann", "secret");
    let careful = XmppConfig::with_login(jid("ann@example.org"), login).security(Security::None);
    let script = Script::new(careful);
    script.receive(HEADER);
    script.receive(MECHANISMS);
    script.failure();
    assert!(!script.sent().contains("<auth"));
    // TLS is required by default.
    let script = Script::new(XmppConfig::new(jid("ann@example.org"), "secret"));
    script.receive(HEADER);
    script.receive(MECHANISMS);
    assert!(script.failure().contains("does not offer STARTTLS"));
}

#[test]
fn stream_error_then_close() {
    let error = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>too fast</text></stream:error></stream:stream>";
    let script = Script::new(config());
    script.receive(HEADER);
    script.receive(error);
    assert!(script.sent().ends_with("</stream:stream>"));
    assert_eq!(
        script.failure(),
        "login_failed the XMPP server ended the stream: policy-violation (too fast)"
    );
    // What follows is not read.
    let script = Script::online(config());
    script.receive(&format!("{error}<message from='a@b'><body>x</body></message>"));
    assert!(script.failure().contains("policy-violation (too fast)"));
}

#[test]
fn see_other_host() {
    let script = Script::new(config());
    let failed = script.xmpp.when_online();
    script.receive(HEADER);
    script.receive(
        "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[::1]:5222</see-other-host></stream:error>",
    );
    script.failure();
    // It is told, and not followed: before the login anybody can say it.
    match failed.take().unwrap() {
        Err(XmppError::Stream(error)) => {
            assert_eq!(error.other_host.as_deref(), Some("[::1]:5222"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn xml_that_is_none() {
    for (text, condition) in [
        ("<!DOCTYPE x>", "restricted-xml"),
        ("<a></b>", "not-well-formed"),
        ("<x:a/>", "bad-namespace-prefix"),
        (&"<a>".repeat(64), "policy-violation"),
        (&format!("<a>{}", "x".repeat(10 * 1_024)), "policy-violation"),
    ] {
        let script = Script::new(config());
        script.receive(HEADER);
        script.sent();
        script.receive(text);
        let sent = script.sent();
        assert!(
            sent.contains(&format!("<{condition} xmlns=")) && sent.ends_with("</stream:stream>"),
            "{sent}"
        );
        script.failure();
    }
    // After the login a stanza may be longer.
    let script = Script::online(config());
    script.receive(&format!("<message from='a@b'><body>{}</body></message>", "x".repeat(100_000)));
    assert_eq!(script.notes().len(), 1);
}

#[test]
fn a_login_that_takes_too_long() {
    let script = Script::new(config());
    script.receive(HEADER);
    for _ in 0..59 {
        script.receive(" ");
        script.advance(1_000);
    }
    assert!(!script.wire.is_closing());
    script.advance(1_001);
    assert!(script.failure().contains("within 60s"));
}

const SCRAM: &str = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>SCRAM-SHA-256</mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>";

/// The exchange of SCRAM up to the last message of the server, which is returned.
fn scram(script: &Script) -> String {
    let users = Authenticator::new(Users::new().user("ann", "secret"));
    let server = SaslServer::new(&users, Channel::new());
    let mut is_first = true;
    loop {
        let mut sent = script.sent();
        for _ in 0..1_000 {
            if !sent.ends_with("</auth>") && !sent.ends_with("</response>") {
                script.advance(1);
                sent += &script.sent();
            }
        }
        let response = sent.rsplit_once("</").unwrap().0.rsplit_once('>').unwrap().1.to_owned();
        let step = match std::mem::take(&mut is_first) {
            true => {
                server.start_encoded(&script.reactor, "SCRAM-SHA-256", Some(response.as_bytes()))
            }
            false => server.respond_encoded(&script.reactor, response.as_bytes()),
        };
        for _ in 0..1_000 {
            if !step.is_settled() {
                script.advance(1);
            }
        }
        match step.take().expect("it is checked").unwrap() {
            ServerStep::Challenge(challenge) => {
                let encoded = data_encoding::BASE64.encode(&challenge);
                if challenge.starts_with(b"v=") {
                    return encoded;
                }
                let space = "urn:ietf:params:xml:ns:xmpp-sasl";
                script.receive(&format!("<challenge xmlns='{space}'>{encoded}</challenge>"));
            }
            ServerStep::Done { data, .. } => {
                return data_encoding::BASE64.encode(&data.expect("its signature"));
            }
            other => panic!("{other:?}"),
        }
    }
}

fn with_scram() -> XmppConfig {
    let login = ClientLogin::password("ann", "secret").allow_plaintext(true);
    XmppConfig::with_login(jid("ann@example.org/desk"), login).security(Security::None)
}

#[test]
fn mechanism_pinned() {
    let mut script = Script::new(with_scram());
    script.receive(HEADER);
    script.receive(SCRAM);
    let signature = scram(&script);
    script.receive(&SUCCESS.replace("/>", &format!(">{signature}</success>")));
    script.receive(HEADER);
    script.receive(BIND);
    script.receive(BOUND);
    script.receive(ENABLED);
    assert_eq!(script.notes(), ["online false"]);
    script.cut();
    script.sent();
    // Somebody between takes the better mechanism away.
    script.reconnect();
    script.receive(HEADER);
    script.receive(MECHANISMS);
    assert_eq!(
        script.failure(),
        "login_failed the XMPP server offers PLAIN at best, and has offered SCRAM-SHA-256 before"
    );
    assert!(!script.sent().contains("<auth"));
}

#[test]
fn scram_server_signature_wrong() {
    for success in [SUCCESS.to_owned(), SUCCESS.replace("/>", ">dj1BQUFB</success>")] {
        let script = Script::new(with_scram());
        script.receive(HEADER);
        script.receive(SCRAM);
        scram(&script);
        script.receive(&success);
        assert_eq!(script.failure(), "login_failed could not log in to the XMPP server");
        assert!(!script.sent().contains("<iq"));
    }
}
