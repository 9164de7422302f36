//! Every command in every state: the table at the head of `connection.rs`.

use crate::support::{Client, config};

/// The states, and what leads there.
const STATES: [&str; 5] = [
    "",
    "EHLO a\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n",
    "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 2\r\n\r\n",
];

/// Each command with its reply in each state.
const TABLE: [(&str, [u16; 5]); 15] = [
    ("HELO a", [250, 250, 250, 250, 250]),
    ("EHLO a", [250, 250, 250, 250, 250]),
    ("LHLO a", [502, 502, 502, 502, 502]),
    ("MAIL FROM:<>", [503, 250, 503, 503, 503]),
    ("RCPT TO:<a@b.c>", [503, 503, 250, 250, 503]),
    ("DATA", [503, 503, 503, 354, 503]),
    ("BDAT 0", [503, 503, 503, 250, 250]),
    ("BDAT 0 LAST", [503, 503, 503, 250, 250]),
    ("RSET", [250, 250, 250, 250, 250]),
    ("NOOP", [250, 250, 250, 250, 250]),
    ("HELP", [214, 214, 214, 214, 214]),
    ("VRFY a", [252, 252, 252, 252, 252]),
    ("EXPN a", [502, 502, 502, 502, 502]),
    ("STARTTLS", [502, 502, 502, 502, 502]),
    ("QUIT", [221, 221, 221, 221, 221]),
];

#[test]
fn every_command_in_every_state() {
    for (command, replies) in TABLE {
        for (state, reply) in STATES.into_iter().zip(replies) {
            let client = Client::new(config());
            client.received();
            client.say(state);
            assert_eq!(
                client.codes(format!("{command}\r\n")),
                [reply],
                "{command} after {state:?}"
            );
        }
    }
}

#[test]
fn a_message_given_up_is_forgotten() {
    for giving_up in ["RSET", "EHLO a", "HELO a"] {
        for state in &STATES[2..] {
            let client = Client::new(config());
            client.received();
            client.say(state);
            client.say(format!("{giving_up}\r\n"));
            assert_eq!(
                client.codes("DATA\r\nMAIL FROM:<>\r\n"),
                [503, 250],
                "{giving_up} after {state:?}"
            );
        }
    }
}

#[test]
fn a_pipelined_burst_is_answered_in_order() {
    let client = Client::new(config());
    client.received();
    let burst = "EHLO a\r\nNOOP\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@b.c>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<later@b.c>\r\nDATA\r\n";
    assert_eq!(client.codes(burst), [250, 250, 250, 550, 250, 451, 354]);
    // Two messages, and the end, in one piece.
    let burst = "one\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<b@b.c>\r\nBDAT 5 LAST\r\ntwo\r\nQUIT\r\n";
    assert_eq!(client.codes(burst), [250, 250, 250, 250, 221]);
    let texts: Vec<_> = client.mails().into_iter().map(|mail| mail.text).collect();
    assert_eq!(texts, ["one\r\n", "two\r\n"]);
}

#[test]
fn what_is_pipelined_behind_a_refusal_is_no_error() {
    let refused_sender = "MAIL FROM:<x@spam.example>\r\nRCPT TO:<a@b.c>\r\n";
    let refused_recipients = "MAIL FROM:<>\r\nRCPT TO:<no@b.c>\r\nRCPT TO:<no@b.c>\r\n";
    for (refused, end, codes) in [
        (refused_sender, "DATA\r\n", &[550, 503, 554][..]),
        (refused_sender, "BDAT 2\r\n\r\nBDAT 2 LAST\r\n\r\n", &[550, 503, 554, 554]),
        (refused_recipients, "DATA\r\n", &[250, 550, 550, 554]),
        (refused_recipients, "BDAT 2 LAST\r\n\r\n", &[250, 550, 550, 554]),
    ] {
        let client = Client::new(config().errors_max(1));
        client.received();
        client.say("EHLO a\r\n");
        for _ in 0..3 {
            assert_eq!(client.codes(format!("{refused}{end}RSET\r\n")), [codes, &[250]].concat());
        }
        // It is one only behind the refusal.
        assert_eq!(client.codes(format!("{refused}RSET\r\nDATA\r\nDATA\r\n")).pop(), Some(421));
    }
}
