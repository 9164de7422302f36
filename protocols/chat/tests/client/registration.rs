//! From the connection to the welcome.

use std::time::Duration;

use sinew_chat::irc::{
    client::{IrcClient, IrcConfig, IrcError},
    server::{IrcServer, ServerConfig},
};
use sinew_transports::{Factory, Peer, ReactorTcp, reactor::Reactor};

use crate::support::{Notes, Noting, Script, config};

const HELLO: &str = "CAP LS 302\nNICK bot\nUSER bot 0 * :bot\n";

#[test]
fn what_is_sent_first() {
    assert_eq!(Script::new(config()).sent(), HELLO);
    let config =
        config().user("me").unwrap().real_name("My Name").unwrap().password("se cret").unwrap();
    let sent = Script::new(config).sent();
    assert_eq!(sent, "CAP LS 302\nPASS :se cret\nNICK bot\nUSER me 0 * :My Name\n");
}

#[test]
fn a_configuration_that_would_break_out_is_refused() {
    assert!(IrcConfig::new("a b").is_err());
    assert!(IrcConfig::new("").is_err());
    assert!(config().user("a\r\nQUIT").is_err());
    assert!(config().real_name("a\nb").is_err());
    assert!(config().password("\0").is_err());
    assert!(config().join("#a,#b").is_err());
    assert!(config().join_with_key("#a", "k y").is_err());
    assert!(config().version(Some("a\rb")).is_err());
}

#[test]
fn cap_ls_in_pieces() {
    let script = Script::new(config());
    script.sent();
    script.receive(":irc CAP * LS * :multi-prefix unknown/one\n:irc CAP * LS * :batch=x\n");
    assert_eq!(script.sent(), "");
    script.receive(":irc CAP * LS :server-time sasl=PLAIN\n");
    assert_eq!(script.sent(), "CAP REQ :batch multi-prefix server-time\n");
    script.receive(":irc CAP * ACK :batch multi-prefix\n");
    assert_eq!(script.sent(), "CAP END\n");
    assert!(script.irc.has_capability("batch") && !script.irc.has_capability("server-time"));
    script.receive(":irc 001 bot2 :Welcome\n");
    assert_eq!(script.notes(), ["signed_on"]);
    assert_eq!(script.irc.nick(), "bot2");
    // Later ones.
    script.receive(
        ":irc CAP bot2 NEW :setname\n:irc CAP bot2 ACK :setname\n:irc CAP bot2 DEL :batch\n",
    );
    assert_eq!(script.sent(), "CAP REQ :server-time setname\n");
    assert!(script.irc.has_capability("setname") && !script.irc.has_capability("batch"));
    // What was not asked for is not on.
    script.receive(":irc CAP bot2 ACK :vendor/x\n");
    assert!(!script.irc.has_capability("vendor/x"));
}

#[test]
fn servers_without_capabilities() {
    for lines in [
        ":irc 421 * CAP :Unknown command\n:irc 001 bot :Welcome\n",
        ":irc 001 bot :Welcome\n",
        ":irc CAP * LS :\n:irc 001 bot :Welcome\n",
        ":irc CAP * LS :batch\n:irc CAP * NAK :batch\n:irc 001 bot :Welcome\n",
    ] {
        let script = Script::new(config().join("#a").unwrap());
        script.sent();
        script.receive(lines);
        assert!(script.sent().ends_with("JOIN #a\n"), "{lines}");
    }
}

#[test]
fn nick_taken_at_connect() {
    let script = Script::new(config());
    script.sent();
    for expected in ["NICK bot_\n", "NICK bot__\n", "NICK bot2\n", "NICK bot3\n"] {
        script.receive(":irc 433 * bot :Nickname is already in use\n");
        assert_eq!(script.sent(), expected);
    }
    for _ in 0..7 {
        script.receive(":irc 433 * bot :Nickname is already in use\n");
    }
    script.sent();
    script.receive(":irc 433 * bot :Nickname is already in use\n");
    script.wire.close();
    script.advance(10_000);
    assert_eq!(script.notes(), ["registration_failed none of 12 nicks was free"]);
}

