//! Streams and logins: what is offered, what is refused, and the limits.

use data_encoding::BASE64;
use sinew_auth::{Authenticator, ClientLogin, Mechanism, SaslClient, Users};
use sinew_chat::xmpp::server::ServerConfig;

use super::kit::{HEADER, Site, auth, bind, config, users};

const STREAM: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' from='example.org'";

#[test]
fn headers() {
    for (to, expected) in [
        ("to='example.org' version='1.0'", "<stream:features>"),
        ("to='EXAMPLE.org' version='1.1'", "<stream:features>"),
        ("to='example.com' version='1.0'", "<host-unknown "),
        ("to='ann@example.org' version='1.0'", "<host-unknown "),
        ("version='1.0'", "<host-unknown "),
        ("to='example.org'", "<unsupported-version "),
        ("to='example.org' version='0.9'", "<unsupported-version "),
        ("to='example.org' version='one'", "<unsupported-version "),
        ("to='example.org' version='01.00'", "<stream:features>"),
        // RFC 6120 4.7.5: numbers, not strings; a later version is answered with the own one.
        ("to='example.org' version='10.0'", "<stream:features>"),
        ("to='example.org' version='2.0'", "<stream:features>"),
    ] {
        let site = Site::new(config());
        let client = site.connect();
        client.say(&format!(
            "<stream:stream {to} xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
        ));
        let heard = client.heard();
        assert!(heard.starts_with(STREAM) && heard.contains(expected), "{to}: {heard}");
        let (_, after) = heard.split_once("<stream:stream").unwrap();
        let (header, _) = after.split_once('>').unwrap();
        // Who says no version, or an older one, is told none.
        let is_old = to == "to='example.org'" || to.contains("0.9");
        assert_eq!(!header.contains("version='1.0'"), is_old, "{to}: {heard}");
    }
    // Who a client says it is gets the answer.
    let site = Site::new(config());
    let client = site.connect();
    client.say(&HEADER.replace("to='", "from='a&apos;b' to='"));
    assert!(client.heard().contains(" to='a&apos;b'>"));
}

/// RFC 6120 4.9.3.10: before anything else is told, and not only when a stanza comes.
#[test]
fn namespaces_of_a_stream() {
    let of = |default: &str, streams: &str| {
        let site = Site::new(config());
        let client = site.connect();
        client.ask(&format!(
            "<stream:stream to='example.org' version='1.0' {default} xmlns:stream='{streams}'>"
        ))
    };
    let streams = "http://etherx.jabber.org/streams";
    for (default, streams) in [
        ("xmlns='jabber:server'", streams),
        ("xmlns='jabber:component:accept'", streams),
        ("xmlns='urn:x'", streams),
        ("xmlns='jabber:client'", "http://etherx.jabber.org/stream"),
        ("xmlns='jabber:client'", "jabber:client"),
    ] {
        let heard = of(default, streams);
        assert!(heard.contains("<invalid-namespace "), "{default}: {heard}");
        assert!(!heard.contains("features") && heard.ends_with("</stream:stream>"), "{heard}");
    }
    // A stream whose stanzas declare their namespace themselves (RFC 6120 4.8.3).
    assert!(of("", streams).contains("<stream:features>"));
    let site = Site::new(config());
    let client = site.connect();
    let heard = client.ask(&format!("<stream to='example.org' version='1.0' xmlns='{streams}'>"));
    assert!(heard.contains("<stream:features>"), "{heard}");
}

/// go-sendxmpp ends `<auth/>` with a line end, which the server may read with the next header.
#[test]
fn white_space_before_a_stream() {
    let site = Site::new(config());
    let client = site.connect();
    client.say(" \n");
    let features = client.ask(HEADER);
    assert!(features.contains("<mechanism>PLAIN"), "{features}");
    let said = client.ask(&format!("{}\n", auth("ann", "secret")));
    assert!(said.contains("<success"), "{said}");
    let features = client.ask(&format!("\r\n{HEADER}"));
    assert!(features.contains("urn:ietf:params:xml:ns:xmpp-bind"), "{features}");
}

