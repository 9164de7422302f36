//! Servers and users that do what they should not; and results that come all the same.

use std::time::Duration;

use sinew_chat::irc::{
    client::{CommandError, SendError},
    codec::MessageBuf,
};

use crate::support::{Script, config};

fn online() -> Script {
    let script = Script::online(config().rate(100, Duration::from_secs(1)));
    script.sent();
    script
}

#[test]
fn commands_end_also_if_the_nick_changes_meanwhile() {
    let script = online();
    script.receive(":bot!b@h JOIN #a\n");
    let (first, second) = (script.irc.set_nick("one"), script.irc.set_nick("two"));
    let (joined, left) = (script.irc.join("#b"), script.irc.leave("#a", ""));
    script.receive(":bot!b@h NICK one\n:one!b@h NICK two\n:two!b@h JOIN #b\n:two!b@h PART #a\n");
    for result in [first, second, joined, left] {
        assert!(result.take().expect("it is there").is_ok());
    }
    // Servers cut nicks.
    let long = script.irc.set_nick("muchtoolonganick");
    script.receive(":two!b@h NICK muchtool\n");
    assert!(long.take().expect("it is there").is_ok());
}

/// Servers say nothing to what is so already.
#[test]
fn commands_that_change_nothing() {
    let script = online();
    script.receive(":bot!b@h JOIN #a\n");
    script.sent();
    let (same, joined) = (script.irc.set_nick("bot"), script.irc.join("#A"));
    script.advance(0);
    assert!(same.take().expect("it is there").is_ok());
    assert!(joined.take().expect("it is there").is_ok());
    assert_eq!(script.sent(), "");
    // Unless it may be otherwise when it is received.
    let (other, back) = (script.irc.set_nick("other"), script.irc.set_nick("bot"));
    let (left, again) = (script.irc.leave("#a", ""), script.irc.join("#a"));
    assert_eq!(script.sent(), "NICK other\nNICK bot\nPART #a :\nJOIN #a\n");
    script
        .receive(":bot!b@h NICK other\n:other!b@h NICK bot\n:bot!b@h PART #a\n:bot!b@h JOIN #a\n");
    for result in [other, back, left, again] {
        assert!(result.take().expect("it is there").is_ok());
    }
}

/// JOIN 0 would leave all channels.
#[test]
fn zero_is_no_channel() {
    let script = online();
    assert!(matches!(
        script.irc.join("0").take(),
        Some(Err(CommandError::Send(SendError::Build(_))))
    ));
    assert!(config().join("0").is_err() && config().join_with_key("0", "k").is_err());
    assert_eq!(script.sent(), "");
}

#[test]
fn messages_without_their_parameters_change_nothing() {
    let script = online();
    script.receive(":bot!b@h JOIN #a\n");
    script.notes();
    for line in ["NICK", "NICK :", "JOIN", "JOIN :", "PART", "KICK", "KICK #a", "MODE", "MODE #a"] {
        script.receive(&format!(":bot!b@h {line}\n"));
    }
    assert_eq!(script.irc.nick(), "bot");
    assert_eq!(script.irc.channels(), [b"#a".to_vec()]);
    assert!(script.notes().iter().all(|note| note.starts_with("unknown")));
}

/// A long text is queued whole or not at all, also when the burst is used up.
#[test]
fn no_half_of_a_text_is_queued() {
    let script = Script::online(config().queue_max(10));
    script.sent();
    for number in 0..13 {
        script.irc.message("#a", number.to_string()).unwrap();
    }
    // Two places are left: the text needs three.
    let text = "x".repeat(1_000);
    assert_eq!(script.irc.message("#a", &text), Err(SendError::QueueFull { max: 10 }));
    script.advance(100_000);
    let sent = script.sent();
    assert_eq!((sent.matches("PRIVMSG").count(), sent.contains('x')), (13, false));
    script.irc.message("#a", text).unwrap();
    assert!(script.sent().contains('x'));
}

