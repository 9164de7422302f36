//! Every command in every state: the table at the head of `connection.rs`.

use crate::pop3_support::{Client, LOGIN, config, mail};

/// The states, and what leads there.
const STATES: [&str; 4] = ["", "USER ann\r\n", "AUTH PLAIN\r\n", LOGIN];

/// Each command with whether it is accepted in each state: `+`, `-`, or `r` for a response of a login, which it is not.
const TABLE: [(&str, &str); 21] = [
    ("CAPA", "++r+"),
    ("QUIT", "++r+"),
    ("USER bob", "++r-"),
    ("PASS secret", "-+r-"),
    ("APOP ann c4c9334bac560ecc979e58001b3e22fb", "--r-"),
    ("AUTH", "++r-"),
    ("AUTH PLAIN", "++r-"),
    ("AUTH PLAIN AGFubgBzZWNyZXQ=", "++r-"),
    ("UTF8", "++r-"),
    ("STLS", "--r-"),
    ("STAT", "--r+"),
    ("LIST", "--r+"),
    ("LIST 1", "--r+"),
    ("UIDL", "--r+"),
    ("RETR 1", "--r+"),
    ("TOP 1 0", "--r+"),
    ("DELE 1", "--r+"),
    ("NOOP", "--r+"),
    ("RSET", "--r+"),
    ("LAST", "--r+"),
    ("RPOP x", "--r-"),
];

#[test]
fn every_command_in_every_state() {
    for (command, expected) in TABLE {
        for (state, expected) in STATES.into_iter().zip(expected.chars()) {
            let client = Client::new(config(), &mail(&["Subject: x\r\n\r\n"]));
            client.say(state);
            let response = client.say(format!("{command}\r\n"));
            let status = match expected {
                '+' => "+",
                '-' => "-ERR",
                _ => "-ERR That is no response",
            };
            assert!(response.starts_with(status), "{command} after {state:?}: {response}");
            assert_eq!(client.is_closed(), command == "QUIT" && expected == '+');
        }
    }
}

#[test]
fn a_pipelined_burst_is_answered_in_order() {
    let shared = mail(&["Subject: x\r\n\r\n"]);
    shared.borrow_mut().later = vec!["open", "read", "finish"];
    let client = Client::new(config(), &shared);
    assert_eq!(
        client.say("USER ann\r\nPASS secret\r\nRETR 1\r\nSTAT\r\nDELE 1\r\nQUIT\r\nNOOP\r\n"),
        "+OK Say PASS\r\n"
    );
    client.settle(Ok(()));
    assert_eq!(client.received(), "+OK 1 messages (14 octets)\r\n");
    client.settle(Ok(()));
    assert_eq!(
        client.received(),
        "+OK 14 octets\r\nSubject: x\r\n\r\n.\r\n+OK 1 14\r\n+OK It is deleted at QUIT\r\n"
    );
    client.settle(Ok(()));
    assert_eq!(client.received(), "+OK Bye\r\n", "and nothing after it");
    assert!(client.is_closed());
}
