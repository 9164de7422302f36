//! A session split in every way is the same session.

use std::rc::Rc;

use sinew_testkit::testing::every_split;
use sinew_transports::Peer;

use crate::support::{Shared, config, server};

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let input = b"EHLO a\r\nHALLO\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nBDAT 6\r\nab\r\n.\rBDAT 2 LAST\r\n\n.DATA\r\nQUIT\r\n";
    let expect = "220 mail.example ESMTP\r\n250-mail.example\r\n250-SIZE 26214400\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n500 5.5.1 Unknown command\r\n250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 Ok, go on\r\n250 2.0.0 Ok\r\n503 5.5.1 There are no recipients\r\n221 2.0.0 Bye\r\n";
    let notes = Shared::default();
    let kept = Rc::clone(&notes);
    every_split(
        move || server(config(), &kept).connection(&Peer::Memory),
        input,
        expect.as_bytes(),
    );
    let notes = notes.borrow();
    assert!(notes.mails.iter().all(|mail| mail.text == "ab\r\n.\r\n."), "each is the same message");
    assert!(notes.mails.len() > 100);
}

#[test]
fn every_split_of_a_line_that_is_too_long() {
    crate::watchdog::watch_this_test();
    let notes = Shared::default();
    let config = || config().line_max(8);
    every_split(
        move || server(config(), &notes).connection(&Peer::Memory),
        b"NOOP 6789\r\nNOOP 678\r\nNOOP 67890\r\nNOOP 6789012345\r\nNOOP\r\n",
        b"220 mail.example ESMTP\r\n500 5.5.6 The line is too long\r\n250 2.0.0 Ok\r\n500 5.5.6 The line is too long\r\n500 5.5.6 The line is too long\r\n250 2.0.0 Ok\r\n",
    );
}
