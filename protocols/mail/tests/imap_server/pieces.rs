//! Long answers are told in pieces, as the client receives them: a client that receives nothing has no more queued for it than a bound.

use std::time::Duration;

use super::support::{Client, World};

/// The bound: 64 KiB wait before an answer stops, and a piece is 25 KiB at most.
const QUEUED_MAX: usize = 90_000;

/// So many messages, of which each second one has `\Deleted`, and a client that is to be told.
const COUNT: usize = 40_960;

fn crowded() -> World {
    let world = World::with_messages(10);
    let client = world.selected();
    for _ in 0..12 {
        assert!(client.say("a COPY 1:* INBOX\r\n").ends_with("Done\r\n"));
    }
    let odd: Vec<_> = (1..=COUNT).step_by(2).map(|number| number.to_string()).collect();
    for some in odd.chunks(5_000) {
        let marked = client.say(format!("a STORE {} +FLAGS.SILENT \\Deleted\r\n", some.join(",")));
        assert!(marked.ends_with("a OK Done\r\n"), "{marked}");
    }
    world
}

/// Sends, receives nothing, and checks what waits. Then receives all.
fn bounded(client: &Client, command: &str) -> String {
    client.wire.set_capacity(4_096);
    client.wire.receive_if_open(command.as_bytes());
    for _ in 0..1_000 {
        client.advance(Duration::from_millis(1));
    }
    let queued = client.wire.transport().queued();
    assert!(queued <= QUEUED_MAX, "{command}: {queued} bytes are queued");
    client.wire.set_capacity(usize::MAX);
    client.received()
}

/// As a client that counts its messages: so many are left, and no number is larger than their count.
fn left(told: &str, mut count: usize) -> usize {
    for line in told.lines() {
        if let Some(number) = line.strip_prefix("* ").and_then(|line| line.strip_suffix(" EXPUNGE"))
        {
            assert!((1..=count).contains(&number.parse().unwrap()), "{line} of {count}");
            count -= 1;
        }
        if let Some(number) = line.strip_prefix("* ").and_then(|line| line.strip_suffix(" EXISTS"))
        {
            assert!(number.parse::<usize>().unwrap() >= count, "{line} of {count}");
            count = number.parse().unwrap();
        }
    }
    count
}

#[test]
fn many_messages_that_are_gone() {
    let world = crowded();
    let clients = [(); 3].map(|()| world.selected());
    let [noop, idle, done] = &clients;
    for client in [idle, done] {
        client.wire.set_capacity(4_096);
        assert_eq!(client.say("i IDLE\r\n"), "+ Idling\r\n");
    }
    let other = world.selected();
    let told = bounded(&other, "a EXPUNGE\r\n");
    assert!(told.ends_with("a OK Done\r\n"));
    assert_eq!((left(&told, COUNT), told.matches(" EXPUNGE\r\n").count()), (COUNT / 2, COUNT / 2));
    world.deliver("INBOX", "Subject: new\r\n\r\n");
    let told = bounded(noop, "a NOOP\r\n");
    assert!(told.ends_with("a OK Done\r\n"));
    assert_eq!(left(&told, COUNT), COUNT / 2 + 1);
    let told = bounded(idle, "");
    assert_eq!(left(&told, COUNT), COUNT / 2 + 1, "{}", &told[told.len() - 100..]);
    let told = bounded(done, "DONE\r\n");
    assert!(told.ends_with("i OK Done\r\n"));
    assert_eq!(left(&told, COUNT), COUNT / 2 + 1);
    // All of them have the same numbers as the server.
    for client in &clients {
        let last = COUNT / 2 + 1;
        client.wire.receive_if_open(if client.wire.is_closed() { b"" } else { b"DONE\r\n" });
        client.received();
        let fetched = client.say(format!("b FETCH 1,{last} UID\r\n"));
        let expected =
            format!("* 1 FETCH (UID 2)\r\n* {last} FETCH (UID {})\r\nb OK Done\r\n", COUNT + 1);
        assert_eq!(fetched, expected);
    }
}

/// Numbers stay while they are used, also if a part of the messages that are gone was told.
#[test]
fn what_is_left_to_be_told_waits_while_numbers_are_used() {
    let world = crowded();
    let (client, other) = (world.selected(), world.selected());
    assert!(other.say("a EXPUNGE\r\n").ends_with("a OK Done\r\n"));
    // It is refused at once: a piece is told with it.
    let refused = client.say("b APPEND nowhere {4}\r\n");
    assert!(refused.ends_with("b NO [TRYCREATE] There is no such mailbox\r\n"), "{refused}");
    let count = left(&refused, COUNT);
    assert_eq!(COUNT - count, 1_000);
    // 1,000 odd UIDs are gone from the front.
    let fetched = client.say(format!("c FETCH 1000:1002,{count} (UID)\r\n"));
    let expected = format!(
        "* 1000 FETCH (UID 2000)\r\n* 1002 FETCH (UID 2002)\r\n* {count} FETCH (UID {COUNT})\r\nc NO [EXPUNGEISSUED]"
    );
    assert!(fetched.starts_with(&expected), "{fetched}");
    let told = client.say("d NOOP\r\n");
    assert!(told.ends_with("d OK Done\r\n"));
    assert_eq!(left(&told, count), COUNT / 2);
}

