//! Mail that is refused while its sender is there, and what the log says of it.

use std::fs;

use super::{Fixture, port, talk};

/// What would come back, or be sent back, is refused while its sender is there.
#[test]
fn loops_and_full_mailboxes_are_refused() {
    let fixture = Fixture::new().with(
        "relay_from = ['127.0.0.0/8']\nown_address = ['203.0.113.25']\nrelay_to = ['10.0.0.0/8']\nquota = '1K'\n",
    );
    let server = fixture.start();
    let said = talk(
        &port(&server, ""),
        &[
            "EHLO client.example",
            "MAIL FROM:<v@[127.0.0.3]> SIZE=2000",
            "RCPT TO:<bob@[127.0.0.1]>",
            "RCPT TO:<bob@[IPv6:::1]>",
            "RCPT TO:<bob@[203.0.113.25]>",
            "RCPT TO:<bob@[192.168.0.1]>",
            "RCPT TO:<ann@example.org>",
            "RCPT TO:<bob@[10.0.0.1]>",
            "RSET",
            "MAIL FROM:<v@[127.0.0.3]>",
            "RCPT TO:<ann@example.org>",
            "DATA",
            &format!("{}\r\n.", "x".repeat(990)),
        ],
    );
    let starts = [
        "250",
        "250",
        "550 5.4.6",
        "550 5.4.6",
        "550 5.4.6",
        "550 5.4.4",
        "552 5.2.2",
        "250",
        "250",
        "250",
        "250",
        "354",
        "552 5.2.2",
    ];
    assert_eq!(said.len(), starts.len());
    for (line, start) in said.iter().zip(starts) {
        assert!(line.starts_with(start), "{start}: {said:?}");
    }
    // Nothing is in the queue, and nothing was sent to the forged sender.
    assert!(!fixture.listed().contains("127.0.0.3"));
    server.stop();
}

#[test]
fn why_a_message_was_not_queued_is_in_the_log() {
    let fixture = Fixture::new();
    let mut server = fixture.start();
    fs::remove_dir_all(fixture.scratch.path("queue")).expect("a folder");
    let commands = ["EHLO c", "MAIL FROM:<>", "RCPT TO:<ann@example.org>", "DATA", "x\r\n."];
    let said = talk(&port(&server, ""), &commands);
    assert!(said[4].starts_with("451 "), "{said:?}");
    let line = server.line("a message could not be queued");
    assert!(line.contains("No such file or directory"), "{line}");
    server.stop();
}
