//! Stream management: what is acknowledged, what is sent again, and what waits.

use std::time::Duration;

use sinew_chat::xmpp::{client::SendError, codec::Message};

use crate::xmpp_support::{BIND, BOUND, ENABLED, Script, config, jid};

const ASK: &str = "<r xmlns='urn:xmpp:sm:3'/>";

fn say(script: &Script, body: &str) -> Result<String, SendError> {
    script.xmpp.send_message(Message::chat(jid("b@c")).with_id("i").with_body(body))
}

fn said(body: &str) -> String {
    format!("<message to='b@c' type='chat' id='i'><body>{body}</body></message>")
}

fn acknowledge(script: &Script, count: u32) {
    script.receive(&format!("<a xmlns='urn:xmpp:sm:3' h='{count}'/>"));
}

#[test]
fn one_question_at_a_time() {
    let script = Script::online(config().unacknowledged_max(3));
    script.sent();
    for body in ["1", "2", "3"] {
        say(&script, body).unwrap();
    }
    assert_eq!(script.sent(), format!("{}{ASK}{}{}", said("1"), said("2"), said("3")));
    assert_eq!(say(&script, "4"), Err(SendError::QueueFull { max: 3 }));
    acknowledge(&script, 1);
    assert_eq!(script.sent(), ASK);
    acknowledge(&script, 3);
    assert_eq!(script.sent(), "");
    script.receive("<message from='b@c'><body>x</body></message><presence from='b@c'/><iq type='result' id='x'/> ");
    script.receive(ASK);
    assert_eq!(script.sent(), "<a xmlns='urn:xmpp:sm:3' h='3'/>");
    // More than was sent.
    acknowledge(&script, 4);
    let said = script.sent();
    let expected = "<undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>";
    assert!(said.contains(expected), "{said}");
    let expected = "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='4' send-count='3'/>";
    assert!(said.contains(expected), "{said}");
    script.wire.close_if_open();
    script.advance(10_000);
    assert!(script.notes().last().unwrap().contains("acknowledged 4 stanzas, and 3 were sent"));
}

#[test]
fn resume_and_send_again() {
    let mut script = Script::online(config());
    script.receive("<message from='b@c'><body>x</body></message>");
    for body in ["1", "2", "3"] {
        say(&script, body).unwrap();
    }
    acknowledge(&script, 1);
    let ping = script.xmpp.ping(jid("b@c/d"));
    script.cut();
    script.sent();
    // It waits while there is no connection.
    say(&script, "5").unwrap();
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert_eq!(script.sent(), "<resume xmlns='urn:xmpp:sm:3' previd='sm1' h='1'/>");
    script.receive("<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='2'/>");
    let sent = script.sent();
    let again = format!("{}<iq type='get' to='b@c/d' id='s1'>", said("3"));
    assert!(sent.starts_with(&again) && sent.ends_with(&format!("{ASK}{}", said("5"))), "{sent}");
    assert_eq!(script.notes(), ["online true"]);
    // The session goes on: its questions, its counts.
    script.receive("<iq type='result' from='b@c/d' id='s1'/>");
    assert!(ping.take().unwrap().is_ok());
    script.receive(ASK);
    assert_eq!(script.sent(), "<a xmlns='urn:xmpp:sm:3' h='2'/>");
    acknowledge(&script, 5);
    assert!(script.xmpp.is_online());
}

#[test]
fn a_session_that_is_gone() {
    let mut script = Script::online(config());
    for body in ["1", "2", "3"] {
        say(&script, body).unwrap();
    }
    let ping = script.xmpp.ping(jid("b@c/d"));
    script.cut();
    say(&script, "4").unwrap();
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    script.sent();
    script.receive(
        "<failed xmlns='urn:xmpp:sm:3' h='1'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
    );
    // What the server may have is not sent again, but told.
    assert_eq!(script.notes(), ["undelivered message message iq"]);
    assert!(ping.take().unwrap().is_err());
    script.receive(BOUND);
    script.sent();
    script.receive(&ENABLED.replace("sm1", "sm2"));
    assert_eq!(script.sent(), format!("{}{ASK}", said("4")));
    assert_eq!(script.notes(), ["online false"]);
}

#[test]
fn not_after_the_end_and_not_too_late() {
    // The server ends the stream: the session is over at once.
    let mut script = Script::online(config());
    say(&script, "1").unwrap();
    script.receive("</stream:stream>");
    script.wire.close_if_open();
    script.advance(10_000);
    assert_eq!(script.notes()[0], "undelivered message");
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert!(script.sent().contains("<bind "));
    // The server keeps it for 100 seconds only.
    for (millis, is_resumed) in [(99_000, true), (101_000, false)] {
        let mut script = Script::online(config());
        script.cut();
        script.advance(millis);
        script.reconnect();
        script.log_in();
        script.receive(BIND);
        assert_eq!(script.sent().contains("<resume "), is_resumed);
    }
    let mut script = Script::online(config().resume_within(Duration::from_secs(10)));
    script.cut();
    script.advance(11_000);
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert!(!script.sent().contains("<resume "));
}

#[test]
fn attempts_that_fail_leave_the_session() {
    let mut script = Script::online(config());
    say(&script, "1").unwrap();
    script.cut();
    for _ in 0..3 {
        script.reconnect();
        script.wire.reset();
        script.advance(1_000);
        assert!(script.notes()[0].starts_with("login_failed"));
    }
    script.reconnect();
    script.log_in();
    script.receive(BIND);
    assert!(script.sent().contains("<resume "));
    script.receive("<resumed xmlns='urn:xmpp:sm:3' previd='sm1' h='0'/>");
    assert_eq!(script.sent(), format!("{}{ASK}", said("1")));
    assert_eq!(script.notes(), ["online true"]);
}

#[test]
fn stanzas_wait_while_away() {
    let script = Script::new(config().unacknowledged_max(2));
    assert!(say(&script, "1").is_ok() && say(&script, "2").is_ok());
    assert_eq!(say(&script, "3"), Err(SendError::QueueFull { max: 2 }));
    assert!(matches!(say(&script, "\0"), Err(SendError::Encode(_))));
    let presence = sinew_chat::xmpp::codec::Presence::available();
    assert_eq!(script.xmpp.send_presence(presence), Err(SendError::NotConnected));
    script.log_in();
    script.receive(BIND);
    script.receive(BOUND);
    script.sent();
    script.receive(ENABLED);
    assert_eq!(script.sent(), format!("{}{ASK}{}", said("1"), said("2")));
    let script = Script::new(config().waits_while_away(false));
    assert_eq!(say(&script, "1"), Err(SendError::NotConnected));
}

#[test]
fn a_server_that_is_silent() {
    for has_management in [true, false] {
        let script = match has_management {
            true => Script::online(config()),
            false => Script::online_simply(config()),
        };
        script.sent();
        script.advance(59_000);
        assert_eq!(script.sent(), "");
        script.advance(1_000);
        let sent = script.sent();
        assert!(if has_management { sent == ASK } else { sent.contains("<ping ") }, "{sent}");
        // White space is a sign of life as well.
        script.advance(30_000);
        script.receive(" ");
        script.advance(59_000);
        assert_eq!(script.sent(), "");
        script.advance(61_000 + 2);
        script.wire.close_if_open();
        script.advance(10_000);
        let notes = script.notes();
        assert!(notes.last().unwrap().contains("was silent for 120"), "{notes:?}");
    }
}
