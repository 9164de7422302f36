//! Attempts that are given up, handlers that fail, and times that never come.

use std::{rc::Rc, time::Duration};

use sinew_chat::irc::client::{IrcClient, IrcError, IrcHandler, SendError};
use sinew_transports::{
    Factory, Peer, StreamConfig, endpoint::ClientEndpoint, memory, reactor::Reactor,
};

use crate::support::{Notes, Noting, Script, config};

#[test]
fn attempts_to_connect() {
    let reactor = Reactor::simulated(0);
    let nobody = || -> ClientEndpoint { "memory:nobody".parse().unwrap() };
    let advance = || reactor.advance(Duration::ZERO).unwrap();
    let irc = IrcClient::new(&reactor, config(), Noting(Notes::default()));
    // One at a time; what becomes of the second does not matter to the first.
    let (first, second) = (irc.connect(&reactor, nobody()), irc.connect(&reactor, nobody()));
    advance();
    assert!(matches!(second.take(), Some(Err(IrcError::Connected))));
    assert!(matches!(first.take(), Some(Err(IrcError::Connect(_)))));
    // Given up by its deferred, or by the end that is asked for.
    drop(irc.connect(&reactor, ("192.0.2.1", 6667)));
    advance();
    let ended = irc.connect(&reactor, ("192.0.2.1", 6667));
    assert!(irc.quit("bye").is_ok());
    advance();
    assert!(matches!(ended.take(), Some(Err(IrcError::Connect(_)))));
    assert_eq!(irc.quit("bye"), Err(SendError::NotConnected));
    let again = irc.connect(&reactor, nobody());
    advance();
    assert!(matches!(again.take(), Some(Err(IrcError::Connect(_)))));
}

struct Panics;

impl IrcHandler for Panics {
    fn registration_failed(&mut self, _: &IrcClient, _: &IrcError) {
        panic!("the handler");
    }
}

#[test]
fn a_handler_that_panics_keeps_nobody_waiting() {
    let reactor = Reactor::simulated(0);
    let irc = IrcClient::new(&reactor, config(), Panics);
    let protocol = irc.clone().build_protocol(&Peer::Memory).unwrap();
    let (connection, wire) = memory::connect(&reactor, StreamConfig::default(), protocol).unwrap();
    let waits = irc.when_signed_on();
    wire.reset();
    reactor.advance(Duration::ZERO).unwrap();
    assert!(matches!(waits.take(), Some(Err(IrcError::Lost { .. }))));
    drop((connection, Rc::new(irc)));
}

#[test]
fn silence_that_is_borne_for_ever() {
    let script = Script::online(config().ping_after(Duration::MAX).pong_within(Duration::MAX));
    script.receive("PING :x\n");
    assert!(script.sent().ends_with("PONG :x\n"));
    script.advance(1_000_000);
    assert!(script.irc.is_online());
    // Before the welcome, nobody is asked, and the loop is not kept busy.
    let slow = config().registration_timeout(Duration::from_secs(1_000));
    let script = Script::new(slow.ping_after(Duration::from_secs(1)));
    script.sent();
    script.advance(500_000);
    assert_eq!(script.sent(), "");
}

#[test]
fn a_channel_that_was_left_is_not_joined_again() {
    let mut script = Script::online(config().join("#a").unwrap().join("#b").unwrap());
    script.receive(":bot!b@h JOIN #a\n:bot!b@h JOIN #b\n");
    // The connection is lost before the server has answered.
    script.irc.leave("#A", "bye").detach();
    script.wire.reset();
    script.advance(0);
    script.irc.leave("#b", "bye").detach();
    script.reconnect();
    script.receive(":irc 421 * CAP :x\n:irc 001 bot :x\n");
    assert!(!script.sent().contains("JOIN"));
}
