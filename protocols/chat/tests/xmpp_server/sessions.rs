//! Stream management, silence, rates, and clients that do not read.

use sinew_chat::xmpp::server::MemoryStore;

use super::kit::{Client, Site, config};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";

/// Enables stream management; the token.
fn enable(client: &Client<'_>) -> String {
    let enabled = client.ask(ENABLE);
    assert!(enabled.contains("resume='true'") && enabled.contains("max='300'"), "{enabled}");
    let at = enabled.find(" id='").unwrap() + 5;
    enabled[at..at + 32].to_owned()
}

fn resume(token: &str, count: u32) -> String {
    format!("<resume xmlns='urn:xmpp:sm:3' previd='{token}' h='{count}'/>")
}

fn message(body: &str) -> String {
    format!("<message to='bob@example.org' type='chat'><body>{body}</body></message>")
}

#[test]
fn resume_after_cut() {
    let site = Site::new(config());
    site.make_friends();
    let ann = site.online("ann", "desk");
    let bob = site.bind("bob", "desk");
    let token = enable(&bob);
    let first = bob.ask("<presence/>").matches("<presence ").count();
    bob.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{first}'/>"));
    ann.heard();
    ann.say(&message("1"));
    assert!(bob.heard().contains("<body>1</body>"));
    bob.cut();
    // He is still there, as far as others know.
    assert_eq!(ann.heard(), "");
    assert_eq!(site.server.report().sessions_waiting, 1);
    ann.say(&message("2"));
    assert_eq!(ann.heard(), "");
    let again = site.log_in("bob");
    let heard = again.ask(&resume(&token, first as u32));
    // The presence of Bob was the only stanza of his.
    assert!(
        heard.starts_with(&format!("<resumed xmlns='urn:xmpp:sm:3' previd='{token}' h='1'/>")),
        "{heard}"
    );
    assert!(heard.contains("<body>1</body>") && heard.contains("<body>2</body>"), "{heard}");
    again.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", first + 2));
    ann.say(&message("3"));
    let heard = again.heard();
    assert!(heard.contains("<body>3</body>") && !heard.contains("<body>1</body>"), "{heard}");
    // Once more, over a connection that the server believes in.
    let third = site.log_in("bob");
    let heard = third.ask(&resume(&token, first as u32 + 3));
    assert!(heard.starts_with("<resumed") && !heard.contains("<body>"), "{heard}");
    assert!(again.wire.is_closing());
    again.wire.close_if_open();
    site.advance(1_000);
    assert_eq!(site.server.report().sessions, 2);
    ann.say(&message("4"));
    assert!(third.heard().contains("<body>4</body>"));
    assert_eq!(ann.heard(), "");
}

#[test]
fn a_session_that_is_not_resumed() {
    let site = Site::new(config());
    site.make_friends();
    let ann = site.online("ann", "desk");
    let bob = site.bind("bob", "desk");
    enable(&bob);
    bob.ask("<presence/>");
    bob.cut();
    ann.heard();
    ann.say(&message("1"));
    ann.say("<iq to='bob@example.org/desk' type='get' id='q'><x xmlns='urn:x'/></iq>");
    for _ in 0..9 {
        site.advance(33_000);
        ann.say(" ");
    }
    assert_eq!(site.server.report().sessions, 2);
    site.advance(4_000);
    let heard = ann.heard();
    assert!(heard.contains("type='unavailable'"), "{heard}");
    assert!(heard.contains("id='q'") && heard.contains("<service-unavailable "), "{heard}");
    assert_eq!(site.server.report().sessions, 1);
    // The message waits.
    let bob = site.bind("bob", "desk");
    let heard = bob.ask("<presence/>");
    assert!(heard.contains("<body>1</body>") && heard.contains("<delay "), "{heard}");
}

