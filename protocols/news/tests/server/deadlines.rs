//! Limits and clocks, and what is no NNTP.

use std::time::Duration;

use sinew_news::nntp::server::{Access, Session};

use crate::support::{Client, config};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_command_must_be_complete_in_time() {
    let client = Client::new();
    for _ in 0..9 {
        client.advance(MINUTE);
        client.say("D");
    }
    assert!(!client.is_closed());
    client.advance(MINUTE);
    assert!(client.received().ends_with("400 It took too long\r\n"));
    assert!(client.is_closed());
}

#[test]
fn an_article_has_two_clocks() {
    let silent = Client::new();
    silent.say("IHAVE <1@a>\r\nPath: x\r\n");
    silent.advance(3 * MINUTE);
    assert!(silent.is_closed(), "it was silent");
    let slow = Client::new();
    slow.say("IHAVE <1@a>\r\n");
    for _ in 0..15 {
        slow.advance(2 * MINUTE);
        slow.wire.receive_if_open(b"x");
    }
    slow.advance(MINUTE);
    assert!(slow.is_closed(), "it was slow");
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let client = Client::new();
    client.put("<1@a>", &["a.open"], &"0123456789\r\n".repeat(50_000));
    client.wire.set_capacity(1_024);
    client.wire.receive_if_open(b"ARTICLE <1@a>\r\n");
    client.advance(2 * MINUTE);
    assert!(!client.is_closed());
    client.advance(2 * MINUTE);
    assert!(client.wire.was_reset());
}

#[test]
fn lines_that_are_no_lines() {
    for (input, expect) in [
        (format!("DATE {}\r\nDATE\r\n", "x".repeat(506)), vec![501]),
        (format!("GROUP {}\r\nDATE\r\n", "x".repeat(504)), vec![501, 111]),
        ("DATE\nDATE\r\n".to_owned(), vec![501]),
        ("DA\rTE\r\n".to_owned(), vec![501]),
        ("IHAVE <1@a>\r\nPath: x\n.\r\n".to_owned(), vec![335, 501]),
        ("IHAVE <1@a>\r\nPath: x\r\n.\nQUIT\r\n".to_owned(), vec![335, 501]),
    ] {
        let client = Client::new();
        let codes = client.codes(&input);
        assert_eq!(codes[1..], expect, "{:.40}", input.escape_debug());
        assert_eq!(client.is_closed(), expect.last() == Some(&501), "{:.40}", input.escape_debug());
    }
}

#[test]
fn too_many_errors() {
    let client = Client::with(config().errors_max(2), |_: &Session| Access::read());
    assert_eq!(client.codes("A\r\nB\r\nC\r\nDATE\r\n"), [201, 500, 500, 400]);
    assert!(client.is_closed());
}

#[test]
fn a_client_that_may_do_nothing_is_not_greeted() {
    let client = Client::with(config(), |_: &Session| Access::none());
    assert_eq!(client.codes(""), [502]);
    assert!(client.is_closed());
}
