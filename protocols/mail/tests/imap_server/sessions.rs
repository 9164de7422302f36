//! Several sessions of one mailbox: who is told what, and when.

use std::time::Duration;

use super::support::World;

#[test]
fn a_mailbox_is_selected() {
    let world = World::with_messages(3);
    let client = world.client();
    client.dialogue(
        r"
        C: a SELECT inbox
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] These stay
        S: * 3 EXISTS
        S: * 3 RECENT
        S: * OK [UNSEEN 1] The first that was not read
        S: * OK [UIDVALIDITY …
        S: * OK [UIDNEXT 4] The next
        S: * OK [HIGHESTMODSEQ …
        S: a OK [READ-WRITE] Selected
        C: b FETCH 1 FLAGS
        S: * 1 FETCH (FLAGS (\Recent))
        S: b OK Done
        C: c EXAMINE INBOX
        S: * OK [CLOSED] Closed
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
        S: * OK [PERMANENTFLAGS ()] These stay
        S: * 3 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 1] The first that was not read
        S: * OK [UIDVALIDITY …
        S: * OK [UIDNEXT 4] The next
        S: * OK [HIGHESTMODSEQ …
        S: c OK [READ-ONLY] For reading
        C: d STORE 1 +FLAGS (\Seen)
        S: d NO [READ-ONLY] The mailbox is open for reading only
        C: e SELECT nowhere
        S: * OK [CLOSED] Closed
        S: e NO [NONEXISTENT] There is no such mailbox
        C: f FETCH 1 FLAGS
        S: f BAD Not now
        ",
    );
}

#[test]
fn two_sessions_one_mailbox() {
    let world = World::with_messages(3);
    let (ann, eve) = (world.selected(), world.selected());
    ann.dialogue(
        r"
        C: a STORE 2 +FLAGS (\Deleted Later)
        S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft Later)
        S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft Later \*)] These stay
        S: * 2 FETCH (FLAGS (\Recent \Deleted Later))
        S: a OK Done
        ",
    );
    eve.dialogue(
        r"
        C: a NOOP
        S: * 2 FETCH (FLAGS (\Deleted Later))
        S: a OK Done
        C: b STORE 3 +FLAGS.SILENT (\Seen)
        S: b OK Done
        ",
    );
    world.deliver("INBOX", "Subject: 4\r\n\r\n");
    ann.dialogue(
        r"
        C: b EXPUNGE
        S: * 2 EXPUNGE
        S: * 3 EXISTS
        S: * 3 RECENT
        S: * 2 FETCH (FLAGS (\Recent \Seen))
        S: * 3 FETCH (FLAGS (\Recent))
        S: b OK Done
        ",
    );
    eve.dialogue(
        r"
        C: c NOOP
        S: * 2 EXPUNGE
        S: * 3 EXISTS
        S: * 0 RECENT
        S: * 3 FETCH (FLAGS ())
        S: c OK Done
        C: d NOOP
        S: d OK Done
        ",
    );
}

/// RFC 3501 7.4.1: sequence numbers must not change while a client uses them.
#[test]
fn expunge_not_during_fetch() {
    let commands = [
        ("FETCH 1 UID", "* 1 FETCH (UID 1)\r\n"),
        ("STORE 1 FLAGS.SILENT ()", ""),
        ("SEARCH ALL", "* SEARCH 1 3 4\r\n"),
    ];
    for (command, told) in commands {
        let world = World::with_messages(4);
        let (ann, eve) = (world.selected(), world.selected());
        eve.say("a STORE 2 +FLAGS.SILENT (\\Deleted)\r\n");
        eve.say("b EXPUNGE\r\n");
        assert_eq!(
            ann.say(format!("a {command}\r\n")),
            format!("{told}a OK Done\r\n"),
            "{command}"
        );
        // The message keeps its number, although it is gone.
        ann.dialogue(
            r"
            C: b FETCH 2:3 UID
            S: * 3 FETCH (UID 3)
            S: b NO [EXPUNGEISSUED] Some of the messages are gone
            C: c UID FETCH 3 FLAGS
            S: * 3 FETCH (UID 3 FLAGS (\Recent))
            S: * 2 EXPUNGE
            S: c OK Done
            C: d FETCH 2 UID
            S: * 2 FETCH (UID 3)
            S: d OK Done
            ",
        );
    }
}

