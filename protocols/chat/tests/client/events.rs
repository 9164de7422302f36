//! What the handler is told, and what the client knows.

use crate::support::{Script, config};

#[test]
fn messages_and_their_events() {
    for (line, expected) in [
        (":ann!a@h PRIVMSG #a :hello", "privmsg ann #a hello false"),
        (":BOT!b@h PRIVMSG #a :echo", "privmsg BOT #a echo true"),
        (":ann!a@h NOTICE bot :hello", "noticed ann!a@h hello"),
        (":irc NOTICE * :looking up", "noticed irc looking up"),
        (":ann!a@h PRIVMSG bot :\x01ACTION waves\x01", "action ann ann waves"),
        (":ann!a@h PRIVMSG @#a :\x01ACTION waves\x01", "action ann @#a waves"),
        (":ann!a@h PRIVMSG bot :\x01DCC SEND x\x01", "ctcp_query DCC SEND x"),
        (":ann!a@h NOTICE bot :\x01VERSION x 1\x01", "ctcp_reply VERSION x 1"),
        (":ann!a@h JOIN #a", "user_joined ann #a"),
        (":ann!a@h JOIN #a ann :Ann", "user_joined ann #a"),
        (":ann!a@h PART #a :bye", "user_left ann #a bye"),
        (":ann!a@h QUIT :bye", "user_quit ann bye"),
        (":op!o@h KICK #a ann :out", "user_kicked ann #a op"),
        (":ann!a@h NICK anna", "user_renamed ann anna"),
        (":bot!b@h NICK robot", "nick_changed robot"),
        (":bot!b@h MODE bot +iw", "mode_changed bot +iw "),
        (":op!o@h MODE #a +ov-l ann bob", "mode_changed #a +ov-l ann bob"),
        (":op!o@h MODE #a +Yb x!*@*", "mode_changed #a +b x!*@*"),
        (":op!o@h TOPIC #a :new", "topic_updated #a new true"),
        (":irc 332 bot #a :old", "topic_updated #a old false"),
        (":irc 331 bot #a :No topic is set", "topic_updated #a  false"),
        (":ann!a@h INVITE bot #a", "invited ann bot #a"),
        (":ann!a@h AWAY :lunch", "away_changed ann Some(\"lunch\")"),
        (":ann!a@h AWAY", "away_changed ann None"),
        (":ann!a@h ACCOUNT ann", "account_changed ann Some(\"ann\")"),
        (":ann!a@h ACCOUNT *", "account_changed ann None"),
        (":ann!a@h CHGHOST a2 h2", "host_changed ann a2 h2"),
        (":irc FAIL JOIN X #a :no", "standard_reply FAIL"),
        (":irc BATCH +1 netsplit a b", "batch true +1"),
        (":irc BATCH -1", "batch false -1"),
        (":irc WALLOPS :x", "unknown WALLOPS"),
    ] {
        let script = Script::online(config());
        script.receive(":irc 005 bot STATUSMSG=@+ :are supported\n");
        script.receive(&format!("{line}\n"));
        assert_eq!(script.notes(), [expected], "{line}");
    }
}

#[test]
fn members_are_those_that_the_server_says() {
    let script = Script::online(config());
    script.receive(":irc 005 bot PREFIX=(qov)~@+ :are supported\n:bot!b@h JOIN #a\n");
    script.receive(
        ":irc 353 bot = #a :bot ~@ann!a@h +bob\n:irc 353 bot = #a :carl\n:irc 366 bot #a :End\n",
    );
    assert_eq!(script.notes(), ["joined #a", "names #a qoann,vbob,bot,carl"]);
    script.receive(
        ":ann!a@h NICK Anna\n:bob!b@h QUIT :x\n:x!x@h JOIN #A\n:op!o@h MODE #a -q+v Anna x\n",
    );
    script.notes();
    script.receive(":irc 366 bot #a :End\n");
    assert_eq!(script.notes(), ["names #a oAnna,bot,carl,vx"]);
    // Of channels that it is not in nothing is known.
    script.receive(":irc 353 bot = #b :ann\n:ann!a@h JOIN #b\n:irc 366 bot #b :End\n");
    assert!(script.irc.members("#b").is_none());
    script.receive(":bot!b@h PART #a\n");
    assert!(script.irc.members("#a").is_none());
}

#[test]
fn names_compare_as_the_server_says() {
    let script = Script::online(config());
    script.receive(":bot!b@h JOIN #a[]\n:x!x@h JOIN #A{}\n");
    assert_eq!(script.irc.members("#a{}").unwrap().len(), 2);
    script.receive(":irc 005 bot CASEMAPPING=ascii :are supported\n");
    assert_eq!(script.irc.members("#A[]").unwrap().len(), 2);
    assert!(script.irc.members("#a{}").is_none());
}

#[test]
fn netsplit_of_1000() {
    let script = Script::online(config());
    script.receive(":bot!b@h JOIN #a\n:bot!b@h JOIN #b\n");
    for number in 0..1_000 {
        script.receive(&format!(":u{number}!u@h JOIN #a\n:u{number}!u@h JOIN #b\n"));
    }
    assert_eq!(script.irc.members("#b").unwrap().len(), 1_001);
    script.notes();
    script.receive(":irc BATCH +s netsplit a.net b.net\n");
    let quits: String =
        (0..1_000).map(|number| format!("@batch=s :u{number}!u@h QUIT :a.net b.net\n")).collect();
    script.receive(&quits);
    script.receive(":irc BATCH -s\n");
    assert_eq!(script.notes().len(), 1_002);
    assert_eq!(script.irc.members("#a").unwrap().len(), 1);
}

#[test]
fn topic_motd_and_isupport() {
    let script = Script::online(config());
    script.receive(":bot!b@h JOIN #a\n:irc 332 bot #a :caf\u{e9}\n");
    assert_eq!(script.irc.topic("#A"), Some("caf\u{e9}".into()));
    script.receive(
        ":irc 375 bot :- day\n:irc 372 bot :- one\n:irc 372 bot :- two\n:irc 376 bot :End\n",
    );
    assert_eq!(script.irc.motd(), [b"- one".to_vec(), b"- two".to_vec()]);
    script.receive(":irc 005 bot NETWORK=x :are supported\n");
    assert_eq!(script.irc.isupport().network(), Some("x"));
}

#[test]
fn ping_token_with_spaces() {
    let script = Script::online(config());
    for (line, expected) in
        [("PING :a b c\n", "PONG :a b c\n"), (":irc PING x\n", "PONG :x\n"), ("PING\n", "PONG :\n")]
    {
        script.receive(line);
        assert_eq!(script.sent(), expected);
    }
}