#[test]
fn stream_error_then_close() {
    let site = Site::new(config());
    let client = site.connect();
    client.say("<a>");
    let heard = client.heard();
    assert!(
        heard.starts_with(STREAM) && heard.ends_with("</stream:error></stream:stream>"),
        "{heard}"
    );
    assert!(client.wire.is_closing());
    // Nothing is heard after it.
    let site = Site::new(config());
    let client = site.online("ann", "desk");
    let heard =
        client.ask("<x/><iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert!(!heard.contains("id='1'"), "{heard}");
}

#[test]
fn without_tls_nothing_is_offered() {
    let site = Site::new(ServerConfig::new("example.org", users()).unwrap());
    let client = site.connect();
    client.say(HEADER);
    let heard = client.heard();
    assert!(heard.contains("policy-violation") && heard.contains("need TLS"), "{heard}");
}

#[test]
fn mechanisms_of_mail_are_not_offered() {
    let site = Site::new(config());
    let client = site.connect();
    let heard = client.ask(HEADER);
    for word in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"] {
        assert!(heard.contains(&format!("<mechanism>{word}</mechanism>")), "{heard}");
    }
    assert!(!heard.contains("LOGIN") && !heard.contains("PLUS"), "{heard}");
    assert!(heard.contains("<max-bytes>10240</max-bytes>"), "{heard}");
    let refused = client.ask("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='LOGIN'/>");
    assert!(refused.contains("<invalid-mechanism/>"), "{refused}");
    // A password is not asked for where everybody could read it.
    let site = Site::new(
        ServerConfig::new("example.org", Users::new().user("ann", "secret"))
            .unwrap()
            .requires_tls(false),
    );
    let client = site.connect();
    let heard = client.ask(HEADER);
    assert!(heard.contains("SCRAM-SHA-1") && !heard.contains("PLAIN"), "{heard}");
}

#[test]
fn scram() {
    let site = Site::new(config());
    let client = site.connect();
    client.ask(HEADER);
    let login = ClientLogin::password("ann", "secret");
    let channel = sinew_auth::Channel::new();
    let sasl: SaslClient = login.choose(["SCRAM-SHA-256"], &channel).unwrap();
    let initial = BASE64.encode(&sasl.initial().unwrap().unwrap());
    let heard = client.ask(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>{initial}</auth>"
    ));
    // The keys are derived on another thread.
    let challenge = wait_for(&client, heard, "</challenge>");
    let challenge = between(&challenge, "xmpp-sasl'>", "</challenge>");
    let respond = sasl.respond(&site.reactor, &BASE64.decode(challenge.as_bytes()).unwrap());
    let response = settle(&site, &respond).unwrap().unwrap();
    let heard = client.ask(&format!(
        "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>",
        BASE64.encode(&response)
    ));
    let success = wait_for(&client, heard, "</success>");
    let data = between(&success, "xmpp-sasl'>", "</success>");
    sasl.finish(Some(&BASE64.decode(data.as_bytes()).unwrap())).unwrap();
    assert!(client.ask(HEADER).contains("xmpp-bind"));
}

fn wait_for(client: &super::kit::Client<'_>, mut heard: String, end: &str) -> String {
    for _ in 0..1_000 {
        if heard.contains(end) {
            return heard;
        }
        client.site.advance(10);
        heard.push_str(&client.heard());
    }
    panic!("{heard}")
}

fn settle<T: 'static, E: From<sinew_transports::reactor::Failure> + std::fmt::Display + 'static>(
    site: &Site,
    deferred: &sinew_transports::reactor::Deferred<T, E>,
) -> Option<Result<T, E>> {
    for _ in 0..1_000 {
        if deferred.is_settled() {
            break;
        }
        site.advance(10);
    }
    deferred.take()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let text = &text[text.find(from).unwrap() + from.len()..];
    &text[..text.find(to).unwrap()]
}

#[test]
fn three_logins_and_no_more() {
    let site = Site::new(config());
    let client = site.connect();
    client.ask(HEADER);
    for tried in 1..=3 {
        client.say(&auth("ann", "wrong"));
        site.advance(20_000);
        let heard = client.heard();
        assert!(heard.contains("<not-authorized/></failure>"), "{heard}");
        assert_eq!(heard.contains("<policy-violation "), tried == 3, "{heard}");
    }
    assert!(client.wire.is_closing());
    // A login in between helps.
    let site = Site::new(config());
    let client = site.connect();
    client.ask(HEADER);
    client.say(&auth("ann", "wrong"));
    site.advance(20_000);
    assert!(client.ask(&auth("ann", "secret")).contains("<success"));
}

#[test]
fn bad_messages_of_logins() {
    for (text, condition) in [
        ("mechanism='PLAIN'>?</auth>", "incorrect-encoding"),
        ("mechanism='PLAIN'>AGFubg==</auth>", "malformed-request"),
        ("mechanism='X'/>", "invalid-mechanism"),
        ("/>", "invalid-mechanism"),
        // As root: she may not.
        ("mechanism='PLAIN'>cm9vdABhbm4Ac2VjcmV0</auth>", "invalid-authzid"),
    ] {
        let site = Site::new(config());
        let client = site.connect();
        client.ask(HEADER);
        client.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' {text}"));
        site.advance(20_000);
        let heard = client.heard();
        assert!(heard.contains(&format!("<{condition}/>")), "{text}: {heard}");
    }
}