#[test]
fn many_ranges_that_have_vanished() {
    let world = crowded();
    let qresync = || {
        let client = world.client();
        client.say("e ENABLE QRESYNC\r\n");
        let selected = client.say("s SELECT INBOX\r\n");
        let (_, rest) = selected.split_once("[UIDVALIDITY ").unwrap();
        let validity: u32 = rest.split(']').next().unwrap().parse().unwrap();
        let (_, rest) = selected.split_once("[HIGHESTMODSEQ ").unwrap();
        (client, validity, rest.split(']').next().unwrap().parse::<u64>().unwrap())
    };
    let (client, validity, before) = qresync();
    let check = |told: &str, response: &str| {
        let lines = told.lines().filter_map(|line| line.strip_prefix(response));
        let ranges: Vec<_> = lines.map(|line| line.split(',').count()).collect();
        assert!(ranges.iter().all(|ranges| *ranges <= 1_000), "{ranges:?}");
        assert_eq!(ranges.iter().sum::<usize>(), COUNT / 2);
    };
    let (other, _, _) = qresync();
    let told = bounded(&other, "a EXPUNGE\r\n");
    check(&told, "* VANISHED ");
    assert!(told.ends_with(&format!("a OK [HIGHESTMODSEQ {}] Done\r\n", before + 1)), "{told}");
    // A piece is told with this. What is left must be told at the next SELECT, which begins at the number of CLOSE.
    let refused = client.say("b APPEND nowhere {4}\r\n");
    assert!(
        refused.starts_with("* VANISHED 1,3,5,") && refused.contains(",1999\r\nb NO "),
        "{refused}"
    );
    assert_eq!(client.say("c CLOSE\r\n"), format!("c OK [HIGHESTMODSEQ {before}] Done\r\n"));
    let told = bounded(&client, &format!("d SELECT INBOX (QRESYNC ({validity} {before}))\r\n"));
    check(&told, "* VANISHED (EARLIER) ");
    let told =
        bounded(&client, &format!("f UID FETCH 1:* FLAGS (CHANGEDSINCE {before} VANISHED)\r\n"));
    check(&told, "* VANISHED (EARLIER) ");
    assert!(told.ends_with("f OK Done\r\n"));
}

#[test]
fn results_of_a_search() {
    let world = crowded();
    let client = world.selected();
    for (command, start) in [
        ("a SEARCH DELETED\r\n", "* SEARCH 1 3 5 "),
        ("a UID SEARCH DELETED\r\n", "* SEARCH 1 3 5 "),
        ("a SEARCH RETURN (ALL COUNT) DELETED\r\n", "* ESEARCH (TAG \"a\") ALL 1,3,5,"),
        ("a UID SEARCH RETURN (MIN ALL) DELETED\r\n", "* ESEARCH (TAG \"a\") UID MIN 1 ALL 1,3,5,"),
        ("a FETCH 1:* FLAGS\r\n", "* 1 FETCH (FLAGS (\\Deleted))\r\n"),
    ] {
        let told = bounded(&client, command);
        assert!(told.starts_with(start), "{}", &told[..200]);
        assert!(told.len() > 2 * QUEUED_MAX / 3 && told.ends_with("a OK Done\r\n"), "{command}");
    }
}

#[test]
fn many_flags_and_compression() {
    let world = crowded();
    let (client, other) = (world.selected(), world.selected());
    assert!(other.say("a STORE 1:* +FLAGS.SILENT \\Seen\r\n").ends_with("a OK Done\r\n"));
    let told = bounded(&client, "b COMPRESS DEFLATE\r\n");
    assert_eq!(
        told.matches(" FETCH (FLAGS (").count(),
        500,
        "the rest is told by the next command"
    );
    assert!(told.ends_with("b OK Compressed from now on\r\n"));
}

#[test]
fn many_mailboxes() {
    /// A store has 1,000 mailboxes at most.
    const FOLDERS: usize = 900;
    let world = World::new();
    let account = world.account();
    for number in 0..FOLDERS {
        let name = format!("{}/{number}", "a long name ".repeat(10).trim());
        let created = account.create(&name.parse().unwrap());
        world.advance(Duration::ZERO);
        created.take().unwrap().unwrap();
    }
    let client = world.client();
    for command in ["LIST \"\" *", "LIST \"\" * RETURN (STATUS (MESSAGES UIDNEXT))"] {
        let told = bounded(&client, &format!("a {command}\r\n"));
        assert!(told.len() > 2 * QUEUED_MAX / 3 && told.ends_with("a OK Done\r\n"));
        assert_eq!(told.matches("* LIST ").count(), FOLDERS + 2, "{command}");
    }
}