#[test]
fn idle_then_done_in_pieces() {
    let world = World::with_messages(1);
    let ann = world.selected();
    assert_eq!(ann.say("a IDLE\r\n"), "+ Idling\r\n");
    world.deliver("INBOX", "Subject: 2\r\n\r\n");
    assert_eq!(ann.received(), "* 2 EXISTS\r\n* 2 RECENT\r\n* 2 FETCH (FLAGS (\\Recent))\r\n");
    let eve = world.selected();
    eve.say("a STORE 1 +FLAGS.SILENT (\\Deleted)\r\n");
    assert_eq!(
        ann.received(),
        "* 1 FETCH (FLAGS (\\Deleted \\Recent))\r\n"
            .replace("\\Deleted \\Recent", "\\Recent \\Deleted")
    );
    eve.say("b EXPUNGE\r\n");
    assert_eq!(ann.received(), "* 1 EXPUNGE\r\n");
    for piece in ["D", "on", "e\r"] {
        assert_eq!(ann.say(piece), "");
    }
    assert_eq!(ann.say("\nb NOOP\r\n"), "a OK Done\r\nb OK Done\r\n");
    // Nothing is told without IDLE.
    world.deliver("INBOX", "Subject: 3\r\n\r\n");
    assert_eq!(ann.received(), "");
    assert_eq!(
        ann.say("c IDLE\r\nNOOP\r\n"),
        "+ Idling\r\n* 2 EXISTS\r\n* 2 RECENT\r\n* 2 FETCH (FLAGS (\\Recent))\r\nc BAD DONE was expected\r\n"
    );
}

#[test]
fn a_deleted_mailbox_ends_its_sessions() {
    let world = World::new();
    let (ann, eve) = (world.client(), world.client());
    ann.dialogue("C: a CREATE Work\nS: a OK Created");
    for client in [&ann, &eve] {
        assert!(client.say("b SELECT Work\r\n").ends_with("b OK [READ-WRITE] Selected\r\n"));
    }
    eve.say("c IDLE\r\n");
    let ended = ann.say("d DELETE Work\r\n");
    assert!(ended.contains("d OK Deleted\r\n"), "{ended}");
    assert!(eve.received().contains("* BYE The mailbox was deleted\r\n"));
    assert!(eve.is_closed());
}