/// An action that others would receive without its end is an error.
#[test]
fn prefix_counted_in_actions() {
    let script = online();
    script.receive(":bot!~robot@host.example.net JOIN #a\n");
    let front = ":bot!~robot@host.example.net PRIVMSG #a :\x01ACTION \x01\r\n".len();
    assert!(script.irc.describe("#a", "x".repeat(512 - front + 1)).is_err());
    assert_eq!(script.sent(), "");
    script.irc.describe("#a", "x".repeat(512 - front)).unwrap();
}

#[test]
fn times_without_end() {
    for after in [Duration::from_secs(1), Duration::MAX] {
        let script = Script::online(config().ping_after(after).pong_within(Duration::MAX));
        script.advance(3_600_000);
        assert!(script.irc.is_online());
    }
}

/// Before the welcome only the registration has a clock.
#[test]
fn silence_before_the_welcome() {
    let config = crate::support::config()
        .ping_after(Duration::from_secs(1))
        .pong_within(Duration::from_secs(1))
        .registration_timeout(Duration::from_secs(600));
    let script = Script::new(config);
    script.sent();
    let before = script.reactor.stats().timers_fired;
    script.advance(599_000);
    assert_eq!(script.sent(), "");
    let fired = script.reactor.stats().timers_fired - before;
    assert!(fired < 1_000, "{fired} timers");
}

#[test]
fn what_hostile_servers_can_have_remembered() {
    let script = Script::online(config().members_max(1_000));
    script.receive(":irc 005 bot PREFIX=(ov)@+ :are supported\n:bot!b@h JOIN #a\n");
    let long = "x".repeat(2_000);
    script.receive(&format!(
        ":irc 353 bot = #a :{}ann {long} bob\n:{long}!a@h JOIN #a\n:bob!b@h NICK {long}\n",
        "@+".repeat(500)
    ));
    let members = script.irc.members("#a").unwrap();
    let shown: Vec<_> =
        members.iter().map(|member| (member.nick.as_slice(), member.modes.as_slice())).collect();
    assert_eq!(shown, [(&b"ann"[..], &b"ov"[..]), (b"bot", b"")]);
}

#[test]
fn replies_are_bounded_in_bytes() {
    let script = Script::new(config().replies_max(1_000_000));
    script.receive(
        ":irc CAP * LS :batch labeled-response\n:irc CAP * ACK :batch labeled-response\n:irc 001 bot :Hi\n",
    );
    let asked = script.irc.ask(MessageBuf::new("LIST").unwrap());
    script.receive("@label=sinew1 :irc BATCH +r labeled-response\n");
    let line = format!("@batch=r :irc 322 bot #a 1 :{}\n", "x".repeat(4_000));
    for _ in 0..50 {
        script.receive(&line.repeat(100));
    }
    assert!(matches!(asked.take(), Some(Err(CommandError::TooLarge { .. }))));
    assert!(script.irc.is_online());
}

/// Channels that were refused do not pile up, and a key that was changed is the one for the next time.
#[test]
fn keys_for_the_next_time() {
    let mut script = Script::online(config().rate(10_000, Duration::from_millis(1)));
    for number in 0..1_100 {
        script.irc.join_with_key(&format!("#{number}"), "k").detach();
        script.receive(&format!(":irc 475 bot #{number} :no\n"));
    }
    let joined = script.irc.join_with_key("#key", "old");
    script.receive(":bot!b@h JOIN #key\n:op!o@h MODE #key +k new\n:op!o@h MODE #key +k *\n");
    assert!(joined.take().unwrap().is_ok());
    script.wire.reset();
    script.advance(0);
    script.reconnect();
    script.receive(":irc 001 bot :Welcome\n");
    script.advance(10_000);
    let sent = script.sent();
    let joins: Vec<_> = sent.lines().filter(|line| line.starts_with("JOIN")).collect();
    assert_eq!(joins, ["JOIN #key new"]);
}
