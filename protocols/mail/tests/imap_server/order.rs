//! Commands that are sent ahead, and input in all pieces.

use sinew_mail::store::MemoryStore;

use super::support::World;

#[test]
fn commands_sent_ahead_are_answered_in_order() {
    let world = World::with_messages(3);
    let client = world.selected();
    assert_eq!(
        client.say("a NOOP\r\nb FETCH 1 UID\r\nc STORE 1 +FLAGS.SILENT (\\Deleted)\r\nd EXPUNGE\r\ne FETCH 1 UID\r\nf LOGOUT\r\ng NOOP\r\n"),
        "a OK Done\r\n* 1 FETCH (UID 1)\r\nb OK Done\r\nc OK Done\r\n* 1 EXPUNGE\r\nd OK Done\r\n* 1 FETCH (UID 2)\r\ne OK Done\r\n\
         * BYE Goodbye\r\nf OK Done\r\n"
    );
    assert!(client.is_closed());
}

/// A client that ends its side is answered all that it has asked.
#[test]
fn half_a_connection_is_answered() {
    let world = World::with_messages(3);
    let client = world.selected();
    client.wire.receive_if_open(b"a FETCH 1 UID\r\nb NOOP\r\n");
    client.wire.close_if_open();
    assert_eq!(client.received(), "* 1 FETCH (UID 1)\r\na OK Done\r\nb OK Done\r\n");
    assert!(client.is_closed());
}

#[test]
fn pieces_do_not_matter() {
    let script = b"a LOGIN ann secret\r\nb SELECT {5+}\r\nINBOX\r\nc APPEND INBOX {4+}\r\nA: 1\r\nd FETCH 1 BODY[]\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n";
    let answer = |cut: usize| {
        let store = MemoryStore::default();
        store.create_account("ann").unwrap();
        let world = World::with_store(store.clone(), store, |config| config);
        let client = world.connect();
        let mut answer = String::new();
        answer += &client.say(&script[..cut]);
        answer += &client.say(&script[cut..]);
        answer
    };
    let whole = answer(script.len());
    assert!(whole.contains("f OK Done"), "{whole}");
    for cut in 0..script.len() {
        assert_eq!(answer(cut), whole, "cut at {cut}");
    }
}

/// RFC 3501 5.5: a command that was sent behind a FETCH may name messages by their numbers, whatever becomes of the FETCH.
#[test]
fn numbers_stay_when_a_command_is_refused() {
    for (refused, answer) in [
        ("a FETCH 9 UID", "a BAD There is no message with this number\r\n"),
        ("a FETCH 1 BINARY[1]", "a BAD BINARY is not offered\r\n"),
        ("a STORE 9 +FLAGS (\\Seen)", "a BAD There is no message with this number\r\n"),
        (
            "a SEARCH CHARSET x-none ALL",
            "a NO [BADCHARSET (UTF-8 US-ASCII ISO-8859-1)] This charset is not known\r\n",
        ),
        ("a SEARCH TEXT {100000}", "a NO [TOOBIG] The literal is too long\r\n"),
    ] {
        let world = World::with_messages(3);
        let (ann, eve) = (world.selected(), world.selected());
        eve.say("a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\n");
        assert_eq!(
            ann.say(format!("{refused}\r\nb FETCH 2 UID\r\n")),
            format!("{answer}* 2 FETCH (UID 2)\r\nb OK Done\r\n"),
            "{refused}"
        );
    }
}
