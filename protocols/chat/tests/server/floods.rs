//! Clients that send too much, and those that read too little.

use std::time::Duration;

use crate::server::network::{Network, codes, config};

#[test]
fn commands_that_come_too_fast_wait() {
    let network = Network::new(config().flood(5, Duration::from_secs(1)).waiting_max(10));
    let client = network.connect();
    client.say("NICK ann\nUSER ann 0 * :x");
    client.advance(10_000);
    client.received();
    let sent = "PING x\n".repeat(10);
    assert_eq!(codes(&client.say(&sent)).len(), 5);
    for _ in 0..5 {
        client.advance(999);
        assert_eq!(client.received(), "");
        client.advance(1);
        assert_eq!(codes(&client.received()).len(), 1);
    }
    // Empty lines cost nothing, and lines that are too long cost as much as others.
    client.advance(10_000);
    client.send(&b"\r\n".repeat(1_000));
    assert!(!client.is_closed());
    let long = format!("{}\n", "x".repeat(600));
    assert_eq!(codes(&client.say(&long.repeat(3))), ["417", "417", "417"]);
    let received = client.say(&"PING x\n".repeat(20));
    assert!(received.contains("Excess Flood") && client.is_closed());
}

#[test]
fn kill_by_sendq() {
    let network = Network::new(config());
    let [ann, bob, slow] = network.in_channel(["ann", "bob", "slow"]);
    slow.wire.set_capacity(100);
    let text = "x".repeat(400);
    let mut told = String::new();
    for _ in 0..2_000 {
        ann.send(format!("PRIVMSG #a :{text}\n").as_bytes());
        told += &bob.received();
        if slow.is_closed() {
            break;
        }
    }
    assert!(slow.is_closed(), "a client that never reads is disconnected");
    let quit = told + &bob.received() + &ann.received();
    assert_eq!(
        quit.matches(":slow!~slow@localhost QUIT :SendQ exceeded").count(),
        2,
        "the others are told"
    );
    assert_eq!(network.server.report().clients, 2);
    assert_eq!(bob.say("PING x"), ":irc.test PONG irc.test :x\n");
}

#[test]
fn many_who_do_not_read_end_together() {
    let network = Network::new(config().send_queue_max(20_000));
    let ann = network.client("ann");
    ann.say("JOIN #a");
    let slow: Vec<_> = (0..50)
        .map(|number| {
            let client = network.client(&format!("slow{number}"));
            client.say("JOIN #a");
            client
        })
        .collect();
    slow.iter().for_each(|client| client.wire.set_capacity(0));
    let text = "x".repeat(400);
    for _ in 0..200 {
        ann.send(format!("PRIVMSG #a :{text}\n").as_bytes());
        ann.received();
    }
    assert!(slow.iter().all(super::network::Client::is_closed));
    assert_eq!(network.server.report().clients, 1);
}

#[test]
fn an_answer_that_is_longer_than_the_queue() {
    // A client that asks for much and reads nothing hurts itself only.
    let network = Network::new(config().send_queue_max(30_000));
    let ann = network.with("ann", "labeled-response batch");
    ann.wire.set_capacity(10);
    for _ in 0..100 {
        ann.send(b"@label=x HELP\n");
    }
    assert!(ann.is_closed());
}

/// Each of many channels is told to others, so that they count as more than one command.
#[test]
fn many_channels_in_one_command_cost_more() {
    let network = Network::new(config().flood(5, Duration::from_secs(1)));
    let client = network.client("ann");
    client.advance(10_000);
    let names: Vec<String> = (0..21).map(|number| format!("#{number}")).collect();
    client.say(&format!("JOIN {}\n", names.join(",")));
    assert_eq!(client.say("PING x"), "", "20 / 4 more than one");
    client.advance(1_999);
    assert_eq!(client.received(), "");
    client.advance(1);
    assert_eq!(codes(&client.received()), ["PONG"]);
}

/// Tags make a line nine times as long: what waits is counted by its bytes, too.
#[test]
fn long_commands_that_wait_are_bounded() {
    let network = Network::new(config().flood(1, Duration::from_secs(1)));
    let ann = network.connect();
    let line = format!("@+a={} PING x\n", "x".repeat(4_000));
    // 4,011 bytes each: the first is carried out, and 16 of them wait.
    let held = line.repeat(17);
    assert_eq!(ann.say(&held), ":irc.test PONG irc.test :x\n");
    for _ in 0..16 {
        ann.advance(1_000);
        assert_eq!(codes(&ann.received()), ["PONG"]);
    }
    ann.advance(1_000);
    ann.send(held.as_bytes());
    assert!(!ann.is_closed());
    assert!(ann.say(&line).contains("Excess Flood") && ann.is_closed());
}
