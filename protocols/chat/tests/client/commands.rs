//! What the client sends, and the replies that it waits for.

use std::time::Duration;

use sinew_chat::irc::{
    client::{CommandError, SendError},
    codec::{BuildError, MessageBuf, ModeChange},
};

use crate::support::{Script, config};

fn online() -> Script {
    let script = Script::online(config().rate(100, Duration::from_secs(1)));
    script.sent();
    script
}

#[test]
fn newline_in_privmsg_is_an_error() {
    let script = online();
    let forbidden = |byte, at| Err(SendError::Build(BuildError::Forbidden { byte, at }));
    assert_eq!(script.irc.message("#a", "x\nQUIT"), forbidden(b'\n', 1));
    assert_eq!(script.irc.message("#a\r\nQUIT", "x"), forbidden(b'\r', 2));
    assert_eq!(script.irc.message("#a b", "x"), forbidden(b' ', 2));
    assert_eq!(script.irc.notice("#a", "x\0"), forbidden(0, 1));
    assert_eq!(script.irc.describe("#a", "x\x01y"), forbidden(1, 1));
    assert!(script.irc.kick("#a", ":x", "").is_err());
    assert!(script.irc.quit("a\nb").is_err());
    assert!(script.irc.mode("#a", &[ModeChange::new(true, 'k').with("a b")]).is_err());
    // A long text with a fault at its end is not sent in part.
    assert!(script.irc.message("#a", format!("{}\n", "x".repeat(2_000))).is_err());
    assert_eq!(script.sent(), "");
    assert!(script.irc.is_online());
    script.irc.message_lines("#a", "one\r\n\ntwo").unwrap();
    assert_eq!(script.sent(), "PRIVMSG #a :one\nPRIVMSG #a :two\n");
}

#[test]
fn what_commands_send() {
    let script = online();
    script.irc.message("#a", ":)").unwrap();
    script.irc.describe("#a", "waves").unwrap();
    script.irc.away(Some("lunch")).unwrap();
    script.irc.away(None).unwrap();
    script.irc.set_topic_of("#a", "").unwrap();
    script.irc.kick("#a", "ann", "out").unwrap();
    script.irc.invite("ann", "#a").unwrap();
    let changes: Vec<_> =
        ["a", "b", "c", "d"].map(|nick| ModeChange::new(true, 'v').with(nick)).into();
    script.irc.mode("#a", &changes).unwrap();
    assert_eq!(
        script.sent(),
        "PRIVMSG #a ::)\nPRIVMSG #a :\x01ACTION waves\x01\nAWAY :lunch\nAWAY\nTOPIC #a :\nKICK #a ann :out\nINVITE ann #a\n\
        MODE #a +vvv a b c\nMODE #a +v d\n"
    );
    script.irc.quit("bye").unwrap();
    assert_eq!(script.sent(), "QUIT :bye\n");
    assert_eq!(script.irc.message("#a", "x"), Err(SendError::NotConnected));
}

#[test]
fn prefix_counted_in_split() {
    let script = online();
    script.receive(":bot!~robot@host.example.net JOIN #a\n");
    let text = "é".repeat(600);
    script.irc.message("#a", &text).unwrap();
    let sent = script.sent();
    for line in sent.lines() {
        let relayed = format!(":bot!~robot@host.example.net {line}\r\n");
        assert!((500..=512).contains(&relayed.len()) || line == sent.lines().last().unwrap());
    }
    let joined: String =
        sent.lines().map(|line| line.strip_prefix("PRIVMSG #a :").unwrap()).collect();
    assert_eq!(joined, text);
}

#[test]
fn replies_and_refusals() {
    let script = online();
    let joined = script.irc.join("#a");
    let other = script.irc.join("#b");
    assert_eq!(script.sent(), "JOIN #a\nJOIN #b\n");
    script
        .receive(":ann!a@h JOIN #a\n:irc 474 bot #B :Cannot join channel (+b)\n:bot!b@h JOIN #A\n");
    assert!(joined.take().unwrap().is_ok());
    assert_eq!(
        other.take().unwrap().unwrap_err().to_string(),
        "the IRC server refused JOIN: 474 Cannot join channel (+b)"
    );
    let refused = script.irc.join("#c");
    script.receive(":irc FAIL JOIN SOME_CODE #c :not now\n");
    assert_eq!(
        refused.take().unwrap().unwrap_err().to_string(),
        "the IRC server refused JOIN: SOME_CODE not now"
    );

    let nick = script.irc.set_nick("robot");
    script.receive(":irc 433 bot robot :taken\n");
    assert!(matches!(nick.take(), Some(Err(CommandError::Refused { .. }))));
    let nick = script.irc.set_nick("robot2");
    script.receive(":bot!b@h NICK robot2\n");
    assert!(nick.take().unwrap().is_ok());
    assert_eq!(script.irc.nick(), "robot2");

    let names = script.irc.names("#x");
    script.receive(":irc 353 bot = #x :@ann bob\n:irc 353 bot = #y :carl\n:irc 366 bot #x :End\n");
    assert_eq!(names.take().unwrap().unwrap().len(), 2);

    let left = script.irc.leave("#a", "bye");
    script.receive(":robot2!b@h PART #a :bye\n");
    assert!(left.take().unwrap().is_ok());
}

