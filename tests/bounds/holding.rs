//! Memory held for a peer that sends and never reads: bounded by the named limits, measured on the heap of the server
//! process.

use crate::{
    support::{Echo, Link, Sink, TestConnection, World, noise, table},
    sys::held,
};

table! {
    sockets:
        a_slow_reader_of_an_echo_costs_what_its_watermark_says,
        a_relay_holds_little_for_an_end_that_does_not_read,
        a_connection_that_pauses_costs_one_read;
}

/// Size of one read.
const READ: i64 = 64 * 1024;

/// The high watermark.
const HIGH: i64 = 64 * 1024;

/// Number of such connections.
const PEERS: usize = 4;

/// Turns without progress after which no more is sent.
const QUIET: usize = 20;

/// Sends as much as possible on all connections. Returns the heap growth per connection.
fn cost_of_flooding(world: &World, lines: &mut [&mut TestConnection]) -> i64 {
    // The canary for settling, and one-time growth.
    world.settle();
    let piece = noise(128 * 1024);
    let before = held();
    let mut quiet = 0;
    while quiet < QUIET {
        quiet = if send_all(lines, &piece) > 0 { 0 } else { quiet + 1 };
        world.turn();
    }
    world.settle();
    for line in &*lines {
        line.trace.forget();
    }
    (held() - before) / lines.len() as i64
}

/// Sends as much as possible on each. Received data are discarded.
fn send_all(lines: &mut [&mut TestConnection], piece: &[u8]) -> usize {
    let send = |line: &mut &mut TestConnection| {
        line.trace.forget();
        std::iter::from_fn(|| Some(line.remote.try_send(piece)).filter(|sent| *sent > 0))
            .sum::<usize>()
    };
    lines.iter_mut().map(send).sum()
}

/// Memory of a remote TLS end in this process, and buffers of a session for partial or unsent records.
fn of_tls(world: &World) -> i64 {
    if matches!(world.link, Link::TlsAccepted | Link::TlsConnected) { 2 * READ } else { 0 }
}

fn a_slow_reader_of_an_echo_costs_what_its_watermark_says(world: &World) {
    let mut lines: Vec<_> = (0..PEERS).map(|_| world.join(Echo)).collect();
    let mut lines: Vec<_> = lines.iter_mut().collect();
    let cost = cost_of_flooding(world, &mut lines);
    // The last read may exceed the watermark, and buffers grow by doubling.
    let limit = 2 * (HIGH + READ) + of_tls(world);
    println!("{cost} bytes for each");
    assert!(cost <= limit, "{cost} bytes for each of {PEERS} slow readers, more than {limit}");
}

fn a_relay_holds_little_for_an_end_that_does_not_read(world: &World) {
    let mut ends: Vec<_> = (0..PEERS).map(|_| (world.join(Sink), world.join(Sink))).collect();
    let relays: Vec<_> = ends
        .iter()
        .map(|(a, b)| a.transport().relay(&b.transport()).expect("both are open"))
        .collect();
    let mut senders: Vec<_> = ends.iter_mut().map(|(a, _)| a).collect();
    let cost = cost_of_flooding(world, &mut senders);
    let limit = 2 * READ + 2 * of_tls(world);
    println!("{cost} bytes for each");
    assert!(cost <= limit, "{cost} bytes for each of {PEERS} relays, more than {limit}");
    drop(relays);
}

fn a_connection_that_pauses_costs_one_read(world: &World) {
    let mut lines: Vec<_> = (0..PEERS).map(|_| world.join(Sink)).collect();
    let mut lines: Vec<_> = lines.iter_mut().collect();
    let piece = noise(128 * 1024);
    while lines.iter().any(|line| line.trace.received() < piece.len()) {
        send_all(&mut lines, &piece);
        world.turn();
    }
    // During other work, and not from its own callback.
    lines.iter().for_each(|line| line.transport().pause_reading());
    let cost = cost_of_flooding(world, &mut lines);
    let limit = READ + READ / 8 + of_tls(world);
    println!("{cost} bytes for each");
    assert!(cost <= limit, "{cost} bytes for each of {PEERS} that paused, more than {limit}");
}