#[test]
fn messages_are_copied_and_moved() {
    let world = World::with_messages(3);
    let client = world.selected();
    client.dialogue(
        r"
        C: a COPY 1 Archive
        S: a NO [TRYCREATE] There is no such mailbox
        C: b CREATE Archive
        S: b OK Created
        C: c COPY 1:2 Archive
        S: c OK [COPYUID …
        C: d UID MOVE 2:9 Archive
        S: * OK [COPYUID …
        S: * 2 EXPUNGE
        S: * 2 EXPUNGE
        S: d OK Done
        C: e STATUS Archive (MESSAGES UIDNEXT)
        S: * STATUS Archive (MESSAGES 4 UIDNEXT 5)
        S: e OK Done
        C: f UID MOVE 77 Archive
        S: f OK Done
        C: g MOVE 2 Archive
        S: g BAD There is no message with this number
        ",
    );
}

#[test]
fn close_expunges_and_unselect_does_not() {
    let world = World::with_messages(2);
    let client = world.selected();
    client.dialogue(
        r"
        C: a STORE 1 +FLAGS.SILENT \Deleted
        S: a OK Done
        C: b UNSELECT
        S: b OK Done
        C: c STATUS INBOX (MESSAGES UNSEEN DELETED SIZE)
        S: * STATUS INBOX (MESSAGES 2 UNSEEN 2 DELETED 1 SIZE 44)
        S: c OK Done
        ",
    );
    client.say("d SELECT INBOX\r\n");
    client.dialogue(
        r"
        C: e CLOSE
        S: e OK Done
        C: f STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 1)
        S: f OK Done
        C: g CHECK
        S: g BAD Not now
        ",
    );
}

#[test]
fn uid_expunge_takes_only_what_it_names() {
    let world = World::with_messages(3);
    let client = world.selected();
    client.dialogue(
        r"
        C: a STORE 1:3 +FLAGS.SILENT (\Deleted)
        S: a OK Done
        C: b UID EXPUNGE 2
        S: * 2 EXPUNGE
        S: b OK Done
        C: c UID SEARCH ALL
        S: * SEARCH 1 3
        S: c OK Done
        ",
    );
}

/// A client that receives what is there, but never all, idles on for longer than one that receives nothing may.
#[test]
fn a_slow_client_that_idles_is_told_everything() {
    const COUNT: usize = 20_000;
    let world = World::with(|config| config.send_timeout(Duration::from_secs(5)));
    for _ in 0..COUNT {
        world.deliver("INBOX", "A: 1\r\n\r\n");
    }
    let (client, other) = (world.selected(), world.selected());
    client.say("a IDLE\r\n");
    for second in 0..12 {
        other.say(format!("b STORE 1:{COUNT} FLAGS.SILENT (n{second})\r\n"));
        // While much waits to be sent.
        other.say("c STORE 7 -FLAGS.SILENT (none)\r\nd STORE 7 +FLAGS.SILENT (more)\r\n");
        client.advance(Duration::from_secs(1));
        let told = client.wire.take(usize::MAX).len();
        assert!(told > 0 && !client.is_closed(), "after {second} s");
    }
    assert!(client.received().contains(&format!("* {COUNT} FETCH (FLAGS (\\Recent n11))")));
    assert_eq!(client.say("DONE\r\n"), "a OK Done\r\n");
}

#[test]
fn a_mailbox_that_is_deleted_while_its_changes_are_told() {
    let world = World::new();
    let (client, other) = (world.client(), world.client());
    other.say("a CREATE box\r\n");
    for _ in 0..20_000 {
        world.deliver("box", "A: 1\r\n\r\n");
    }
    client.say("a SELECT box\r\nb IDLE\r\n");
    let third = world.client();
    other.say("b SELECT box\r\nc STORE 1:* +FLAGS.SILENT (many)\r\n");
    third.say("a DELETE box\r\n");
    let told = client.received();
    assert!(told.ends_with("* BYE The mailbox was deleted\r\n"), "{}", &told[told.len() - 200..]);
}

/// What others have done to many messages is told in pieces, as the client receives it: in IDLE, at its end, and by NOOP.
#[test]
fn many_flags_are_told_as_they_are_received() {
    const COUNT: usize = 20_000;
    let world = World::with_messages(COUNT);
    let other = world.selected();
    for command in ["IDLE", "DONE", "NOOP"] {
        let client = world.selected();
        let idles = command != "NOOP";
        if idles {
            client.say("a IDLE\r\n");
        }
        other.say(format!("b STORE 1:{COUNT} +FLAGS.SILENT ({command})\r\n"));
        match command {
            "DONE" => client.wire.receive_if_open(b"DONE\r\n"),
            "NOOP" => client.wire.receive_if_open(b"a NOOP\r\n"),
            _ => {}
        }
        for _ in 0..100 {
            client.advance(Duration::from_millis(10));
        }
        let first = client.wire.take(usize::MAX).len();
        assert!((1..=400 << 10).contains(&first), "{command}: {first} bytes at once");
        let rest = client.received();
        let told = rest.matches(" FETCH (FLAGS (").count();
        assert!((1..COUNT).contains(&told), "{command}: {told} told later");
        assert!(rest.contains(&format!("* {COUNT} FETCH ")), "{command}");
        assert_eq!(rest.ends_with("a OK Done\r\n"), command != "IDLE", "{command}");
        if command == "IDLE" {
            // It idles still, and is told of what follows.
            other.say("d STORE 7 FLAGS.SILENT (more)\r\n");
            assert!(client.received().starts_with("* 7 FETCH (FLAGS ("));
            assert_eq!(client.say("DONE\r\n"), "a OK Done\r\n");
        }
    }
}
