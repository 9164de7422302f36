//! Connections that two ways make at once: each has its own end, and those who wait for the client wait for the one that is there.

use sinew_chat::irc::client::IrcError;
use sinew_transports::{endpoint::ClientEndpoint, names::ReactorNames};

use crate::{
    never::never,
    support::{Script, config},
};

const WELCOME: &str = ":irc 001 bot :Welcome\n";

/// A client that has been offline once, whose next connection is up to the test. No name of a host is ever found.
fn offline() -> Script {
    let script = Script::online(config());
    script.wire.reset();
    script.advance(0);
    script.reactor.set_resolver(never);
    script
}

#[test]
fn an_attempt_that_fails_behind_a_faster_connection() {
    let mut script = offline();
    let nobody: ClientEndpoint = "memory:nobody".parse().unwrap();
    let slow = script.irc.connect(&script.reactor, nobody);
    let online = script.irc.when_signed_on();
    script.reconnect();
    assert!(matches!(slow.take(), Some(Err(IrcError::Connected))));
    assert!(!online.is_settled());
    script.receive(WELCOME);
    assert!(script.irc.is_online() && matches!(online.take(), Some(Ok(()))));
}

#[test]
fn an_attempt_that_is_given_up_behind_a_faster_connection() {
    let mut script = offline();
    let slow = script.irc.connect(&script.reactor, ("slow.example", 6667));
    let online = script.irc.when_signed_on();
    script.reconnect();
    assert!(!slow.is_settled());
    drop(slow);
    script.advance(0);
    assert!(!online.is_settled());
    script.receive(WELCOME);
    assert!(script.irc.is_online() && matches!(online.take(), Some(Ok(()))));
}

#[test]
fn a_connection_that_fails_before_the_attempt() {
    let mut script = offline();
    let slow = script.irc.connect(&script.reactor, ("slow.example", 6667));
    let online = script.irc.when_signed_on();
    script.reconnect();
    script.wire.reset();
    script.advance(0);
    assert!(matches!(online.take(), Some(Err(IrcError::Lost { .. }))));
    // It still connects, and is told how that ends.
    assert!(!slow.is_settled());
    script.irc.quit("").unwrap();
    script.advance(0);
    assert!(matches!(slow.take(), Some(Err(IrcError::Connect(_)))));
}