#[test]
fn refusals_and_silence() {
    for (lines, advance, expected) in [
        (
            ":irc 464 * :Password incorrect\n",
            0,
            "the IRC server refused the client: 464 Password incorrect",
        ),
        (":irc 432 * bot :Erroneous\n", 0, "the IRC server refused the client: 432 Erroneous"),
        (
            ":irc 465 * :You are banned\n",
            0,
            "the IRC server refused the client: 465 You are banned",
        ),
        ("ERROR :Closing Link\n", 0, "the IRC server ended the connection: Closing Link"),
        ("", 60_000, "the IRC server did not welcome the client within 60s"),
    ] {
        let script = Script::new(config());
        let welcomed = script.irc.when_signed_on();
        script.receive(lines);
        script.advance(advance);
        script.wire.close();
        script.advance(10_000);
        assert_eq!(script.notes(), [format!("registration_failed {expected}")]);
        let error = welcomed.take().expect("it has failed").unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    // The time counts in total, whatever is sent.
    let script = Script::new(config());
    for _ in 0..59 {
        script.receive(":irc NOTICE * :Looking up your hostname\n");
        script.advance(1_000);
    }
    assert!(!script.connection.transport().is_closing());
    script.advance(1_000);
    assert!(script.connection.transport().is_closing());
}

#[test]
fn one_connection_at_a_time() {
    let script = Script::online(config());
    let mut factory: IrcClient = script.irc.clone();
    assert!(factory.build_protocol(&Peer::Memory).is_none());
    let second = script.irc.connect(&script.reactor, "127.0.0.1:1");
    script.advance(0);
    assert!(matches!(second.take(), Some(Err(IrcError::Connected))));
}

#[test]
fn rejoin_after_reconnect() {
    let mut script = Script::online(config().join("#a").unwrap());
    script.receive(":bot!b@h JOIN #A\n:bot!b@h JOIN #b\n:bot!b@h JOIN #c\n:bot!b@h JOIN #d\n");
    let joined = script.irc.join_with_key("#key", "sesame");
    script.receive(":bot!b@h JOIN #key\n");
    assert!(joined.take().unwrap().is_ok());
    script.receive(":op!o@h KICK #c bot :out\n:bot!b@h PART #d\n");
    script.wire.reset();
    script.advance(0);
    assert!(script.irc.channels().is_empty() && !script.irc.is_online());
    script.reconnect();
    script.receive(":irc 001 bot :Welcome\n");
    script.advance(60_000);
    let sent = script.sent();
    let joins: Vec<_> = sent.lines().filter(|line| line.starts_with("JOIN")).collect();
    assert_eq!(joins, ["JOIN #a", "JOIN #b", "JOIN #key sesame"]);

    let mut script = Script::online(config().join("#a").unwrap().rejoin(false));
    script.receive(":bot!b@h JOIN #a\n:bot!b@h JOIN #b\n");
    script.wire.reset();
    script.advance(0);
    script.reconnect();
    script.receive(":irc 001 bot :Welcome\n");
    assert!(script.sent().ends_with("JOIN #a\n"));
}

/// A server cannot have a client remember channels without end.
#[test]
fn channels_to_rejoin_are_bounded() {
    let mut script = Script::online(config().rate(10_000, Duration::from_millis(1)));
    let joins: String = (0..1_100).map(|number| format!(":bot!b@h JOIN #{number}\n")).collect();
    script.receive(&joins);
    script.wire.reset();
    script.advance(0);
    script.reconnect();
    script.receive(":irc 001 bot :Welcome\n");
    let sent = script.sent();
    assert_eq!(sent.lines().filter(|line| line.starts_with("JOIN")).count(), 1_000);
}

#[test]
fn a_nick_is_tried_anew_at_each_connection() {
    let mut script = Script::new(config());
    script.receive(":irc 433 * bot :taken\n");
    script.wire.reset();
    script.advance(0);
    script.reconnect();
    assert_eq!(script.sent(), HELLO);
    script.advance(Duration::from_secs(1).as_millis() as u64);
}

/// Two attempts at once: the slower one is told so, and does not end the wait for the faster one.
#[test]
fn two_connections_at_once() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let server = IrcServer::new(&reactor, ServerConfig::new("irc.test").unwrap());
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap().local();
    let irc = IrcClient::new(&reactor, config(), Noting(Notes::default()));
    let (first, second) = (irc.connect(&reactor, port), irc.connect(&reactor, port));
    let test = async move { ((first.await, second.await), irc.is_online()) };
    let (results, is_online) = reactor.run_until(test).unwrap();
    let is_refused = |result: &Result<_, _>| matches!(result, Err(IrcError::Connected));
    let refused = [&results.0, &results.1].into_iter().filter(|result| is_refused(result)).count();
    assert_eq!((refused, is_online), (1, true), "{results:?}");
    assert!(results.0.is_ok() || results.1.is_ok());
}
