//! Floods in both directions, silence, and input that is too long.

use std::time::Duration;

use sinew_chat::irc::client::SendError;

use crate::support::{Script, config};

#[test]
fn lines_are_sent_no_faster_than_servers_allow() {
    let script = Script::online(config().queue_max(10));
    script.sent();
    for number in 0..15 {
        script.irc.message("#a", number.to_string()).unwrap();
    }
    assert_eq!(script.irc.message("#a", "x"), Err(SendError::QueueFull { max: 10 }));
    assert_eq!(script.sent().lines().count(), 5);
    for _ in 0..10 {
        script.advance(1_900);
        assert_eq!(script.sent(), "");
        // Answers to PING do not wait.
        script.receive("PING :x\n");
        assert_eq!(script.sent(), "PONG :x\n");
        script.advance(101);
        assert_eq!(script.sent().lines().count(), 1);
    }
    // A long text is sent whole or not at all.
    script.advance(60_000);
    assert!(script.irc.message("#a", "x".repeat(10_000)).is_err());
    assert_eq!(script.sent(), "");
}

#[test]
fn ctcp_storm() {
    let script = Script::online(config().version(Some("bot 1.0")).unwrap());
    script.sent();
    script.receive(&":ann!a@h PRIVMSG bot :\x01VERSION\x01\n".repeat(100));
    assert_eq!(script.sent(), "NOTICE ann :\x01VERSION bot 1.0\x01\n");
    script.advance(2_000);
    script.receive(
        ":ann!a@h PRIVMSG #a :\x01PING 1 2\x01\n:ann!a@h PRIVMSG bot :\x01CLIENTINFO\x01\n",
    );
    assert_eq!(script.sent(), "NOTICE ann :\x01PING 1 2\x01\n");
    script.advance(2_000);
    // Never to notices, to itself, or to what is unknown.
    script.receive(":ann!a@h NOTICE bot :\x01VERSION\x01\n:bot!b@h PRIVMSG bot :\x01VERSION\x01\n:a!a@h PRIVMSG bot :\x01X\x01\n");
    assert_eq!(script.sent(), "");
    let silent = Script::online(config().version(None).unwrap());
    silent.sent();
    silent.receive(":ann!a@h PRIVMSG bot :\x01PING x\x01\n");
    assert_eq!(silent.sent(), "");
}

#[test]
fn a_server_that_is_silent() {
    let script = Script::online(config());
    script.sent();
    script.advance(89_000);
    assert_eq!(script.sent(), "");
    script.advance(1_000);
    assert_eq!(script.sent(), "PING :sinew\n");
    script.advance(59_000);
    script.receive(":irc PONG irc :sinew\n");
    script.advance(89_000);
    assert_eq!(script.sent(), "");
    script.advance(1_000);
    assert_eq!(script.sent(), "PING :sinew\n");
    script.advance(60_000);
    script.wire.close();
    script.advance(10_000);
    let notes = script.notes();
    assert!(notes[0].contains("was silent for 150s"), "{notes:?}");
}

#[test]
fn lines_that_are_too_long_or_no_messages_are_ignored() {
    let script = Script::online(config());
    let long = format!(":a!a@h PRIVMSG #a :{}\n", "x".repeat(5_000));
    script.receive(&long);
    script.receive(&format!("@a={} PING :x\n", "x".repeat(9_000)));
    script.receive("\x01\x02\x03\n:only-a-source\n@tags\n\r\r\n:a PRIVMSG #a :nul \0\n");
    assert_eq!((script.notes().len(), script.irc.is_online()), (0, true));
    script.receive(&format!(":a!a@h PRIVMSG #a :{}\n", "x".repeat(4_000)));
    assert_eq!(script.notes().len(), 1);
    script.advance(Duration::from_secs(1).as_millis() as u64);
}

#[test]
fn what_is_remembered_is_bounded() {
    let script = Script::online(config().members_max(10));
    script.receive(":bot!b@h JOIN #a\n");
    for number in 0..50 {
        script.receive(&format!(":u{number}!u@h JOIN #a\n"));
    }
    assert_eq!(script.irc.members("#a").unwrap().len(), 10);
    let names: String = (0..2_000).map(|number| format!(":bot!b@h JOIN #c{number}\n")).collect();
    script.receive(&names);
    assert_eq!(script.irc.channels().len(), 1_000);
    let lines = ":irc 372 bot :x\n".repeat(3_000);
    script.receive(&lines);
    assert_eq!(script.irc.motd().len(), 1_000);
}