#[test]
fn whois_and_ping() {
    let script = online();
    let whois = script.irc.whois("ann");
    script.receive(
        ":irc 311 bot Ann a h * :Ann A.\n:irc 312 bot ann irc.net :x\n:irc 317 bot ann 60 1 :x\n:irc 319 bot ann :@#a #b\n\
        :irc 330 bot ann acc :x\n:irc 671 bot ann :x\n:irc 313 bot ann :x\n:irc 301 bot ann :lunch\n:irc 318 bot ann :End\n",
    );
    let whois = whois.take().unwrap().unwrap();
    assert_eq!(
        (whois.nick.as_str(), whois.user.as_str(), whois.real_name.as_str()),
        ("Ann", "a", "Ann A.")
    );
    assert_eq!((whois.account.as_deref(), whois.away.as_deref()), (Some("acc"), Some("lunch")));
    assert_eq!((whois.channels.len(), whois.idle), (2, Some(Duration::from_secs(60))));
    assert!(whois.is_operator && whois.is_secure);
    let nobody = script.irc.whois("nobody");
    script.receive(":irc 401 bot nobody :No such nick\n:irc 318 bot nobody :End\n");
    assert!(matches!(nobody.take(), Some(Err(CommandError::Refused { .. }))));
    script.sent();
    let pong = script.irc.ping();
    let token = script.sent().trim_end().strip_prefix("PING :").unwrap().to_owned();
    script.advance(250);
    script.receive(&format!(":irc PONG irc :{token}\n"));
    assert_eq!(pong.take().unwrap().unwrap(), Duration::from_millis(250));
}

#[test]
fn replies_that_never_come_and_commands_without_a_connection() {
    let script = Script::new(config());
    assert!(matches!(
        script.irc.join("#a").take(),
        Some(Err(CommandError::Send(SendError::NotConnected)))
    ));
    let script = Script::online(
        config().reply_timeout(Duration::from_secs(10)).requests_max(2).replies_max(3),
    );
    let (silent, bad) = (script.irc.join("#a"), script.irc.join("#a\n"));
    assert!(matches!(bad.take(), Some(Err(CommandError::Send(SendError::Build(_))))));
    script.advance(9_999);
    assert!(!silent.is_settled());
    let lost = script.irc.names("#b");
    assert!(matches!(script.irc.join("#c").take(), Some(Err(CommandError::TooMany { max: 2 }))));
    script.advance(1);
    assert!(matches!(silent.take(), Some(Err(CommandError::TimedOut { .. }))));
    script.wire.reset();
    script.advance(0);
    assert!(matches!(lost.take(), Some(Err(CommandError::Lost { command: "NAMES" }))));
    let script = Script::online(config().replies_max(3));
    let long = script.irc.names("#b");
    script.receive(&":irc 353 bot = #b :ann\n".repeat(4));
    assert!(matches!(long.take(), Some(Err(CommandError::TooLong { max: 3, .. }))));
}

#[test]
fn labeled_replies() {
    let script = online();
    let who = || MessageBuf::new("WHO").unwrap().param("#a").unwrap();
    assert!(matches!(script.irc.ask(who()).take(), Some(Err(CommandError::Refused { .. }))));
    let script = Script::new(config());
    script.receive(":irc CAP * LS :batch labeled-response\n:irc CAP * ACK :batch labeled-response\n:irc 001 bot :Hi\n");
    script.sent();
    let (first, second, third) =
        (script.irc.ask(who()), script.irc.ask(who()), script.irc.ask(who()));
    assert_eq!(script.sent(), "@label=sinew1 WHO #a\n@label=sinew2 WHO #a\n@label=sinew3 WHO #a\n");
    script.receive("@label=sinew2 :irc ACK\n@label=sinew3 :irc 315 bot #a :End\n");
    script.receive(
        "@label=sinew1 :irc BATCH +r labeled-response\n@batch=r :irc 352 bot #a\n:irc 352 bot #b\n",
    );
    script.receive(
        "@batch=r :irc BATCH +i x\n@batch=i :irc 352 bot #c\n:irc BATCH -i\n:irc BATCH -r\n",
    );
    assert_eq!(second.take().unwrap().unwrap().len(), 0);
    assert_eq!(third.take().unwrap().unwrap(), [b"@label=sinew3 :irc 315 bot #a :End".to_vec()]);
    let lines = first.take().unwrap().unwrap();
    assert_eq!(
        lines,
        [b"@batch=r :irc 352 bot :#a".to_vec(), b"@batch=i :irc 352 bot :#c".to_vec()]
    );
}
