//! Questions to sessions: each has one answer (RFC 6120 8.2.3), whatever becomes of who was asked.

use super::kit::{Client, Site, config};

const ENABLE: &str = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
const ASK: &str = "<iq to='bob@example.org/desk' type='get' id='q'><x xmlns='urn:x'/></iq>";
const ANSWER: &str = "<iq to='ann@example.org/desk' type='result' id='q'/>";

/// The token of the session.
fn enable(client: &Client<'_>) -> String {
    let enabled = client.ask(ENABLE);
    enabled.split("id='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap().to_owned()
}

fn acknowledge(client: &Client<'_>, count: usize) {
    client.say(&format!("<a xmlns='urn:xmpp:sm:3' h='{count}'/>"));
}

/// What Ann has heard are so many answers, the last of which says this.
fn assert_answered(ann: &Client<'_>, condition: &str) {
    let heard = ann.heard();
    let answers = heard.matches("id='q'").count();
    assert!(answers == 1 && heard.contains(condition), "{condition}: {heard}");
}

#[test]
fn whose_session_ends() {
    for (name, has_management, is_acknowledged, is_answered) in [
        ("without stream management", false, false, false),
        ("it has not arrived", true, false, false),
        ("it has arrived", true, true, false),
        ("it is answered, and not acknowledged", true, false, true),
        ("it is answered", true, true, true),
    ] {
        let site = Site::new(config().resume_within(std::time::Duration::ZERO));
        let (ann, bob) = (site.online("ann", "desk"), site.bind("bob", "desk"));
        if has_management {
            bob.ask("<enable xmlns='urn:xmpp:sm:3'/>");
        }
        assert_eq!(ann.ask(ASK), "", "{name}");
        assert!(bob.heard().contains("id='q'"), "{name}");
        if is_acknowledged {
            acknowledge(&bob, 1);
        }
        if is_answered {
            bob.say(ANSWER);
        }
        bob.cut();
        assert_answered(&ann, if is_answered { "type='result'" } else { "<service-unavailable " });
    }
}

#[test]
fn whose_session_is_replaced() {
    let site = Site::new(config());
    let (ann, old) = (site.online("ann", "desk"), site.bind("bob", "desk"));
    ann.ask(ASK);
    let new = site.bind("bob", "desk");
    assert!(old.heard().contains("<conflict "));
    assert_answered(&ann, "<service-unavailable ");
    new.say(ANSWER);
    assert_eq!(ann.heard(), "");
}

#[test]
fn whose_session_is_resumed() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.bind("bob", "desk"));
    let token = enable(&bob);
    ann.ask(ASK);
    acknowledge(&bob, 1);
    bob.cut();
    assert_eq!(ann.heard(), "", "it may come back");
    let again = site.log_in("bob");
    let resumed = again.ask(&format!("<resume xmlns='urn:xmpp:sm:3' previd='{token}' h='1'/>"));
    assert!(resumed.starts_with("<resumed") && !resumed.contains("id='q'"), "{resumed}");
    again.say(ANSWER);
    assert_answered(&ann, "type='result'");
    again.cut();
    site.advance(310_000);
    assert!(!ann.heard().contains("id='q'"), "it is answered");
}

#[test]
fn answers_that_nobody_awaits() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    bob.say(ANSWER);
    assert_eq!(ann.heard(), "");
    ann.ask(ASK);
    let carl = site.online("carl", "desk");
    carl.say(ANSWER);
    assert_eq!(ann.heard(), "", "from somebody else");
    bob.say(&ANSWER.replace("'q'", "'p'"));
    assert_eq!(ann.heard(), "", "another id");
    bob.say(ANSWER);
    bob.say(ANSWER);
    assert_answered(&ann, "type='result'");
    // An id may be used again, also at once.
    ann.say(ASK);
    ann.say(ASK);
    bob.say(ANSWER);
    assert_answered(&ann, "type='result'");
    bob.cut();
    assert_answered(&ann, "<service-unavailable ");
}

#[test]
fn who_asked_is_another_session() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.ask(ASK);
    ann.end();
    let again = site.online("ann", "desk");
    bob.say(ANSWER);
    assert_eq!(again.heard(), "");
}

#[test]
fn addresses_that_are_blocked_meanwhile() {
    for (blocker, blocked) in [("ann", "bob"), ("bob", "ann")] {
        let site = Site::new(config());
        let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
        ann.ask(ASK);
        let block = format!(
            "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{blocked}@example.org'/></block></iq>"
        );
        if blocker == "ann" { &ann } else { &bob }.ask(&block);
        ann.heard();
        bob.say(&ANSWER.replace("/>", "><secret xmlns='urn:x'/></iq>"));
        let heard = ann.heard();
        assert_eq!(heard.matches("id='q'").count(), 1, "{heard}");
        assert!(heard.contains("<service-unavailable ") && !heard.contains("secret"), "{heard}");
    }
}

/// An answer that is too long to be passed on is an answer nonetheless.
#[test]
fn an_answer_that_is_too_long() {
    let site = Site::new(config());
    let (ann, bob) = (site.online("ann", "desk"), site.online("bob", "desk"));
    ann.ask(ASK);
    // A prefix is short, and the namespace is not.
    let children = "<p:a/>".repeat(4_000);
    let long = format!("<x xmlns='urn:x' xmlns:p='{}'>{children}</x>", "n".repeat(2_000));
    bob.say(&ANSWER.replace("/>", &format!(">{long}</iq>")));
    assert_answered(&ann, "<policy-violation ");
}