/// Two spellings of a name must not be one account.
#[test]
fn names_are_prepared() {
    let users = Users::new()
        .user("Ann", "secret")
        .user("ann", "other")
        .user("a b", "secret")
        .user("x@y", "secret");
    let accounts = Authenticator::with(
        users,
        sinew_auth::AuthenticatorConfig::default().allow_plaintext(true),
    );
    let site = Site::new(ServerConfig::new("example.org", accounts).unwrap().requires_tls(false));
    for (name, password, is_let_in) in [
        ("Ann", "secret", false),
        ("a b", "secret", false),
        ("x@y", "secret", false),
        ("ann", "other", true),
    ] {
        let client = site.connect();
        client.ask(HEADER);
        let heard = client.ask(&auth(name, password));
        assert_eq!(heard.contains("<success"), is_let_in, "{name}: {heard}");
        assert_eq!(heard.contains("<not-authorized/>"), !is_let_in, "{name}: {heard}");
    }
}

#[test]
fn login_deadline() {
    for progress in 0..4 {
        let site = Site::new(config());
        let client = match progress {
            3 => site.log_in("ann"),
            _ => site.connect(),
        };
        if progress == 1 {
            client.ask(HEADER);
        }
        // White space is no progress.
        for _ in 0..59 {
            site.advance(1_000);
            client.say(" ");
        }
        assert_eq!(client.heard().replace(HEADER, ""), "", "{progress}");
        site.advance(1_001);
        let heard = client.heard();
        assert!(heard.contains("connection-timeout"), "{progress}: {heard}");
    }
    let site = Site::new(config());
    let client = site.bind("ann", "desk");
    site.advance(61_000);
    assert!(!client.heard().contains("connection-timeout"));
}

#[test]
fn bind_conflict() {
    let site = Site::new(config());
    let first = site.online("ann", "desk");
    let second = site.bind("ann", "desk");
    let heard = first.heard();
    assert!(
        heard.ends_with("</stream:error></stream:stream>") && heard.contains("<conflict "),
        "{heard}"
    );
    assert!(first.wire.is_closing());
    assert_eq!(site.server.report().sessions, 1);
    // The end of the first connection is not that of the second session.
    first.wire.close_if_open();
    site.advance(1_000);
    let heard = second.ask("<message to='ann@example.org/desk'><body>a</body></message>");
    assert!(heard.contains("<body>a</body>"), "{heard}");
}

#[test]
fn resource_prepared() {
    let site = Site::new(config());
    for (resource, bound) in [("a\u{2003}b", "a b"), ("e\u{301}", "\u{e9}"), ("a/b@c", "a/b@c")] {
        let client = site.log_in("ann");
        let heard = client.ask(&bind(resource));
        assert!(heard.contains(&format!("<jid>ann@example.org/{bound}</jid>")), "{heard}");
    }
    for bad in ["\u{2028}", &"x".repeat(1_024)] {
        let client = site.log_in("ann");
        let heard = client.ask(&bind(bad));
        assert!(heard.contains("type='error'") && heard.contains("<bad-request "), "{heard}");
        // Another one may do.
        assert!(client.ask(&bind("z")).contains("<jid>ann@example.org/z</jid>"));
    }
    // The server makes one.
    for empty in ["", "<resource/>"] {
        let client = site.log_in("bob");
        let heard = client.ask(&format!(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>{empty}</bind></iq>"
        ));
        let jid = between(&heard, "<jid>bob@example.org/", "</jid>");
        assert_eq!(jid.len(), 32);
    }
}

#[test]
fn ten_resources() {
    let site = Site::new(config());
    let all: Vec<_> = (0..10).map(|number| site.bind("ann", &number.to_string())).collect();
    let client = site.log_in("ann");
    assert!(client.ask(&bind("more")).contains("<resource-constraint "));
    // In place of another there is room.
    assert!(client.ask(&bind("3")).contains("<jid>"));
    drop(all);
}

#[test]
fn connections_are_bounded() {
    let site = Site::new(config().connections_max(1));
    let first = site.connect();
    let second = site.connect();
    site.advance(0);
    assert!(second.heard().contains("<resource-constraint "));
    assert!(first.ask(HEADER).contains("<mechanism>"));
    first.cut();
    let third = site.connect();
    assert!(third.ask(HEADER).contains("<mechanism>"));
    assert_eq!(site.server.report().connections, 1);
}

#[test]
fn mechanism_is_as_it_is_written() {
    assert_eq!(Mechanism::Plain.name(), "PLAIN");
    let site = Site::new(config());
    let client = site.connect();
    client.ask(HEADER);
    let heard = client.ask(&auth("ann", "secret").replace("PLAIN", "plain"));
    assert!(heard.contains("<invalid-mechanism/>"), "{heard}");
}
