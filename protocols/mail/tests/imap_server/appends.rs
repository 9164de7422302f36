//! APPEND: streamed, refused before it is sent, given up.

use std::time::Duration;

use sinew_mail::store::{MemoryStore, StoreLimits};

use super::support::World;

#[test]
fn a_message_is_added() {
    let world = World::new();
    let client = world.selected();
    assert_eq!(
        client.say("a APPEND INBOX (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" {21}\r\n"),
        "+ Go on\r\n"
    );
    // In pieces, with an end of line that is split.
    assert_eq!(client.say("Subject: x\r"), "");
    let added = client.say("\n\r\nhello\r\n\r\n");
    assert!(added.starts_with("* 1 EXISTS\r\n* 1 RECENT\r\n"), "{added}");
    assert!(added.contains("a OK [APPENDUID ") && added.ends_with(" 1] Added\r\n"), "{added}");
    client.dialogue(
        r#"
        C: b FETCH 1 (FLAGS INTERNALDATE BODY.PEEK[])
        S: * 1 FETCH (FLAGS (\Recent \Seen $Junk) INTERNALDATE "17-Jul-1996 09:44:25 +0000" BODY[] {21}
        S: Subject: x
        S:
        S: hello
        S: )
        S: b OK Done
        "#,
    );
}

/// LITERAL- (RFC 7888): short ones come without waiting, also of no bytes.
#[test]
fn messages_that_do_not_wait() {
    let world = World::new();
    let client = world.client();
    let answer = client.say(
        "a APPEND INBOX {4+}\r\nA: 1\r\nb APPEND INBOX {0+}\r\n\r\nc STATUS INBOX (MESSAGES)\r\n",
    );
    let lines: Vec<_> = answer.lines().collect();
    assert!(lines[0].starts_with("a OK [APPENDUID "), "{answer}");
    assert!(lines[1].starts_with("b OK [APPENDUID "), "{answer}");
    assert_eq!(lines[2..], ["* STATUS INBOX (MESSAGES 2)", "c OK Done"]);
}

#[test]
fn literal_of_4_gib_refused_before_the_plus() {
    let world = World::new();
    let client = world.client();
    client.dialogue(
        r"
        C: a APPEND INBOX {4294967296}
        S: a NO [TOOBIG] The message is too large
        C: b APPEND nowhere {10}
        S: b NO [TRYCREATE] There is no such mailbox
        C: c LOGIN {4294967296}
        S: c NO [TOOBIG] The literal is too long
        C: d NOOP
        S: d OK Done
        C: e APPEND INBOX {4294967296+}
        S: e NO [TOOBIG] The message is too large
        S: * BYE The literal is too long
        ",
    );
    assert!(client.is_closed());
}

/// A literal that did not wait and is refused is skipped, and the next command is found.
#[test]
fn what_is_refused_is_skipped() {
    let world = World::with(|config| config.append_max(10));
    let client = world.client();
    assert_eq!(
        client.say("a APPEND INBOX {20+}\r\nz LOGOUT\r\nz LOGOUT\r\n\r\nb NOOP\r\n"),
        "a NO [TOOBIG] The message is too large\r\nb OK Done\r\n"
    );
}

#[test]
fn a_message_that_becomes_too_much_for_the_store() {
    let store = MemoryStore::new(StoreLimits::default().quota_bytes(100));
    store.create_account("ann").unwrap();
    let world = World::with_store(store.clone(), store, |config| config);
    let client = world.client();
    client.dialogue("C: a APPEND INBOX {101}\nS: a NO [OVERQUOTA] There is no room for it");
    // Two clients at once: the second has no room at its end.
    let other = world.client();
    assert_eq!(client.say("b APPEND INBOX {60}\r\n"), "+ Go on\r\n");
    assert_eq!(other.say("b APPEND INBOX {60}\r\n"), "+ Go on\r\n");
    let message = format!("{}\r\n\r\n", "a".repeat(58));
    assert!(client.say(&message).starts_with("b OK [APPENDUID "));
    let refused = other.say(format!("{message}c NOOP\r\n"));
    assert!(refused.starts_with("b NO [OVERQUOTA] There is no room for it\r\n"), "{refused}");
    assert!(refused.ends_with("c OK Done\r\n"), "{refused}");
}

#[test]
fn a_message_that_is_not_whole_is_not_added() {
    let world = World::new();
    for rest in ["Subject", "Subject: 1\r\n\r\n and more\r\n"] {
        let client = world.client();
        assert_eq!(client.say("a APPEND INBOX {14}\r\n"), "+ Go on\r\n");
        let answer = client.say(rest);
        assert!(answer.is_empty() || answer == "a BAD APPEND takes one message\r\n", "{answer}");
        client.wire.reset();
        client.advance(Duration::ZERO);
        world
            .client()
            .dialogue("C: a STATUS INBOX (MESSAGES)\nS: * STATUS INBOX (MESSAGES 0)\nS: a OK Done");
    }
}

#[test]
fn a_second_literal_is_refused() {
    let world = World::new();
    let client = world.client();
    assert_eq!(client.say("a APPEND INBOX {4}\r\n"), "+ Go on\r\n");
    assert_eq!(client.say("A: 1 {4}\r\n"), "a BAD No literal was expected\r\n");
    client.dialogue("C: b STATUS INBOX (MESSAGES)\nS: * STATUS INBOX (MESSAGES 0)\nS: b OK Done");
}

/// The last piece of a message cannot be written: the end of the command is not taken for another APPEND.
#[test]
fn a_message_that_becomes_too_large_at_its_end() {
    let store = MemoryStore::new(StoreLimits::default().message_len_max(100));
    store.create_account("ann").unwrap();
    let world = World::with_store(store.clone(), store, |config| config);
    for plus in ["", "+"] {
        let client = world.client();
        let began = client.say(format!("a APPEND INBOX {{60{plus}}}\r\n"));
        assert_eq!(began, if plus.is_empty() { "+ Go on\r\n" } else { "" });
        // Each line end becomes two bytes.
        assert_eq!(
            client.say(format!("{}\r\nb STATUS INBOX (MESSAGES)\r\n", "\n".repeat(60))),
            "a NO [TOOBIG] The message is too large\r\n* STATUS INBOX (MESSAGES 0)\r\nb OK Done\r\n"
        );
    }
}

/// RFC 3501 9, RFC 9051 9: CHAR8 is all but NUL. Such a message is not kept, wherever the NUL is, and the commands behind it are found.
#[test]
fn a_message_with_a_nul_is_refused() {
    for text in [
        "\0ubject: x\r\n\r\nhello\r\n",
        "Subject: x\r\n\r\nhello\0\r\n",
        "Subject: x\r\n\r\nhello\r\n\0",
    ] {
        for is_synchronizing in [true, false] {
            let world = World::new();
            let client = world.selected();
            let plus = if is_synchronizing { "" } else { "+" };
            let begin = format!("a APPEND INBOX {{{}{plus}}}\r\n", text.len());
            let rest = format!("{text}\r\nb STATUS INBOX (MESSAGES)\r\n");
            let said = match is_synchronizing {
                true => {
                    assert_eq!(client.say(begin), "+ Go on\r\n");
                    client.say(rest)
                }
                false => client.say(begin + &rest),
            };
            let expected =
                "a BAD A literal has no NUL\r\n* STATUS INBOX (MESSAGES 0)\r\nb OK Done\r\n";
            assert_eq!(said, expected, "{text:?}");
            // Byte by byte.
            client.say(format!("c APPEND INBOX {{{}}}\r\n", text.len()));
            let said: String =
                text.bytes().chain(*b"\r\n").map(|byte| client.say([byte])).collect();
            assert_eq!(said, "c BAD A literal has no NUL\r\n");
            assert_eq!(client.say("d NOOP\r\n"), "d OK Done\r\n");
        }
    }
}
