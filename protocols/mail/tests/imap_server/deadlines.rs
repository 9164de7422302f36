//! Clients that are silent, slow, or never read.

use std::time::Duration;

use super::support::World;

#[test]
fn a_login_has_a_minute() {
    let world = World::new();
    let client = world.connect();
    client.received();
    client.say("a NOOP\r\n");
    client.advance(Duration::from_secs(59));
    assert!(!client.is_closed());
    client.advance(Duration::from_secs(1));
    assert_eq!(client.received(), "* BYE It took too long\r\n");
    assert!(client.is_closed());
}

#[test]
fn a_silent_client_is_told_goodbye() {
    for command in ["", "a IDLE\r\n"] {
        let world = World::new();
        let client = world.client();
        client.say(command);
        client.advance(Duration::from_secs(29 * 60));
        assert!(!client.is_closed());
        client.advance(Duration::from_secs(2 * 60));
        assert_eq!(client.received(), "* BYE Nothing was received for too long\r\n");
    }
}

#[test]
fn half_a_command_has_three_minutes() {
    for half in ["a NOO", "a APPEND INBOX {10}\r\nabc", "a SELECT {5}\r\nIN"] {
        let world = World::new();
        let client = world.client();
        client.say(half);
        client.advance(Duration::from_secs(179));
        assert!(!client.is_closed(), "{half}");
        client.advance(Duration::from_secs(2));
        assert_eq!(client.received(), "* BYE Nothing was received for too long\r\n", "{half}");
    }
}

/// A client that sends a byte now and then: a command, and a message, have a time in total.
#[test]
fn a_client_that_trickles_is_bounded() {
    for begin in ["a STATUS ", "a APPEND INBOX {1000}\r\n"] {
        let world = World::new();
        let client = world.client();
        client.say(begin);
        let mut minutes = 0;
        while !client.is_closed() {
            client.say("x");
            client.advance(Duration::from_secs(60));
            minutes += 1;
        }
        assert_eq!(
            (minutes, client.received().as_str()),
            (120, "* BYE It took too long\r\n"),
            "{begin}"
        );
    }
    // Commands one after the other have their time each.
    let client = World::new().client();
    for _ in 0..200 {
        assert_eq!(client.say("a NOOP\r\n"), "a OK Done\r\n");
        client.advance(Duration::from_secs(60));
    }
}

/// A client that never reads: the server stops to read messages, and gives up.
#[test]
fn a_client_that_receives_nothing_is_bounded() {
    let world = World::new();
    let message = format!("Subject: x\r\n\r\n{}", "0123456789abcdef\r\n".repeat(20_000));
    for _ in 0..20 {
        world.deliver("INBOX", &message);
    }
    let client = world.selected();
    client.wire.set_capacity(4_096);
    client.wire.receive_if_open(b"a FETCH 1:20 BODY.PEEK[]\r\n");
    client.advance(Duration::from_secs(1));
    let queued = client.wire.transport().queued();
    assert!((1..=200_000).contains(&queued), "{queued} bytes are queued of {}", 20 * message.len());
    client.advance(Duration::from_secs(298));
    assert!(!client.wire.is_closed());
    client.advance(Duration::from_secs(2));
    assert!(client.wire.is_closed());
}

/// The same in IDLE: changes are not queued without end.
#[test]
fn an_idle_client_that_receives_nothing_is_bounded() {
    let world = World::with_messages(1);
    let client = world.selected();
    client.wire.set_capacity(100);
    client.wire.receive_if_open(b"a IDLE\r\n");
    let other = world.selected();
    for _ in 0..4_000 {
        other.say("a STORE 1 +FLAGS.SILENT \\Seen\r\nb STORE 1 -FLAGS.SILENT \\Seen\r\n");
    }
    assert!(client.wire.transport().queued() < 70_000);
    assert!(!client.wire.is_closed());
    client.advance(Duration::from_secs(301));
    assert!(client.wire.is_closed());
}

#[test]
fn a_server_that_goes_down_waits_for_commands() {
    let world = World::with_messages(1);
    let client = world.selected();
    client.drain();
    assert_eq!(client.received(), "* BYE The server is shutting down\r\n");
    let client = world.selected();
    assert_eq!(client.say("a APPEND INBOX {4}\r\n"), "+ Go on\r\n");
    client.drain();
    assert!(!client.is_closed());
    let answer = client.say("A: 1\r\n");
    assert!(
        answer.contains("a OK [APPENDUID")
            && answer.ends_with("* BYE The server is shutting down\r\n"),
        "{answer}"
    );
}

/// Items of one message that are asked for again and again are not all in memory, and take turns with others.
#[test]
fn long_items_are_written_as_the_client_reads() {
    let world = World::new();
    let long = format!("Subject: {}\r\n\r\n", "x".repeat(50_000));
    world.deliver("INBOX", &long);
    let client = world.selected();
    for item in ["ENVELOPE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"] {
        let items = vec![item; 200].join(" ");
        client.wire.set_capacity(4_096);
        client.wire.receive_if_open(format!("a FETCH 1 ({items})\r\n").as_bytes());
        client.advance(Duration::from_secs(1));
        let queued = client.wire.transport().queued();
        assert!((1..=200_000).contains(&queued), "{item}: {queued} bytes are queued");
        let answer = client.received();
        assert!(answer.len() > 10_000_000, "{item}: {} bytes", answer.len());
        assert!(answer.ends_with(")\r\na OK Done\r\n"), "{item}");
    }
}

/// Commands that were sent ahead by a client that does not read wait: none of their answers is queued without end.
#[test]
fn commands_wait_for_a_client_that_does_not_read() {
    let world = World::new();
    let client = world.client();
    client.wire.set_capacity(1_000);
    for command in ["a CAPABILITY\r\n", "a LIST \"\" \"\"\r\n"] {
        client.wire.receive_if_open(command.repeat(5_000).as_bytes());
        client.advance(Duration::from_secs(1));
        let queued = client.wire.transport().queued();
        assert!((1..=100_000).contains(&queued), "{command:?}: {queued} bytes are queued");
        assert_eq!(client.received().matches("a OK Done\r\n").count(), 5_000, "{command:?}");
    }
    client.wire.receive_if_open("a CAPABILITY\r\n".repeat(5_000).as_bytes());
    client.advance(Duration::from_secs(301));
    assert!(client.wire.is_closed());
}