#[test]
fn resumptions_that_fail() {
    let site = Site::new(config());
    let bob = site.bind("bob", "desk");
    let token = enable(&bob);
    bob.ask("<presence/>");
    bob.cut();
    for (user, text, condition) in [
        ("ann", resume(&token, 0), "item-not-found"),
        ("bob", resume("x", 0), "item-not-found"),
        ("bob", resume(&token, 9), "bad-request"),
        ("bob", format!("<resume xmlns='urn:xmpp:sm:3' previd='{token}'/>"), "bad-request"),
    ] {
        let client = site.log_in(user);
        let heard = client.ask(&text);
        assert!(heard.starts_with("<failed") && heard.contains(condition), "{heard}");
        // A new session is possible.
        assert!(client.ask(&super::kit::bind("other")).contains("<jid>"));
    }
    // A stream that was ended has no session.
    let again = site.log_in("bob");
    assert!(again.ask(&resume(&token, 0)).starts_with("<resumed"));
    again.end();
    assert!(site.log_in("bob").ask(&resume(&token, 0)).contains("item-not-found"));
}

#[test]
fn acknowledgements() {
    let site = Site::new(config());
    let bob = site.bind("bob", "desk");
    assert!(
        bob.ask("<enable xmlns='urn:xmpp:sm:3'/>").contains("<enabled xmlns='urn:xmpp:sm:3'/>")
    );
    assert!(bob.ask(ENABLE).contains("<unexpected-request "));
    for count in 0..3 {
        assert_eq!(bob.ask(REQUEST), format!("<a xmlns='urn:xmpp:sm:3' h='{count}'/>"));
        bob.say("<message to='nobody@example.org' type='error'/>");
    }
    // One question at a time.
    let heard = bob.ask("<message to='bob@example.org/desk'/><message to='bob@example.org/desk'/>");
    assert_eq!(heard.matches(REQUEST).count(), 1, "{heard}");
    assert_eq!(bob.ask("<a xmlns='urn:xmpp:sm:3' h='1'/>"), REQUEST);
    assert_eq!(bob.ask("<a xmlns='urn:xmpp:sm:3' h='2'/>"), "");
    for bad in ["h='3'", "h='1'", "h='x'", ""] {
        let site = Site::new(config());
        let bob = site.bind("bob", "desk");
        enable(&bob);
        bob.ask("<message to='bob@example.org/desk'/><message to='bob@example.org/desk'/>");
        bob.ask("<a xmlns='urn:xmpp:sm:3' h='2'/>");
        let heard = bob.ask(&format!("<a xmlns='urn:xmpp:sm:3' {bad}/>"));
        assert!(heard.contains("<undefined-condition "), "{bad}: {heard}");
        // XEP-0198 4.
        let is_too_high = bad == "h='3'";
        let said = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='3' send-count='2'/>";
        assert_eq!(heard.contains(said), is_too_high, "{bad}: {heard}");
    }
}

#[test]
fn a_client_that_acknowledges_nothing() {
    let site =
        Site::new(config().unacknowledged_max(10).rate(1_000, std::time::Duration::from_millis(1)));
    let ann = site.online("ann", "desk");
    let bob = site.bind("bob", "desk");
    enable(&bob);
    bob.ask("<presence/>");
    for number in 0..20 {
        ann.say(&message(&number.to_string()));
    }
    assert_eq!(site.server.report().sessions, 1);
    assert_eq!(ann.heard(), "");
    // Nothing of it is lost.
    let bob = site.bind("bob", "phone");
    let heard = bob.ask("<presence/>");
    for number in 0..20 {
        assert!(heard.contains(&format!("<body>{number}</body>")), "{number}: {heard}");
    }
}

/// What a client does not read is bounded; the others go on.
#[test]
fn a_client_that_never_reads() {
    let site = Site::new(
        config().send_queue_max(50_000).rate(10_000, std::time::Duration::from_millis(1)),
    );
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    bob.wire.set_capacity(1_000);
    let long = message(&"x".repeat(10_000));
    let mut ended_after = None;
    for number in 0..100 {
        // Bob's side of the pipe is not emptied.
        ann.say(&long.replace("bob@example.org", "bob@example.org/desk"));
        if site.server.report().sessions == 1 {
            ended_after = Some(number);
            break;
        }
    }
    let ended_after = ended_after.expect("the session of a client that does not read ends");
    assert!(ended_after < 60, "{ended_after}");
    assert!(
        ann.ask("<iq type='get' id='1' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>")
            .contains("id='1'")
    );
}

#[test]
fn the_rate_of_stanzas() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    let all: String = (0..300).map(|number| message(&number.to_string())).collect();
    ann.say(&all);
    let count = || bob.heard().matches("<body>").count();
    let at_once = count();
    assert!((195..=205).contains(&at_once), "{at_once}");
    site.advance(1_000);
    let second = count();
    assert!((45..=55).contains(&second), "{second}");
    site.advance(3_000);
    assert_eq!(at_once + second + count(), 300);
}

