//! Commands that are too long, too many errors, and what cannot be read.

use super::support::World;

#[test]
fn lines_that_are_too_long_are_skipped() {
    let world = World::new();
    let client = world.connect();
    client.received();
    let long = "x".repeat(1_100);
    assert_eq!(
        client.say(format!("a LOGIN {long} secret\r\nb NOOP\r\n")),
        "a BAD The command is too long\r\nb OK Done\r\n"
    );
    let client = world.client();
    assert_eq!(
        client.say(format!("a STATUS \"{long}\" (MESSAGES)\r\n")),
        "a NO [CANNOT] A mailbox cannot have this name\r\n"
    );
    let long = "x".repeat(65 << 10);
    assert_eq!(
        client.say(format!("a SELECT {long}\r\nb NOOP\r\n")),
        "a BAD The command is too long\r\nb OK Done\r\n"
    );
}

#[test]
fn too_many_errors() {
    let world = World::with(|config| config.errors_max(2));
    let client = world.client();
    client.dialogue(
        r"
        C: a FOO
        S: a BAD expected a command at byte 2
        C: b
        S: b BAD…
        C: c NOOP
        S: c OK Done
        C: *
        S: * BAD…
        C: FETCH
        S: FETCH BAD…
        C: e FETCH 1 (
        S: e BAD…
        S: * BYE Too many errors
        ",
    );
    assert!(client.is_closed());
}

#[test]
fn bytes_that_cannot_be_a_command_end_the_connection() {
    for bytes in [&b"a NOOP\nb NOOP\r\n"[..], b"a \0\r\n", b"a LOGIN {99999999999999999999}\r\n"] {
        let world = World::new();
        let client = world.client();
        let answer = client.say(bytes);
        assert!(answer.starts_with("* BYE "), "{answer}");
        assert!(client.is_closed());
    }
}

/// A literal before the login is not read, unless the configuration says so.
#[test]
fn literals_before_the_login() {
    let world = World::new();
    let client = world.connect();
    client.received();
    client.dialogue("C: a LOGIN ann {6}\nS: a NO [TOOBIG] The literal is too long");
    let world = World::with(|config| config.login_literal_max(100));
    let client = world.connect();
    client.received();
    assert_eq!(client.say("a LOGIN {3}\r\n"), "+ Go on\r\n");
    assert_eq!(client.say("ann {6}\r\n"), "+ Go on\r\n");
    assert!(client.say("secret\r\n").starts_with("a OK [CAPABILITY"));
}

/// Literals of a command have a limit together.
#[test]
fn many_literals() {
    let world = World::with(|config| config.line_max(1_000));
    let client = world.selected();
    let literal = format!("{{400+}}\r\n{}", "x".repeat(400));
    let answer = client.say(format!("a SEARCH {}\r\n", format!("SUBJECT {literal} ").repeat(10)));
    assert!(answer.starts_with("a NO [TOOBIG] The literal is too long\r\n"), "{answer}");
    assert!(client.say("b NOOP\r\n").ends_with("b OK Done\r\n"));
}

#[test]
fn search_nested_10000() {
    let world = World::with_messages(1);
    let client = world.selected();
    for (open, close) in [("NOT ", ""), ("(", ")"), ("OR SEEN ", "")] {
        let nested = format!("a SEARCH {}ALL{}\r\n", open.repeat(5_000), close.repeat(5_000));
        let answer = client.say(nested);
        assert!(answer.starts_with("a BAD expected fewer nested search keys"), "{answer}");
    }
    let nested = format!("a SEARCH {}ALL\r\n", "NOT ".repeat(60));
    assert_eq!(client.say(nested), "* SEARCH 1\r\na OK Done\r\n");
}

/// What has begun is given up, and the next line is a command.
#[test]
fn a_line_that_is_too_long_ends_what_has_begun() {
    let world = World::new();
    let client = world.client();
    let long = "x".repeat(65 << 10);
    let begun = [("a APPEND INBOX {4}", "A: 1"), ("a IDLE", "")];
    for (begin, front) in begun {
        assert!(client.say(format!("{begin}\r\n")).starts_with("+ "), "{begin}");
        assert_eq!(
            client.say(format!("{front}{long}\r\nb STATUS INBOX (MESSAGES)\r\n")),
            "a BAD The command is too long\r\n* STATUS INBOX (MESSAGES 0)\r\nb OK Done\r\n",
            "{begin}"
        );
    }
    let client = world.connect();
    client.received();
    assert_eq!(client.say("a AUTHENTICATE PLAIN\r\n"), "+ \r\n");
    assert_eq!(
        client.say(format!("{long}\r\nb NOOP\r\n")),
        "a BAD The command is too long\r\nb OK Done\r\n"
    );
}

/// No limit is no overflow.
#[test]
fn the_largest_limits() {
    let world = World::with(|config| config.line_max(usize::MAX).append_max(u64::MAX));
    world.client().dialogue("C: a NOOP\nS: a OK Done\nC: b COMPRESS DEFLATE\nS: b…");
}
