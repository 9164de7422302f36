//! LMTP: a reply for each recipient.

use sinew_mail::smtp::{codec::Reply, server::Outcome};

use crate::support::{Client, Notes, codes, config};

fn client(lmtp: bool, outcome: Option<Outcome>) -> Client {
    let client = Client::with_notes(config().lmtp(lmtp), Notes { outcome, ..Notes::default() });
    client.received();
    client.say(if lmtp { "LHLO a\r\n" } else { "EHLO a\r\n" });
    client.say("MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<no@b.c>\r\nRCPT TO:<b@b.c>\r\nRCPT TO:<c@b.c>\r\n");
    client
}

fn each() -> Option<Outcome> {
    Some(Outcome::Each(vec![Reply::no_such_mailbox(), Reply::ok()]))
}

#[test]
fn the_greeting_is_lhlo() {
    let client = Client::new(config().lmtp(true));
    assert_eq!(client.received(), "220 mail.example LMTP\r\n");
    assert_eq!(client.codes("EHLO a\r\nHELO a\r\nLHLO a\r\n"), [502, 502, 250]);
}

#[test]
fn each_accepted_recipient_has_its_reply() {
    // The third was forgotten by the handler.
    for (outcome, expected) in [(None, [250, 250, 250]), (each(), [550, 250, 451])] {
        let client = client(true, outcome.clone());
        client.say("DATA\r\n");
        assert_eq!(client.codes("x\r\n.\r\n"), expected);
        let client = self::client(true, outcome);
        assert_eq!(client.codes("BDAT 2\r\n\r\nBDAT 0 LAST\r\n"), [&[250][..], &expected].concat());
    }
}

#[test]
fn a_refusal_is_that_of_each() {
    let client = Client::with_notes(config().lmtp(true).size_max(3), Notes::default());
    client.say("LHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nDATA\r\n");
    assert_eq!(codes(&client.say("too much\r\n.\r\nNOOP\r\n")), [552, 552, 250]);
}

#[test]
fn smtp_accepts_what_is_accepted_for_one() {
    let client = client(false, each());
    client.say("DATA\r\n");
    assert_eq!(client.codes("x\r\n.\r\n"), [250]);
    let none = Outcome::Each(vec![Reply::no_such_mailbox(), Reply::try_later()]);
    let client = self::client(false, Some(none));
    client.say("DATA\r\n");
    assert_eq!(client.codes("x\r\n.\r\n"), [550]);
}

#[test]
fn a_421_for_one_recipient_comes_with_the_replies_for_the_others() {
    let away = || Reply::new(421, "4.3.2 away").unwrap();
    let each = Outcome::Each(vec![away(), Reply::ok(), Reply::ok()]);
    for (outcome, expected) in [(each, [421, 250, 250]), (Outcome::All(away()), [421, 421, 421])] {
        let client = client(true, Some(outcome));
        client.say("DATA\r\n");
        assert_eq!(client.codes("x\r\n.\r\nNOOP\r\n"), expected);
        assert!(client.is_closed());
    }
}