/// A client that is not read because of its rate is not silent.
#[test]
fn a_pause_is_not_silence() {
    let site = Site::new(config().rate(3, std::time::Duration::from_secs(5)));
    let ann = site.bind("ann", "desk");
    let long = format!("<x xmlns='urn:x'>{}</x>", "y".repeat(200_000));
    ann.say(&format!("<message to='example.org' type='error'>{long}</message>"));
    for _ in 0..23 {
        site.advance(10_000);
    }
    assert!(!ann.heard().contains("connection-timeout"));
    site.advance(60_000);
    assert!(ann.ask("<r xmlns='urn:x'/>").contains("<unsupported-stanza-type "));
}

#[test]
fn silence() {
    // Without stream management: a ping.
    let site = Site::new(config());
    site.make_friends();
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.heard();
    site.advance(59_000);
    ann.say(" ");
    assert_eq!(bob.heard().matches("urn:xmpp:ping").count(), 0);
    site.advance(1_500);
    let ping = bob.heard();
    assert!(
        ping.contains("<ping xmlns='urn:xmpp:ping'/>") && ping.contains("from='example.org'"),
        "{ping}"
    );
    bob.say("<iq type='result' id='server-1' to='example.org'/>");
    site.advance(58_000);
    ann.say(" ");
    assert_eq!((ann.heard().matches("unavailable").count(), bob.heard()), (0, String::new()));
    // Then he is silent.
    site.advance(59_000);
    ann.say(" ");
    site.advance(59_000);
    ann.say(" ");
    site.advance(5_000);
    assert!(bob.heard().contains("connection-timeout"));
    assert!(ann.heard().contains("type='unavailable'"));
    // With it: a question, and the session waits.
    let site = Site::new(config());
    let bob = site.bind("bob", "desk");
    enable(&bob);
    site.advance(61_000);
    assert_eq!(bob.heard(), REQUEST);
    site.advance(60_000);
    assert!(bob.heard().contains("connection-timeout"));
    bob.wire.close_if_open();
    site.advance(1_000);
    assert_eq!(site.server.report().sessions_waiting, 1);
}

/// A session that was resumed, or is over, leaves no clock.
#[test]
fn no_clock_is_left() {
    let site = Site::new(config());
    let before = site.reactor.stats().timers;
    for _ in 0..5 {
        let bob = site.bind("bob", "desk");
        let token = enable(&bob);
        bob.cut();
        let again = site.log_in("bob");
        assert!(again.ask(&resume(&token, 0)).starts_with("<resumed"));
        again.cut();
        site.bind("bob", "desk").end();
    }
    site.advance(10_000);
    assert_eq!(site.reactor.stats().timers, before);
}

/// The end of the server is not that of what a client had not acknowledged, also if it had no connection.
#[test]
fn the_end_of_the_server() {
    let store = MemoryStore::new();
    let site = Site::new(config().store(store.clone()));
    let (ann, bob) = (site.online("ann", "desk"), site.bind("bob", "desk"));
    enable(&bob);
    bob.ask("<presence/>");
    bob.cut();
    ann.say(&message("1"));
    let ended = site.server.stop(&site.reactor);
    site.advance(0);
    assert!(ended.is_settled() && ann.heard().contains("<system-shutdown "));
    assert_eq!(site.server.report().sessions, 0);
    let site = Site::new(config().store(store));
    assert!(site.bind("bob", "desk").ask("<presence/>").contains("<body>1</body>"));
}

/// Sessions and accounts that are gone leave nothing.
#[test]
fn nothing_is_left() {
    let site = Site::new(config().accounts_cached_max(0));
    for _ in 0..5 {
        let ann = site.online("ann", "desk");
        ann.say("<presence to='example.org'/><presence to='bob@example.org/x'/>");
        ann.cut();
    }
    site.advance(400_000);
    let report = site.server.report();
    assert_eq!(
        (report.connections, report.sessions, report.sessions_waiting, report.accounts_unsaved),
        (0, 0, 0, 0)
    );
    site.online("carl", "desk").end();
    assert!(site.server.report().accounts <= 1);
}
