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
