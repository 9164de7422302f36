//! Every fault by itself, on a wire in memory and by a clock that the test turns. Real sockets have `tests/faults.rs` of the
//! workspace.

use std::rc::Rc;

use super::*;
use crate::{
    Connection, ConnectionLost, Protocol, StreamConfig, Transport,
    memory::{self, Wire},
};

/// Nothing may be left, and no callback may have panicked.
#[track_caller]
fn assert_clean(reactor: &Reactor) {
    assert_eq!(
        (reactor.leak_report().to_string(), reactor.stats().panics),
        ("nothing".to_owned(), 0)
    );
}

/// Answers with what it gets, and keeps count.
#[derive(Default)]
struct Echo {
    pieces: Rc<RefCell<Vec<usize>>>,
    lost: Rc<RefCell<Vec<String>>>,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.pieces.borrow_mut().push(data.len());
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.lost.borrow_mut().push(reason.to_string());
    }
}

fn join(reactor: &Reactor, faults: &Faults, echo: Echo) -> (Connection<Echo>, Wire) {
    let config = StreamConfig::default().faults(faults.clone());
    memory::connect(reactor, config, echo).expect("room for a connection")
}

/// What has come back after all that was on its way, and in which pieces it was read.
fn echoed(faults: &Faults, text: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let reactor = Reactor::simulated(0);
    let echo = Echo::default();
    let pieces = echo.pieces.clone();
    let (_connection, wire) = join(&reactor, faults, echo);
    wire.receive(text);
    wire.close();
    reactor.run_until_idle().expect("the loop turns");
    assert!(wire.is_ended(), "the end comes through, too");
    assert_clean(&reactor);
    (wire.sent(), pieces.take())
}

const TEXT: &[u8] = b"what goes in comes out, however it is cut";

#[test]
fn no_rate_keeps_a_stream_from_getting_on() {
    let most = Duration::from_millis(10);
    let cases: [fn(Faults) -> Faults; 6] = [
        |faults| faults.short_reads(1.0),
        |faults| faults.short_writes(1.0),
        |faults| faults.would_block(1.0),
        |faults| faults.interrupted(1.0),
        |faults| faults.would_block(1.0).interrupted(1.0).short_reads(1.0).short_writes(1.0),
        |faults| faults.would_block(f64::NAN).short_reads(7.0).resets(-1.0),
    ];
    for seed in 0..20 {
        for (number, case) in cases.iter().enumerate() {
            let faults = case(Faults::new(seed));
            assert_eq!(echoed(&faults, TEXT).0, TEXT, "case {number}, seed {seed}");
            let faults = faults.delayed_writes(1.0, most);
            assert_eq!(echoed(&faults, TEXT).0, TEXT, "case {number}, delayed, seed {seed}");
        }
        assert_eq!(echoed(&Faults::rough(seed), TEXT).0, TEXT, "rough, seed {seed}");
    }
}

#[test]
fn short_reads_bring_a_few_bytes() {
    let pieces = echoed(&Faults::new(1).short_reads(1.0), TEXT).1;
    assert!(pieces.iter().all(|piece| (1..=FEW).contains(piece)), "{pieces:?}");
    assert!(pieces.contains(&1) && pieces.contains(&FEW), "{pieces:?}");
}

#[test]
fn the_same_seed_has_the_same_faults_and_every_connection_its_own() {
    let faults = Faults::new(1).short_reads(1.0);
    let first = echoed(&faults, TEXT);
    let second = echoed(&faults.clone(), TEXT);
    assert_ne!(first, second, "two connections");
    assert_eq!(first, echoed(&Faults::new(1).short_reads(1.0), TEXT));
    assert_ne!(first, echoed(&Faults::new(2).short_reads(1.0), TEXT));
}

#[test]
fn a_delayed_write_waits_for_its_time_and_keeps_nobody_busy() {
    let reactor = Reactor::simulated(0);
    let max = Duration::from_secs(60);
    let (connection, wire) =
        join(&reactor, &Faults::new(3).delayed_writes(1.0, max), Echo::default());
    wire.receive(b"later");
    reactor.advance(Duration::from_millis(1)).expect("the loop turns");
    assert_eq!(wire.sent_len(), 0, "this seed waits longer than that");
    let turns = reactor.stats().turns;
    connection.transport().write(b" and later");
    reactor.advance(max).expect("the loop turns");
    assert_eq!(wire.sent(), b"later and later");
    let turns = reactor.stats().turns - turns;
    assert!(turns < 20, "{turns} turns");
}

#[test]
fn a_connection_that_goes_takes_its_delay_along() {
    let reactor = Reactor::simulated(0);
    let max = Duration::from_secs(60);
    let (connection, wire) =
        join(&reactor, &Faults::new(3).delayed_writes(1.0, max), Echo::default());
    wire.receive(b"later");
    reactor.advance(Duration::from_millis(1)).expect("the loop turns");
    assert_eq!(reactor.leak_report().timers, 1);
    connection.transport().abort();
    reactor.advance(Duration::from_millis(1)).expect("the loop turns");
    assert!(wire.was_reset());
    assert_clean(&reactor);
}

#[test]
fn a_reset_is_told_to_both_ends_once() {
    for (kind, writes_first) in [("a read", false), ("a write", true)] {
        let reactor = Reactor::simulated(0);
        let echo = Echo::default();
        let lost = echo.lost.clone();
        let (connection, wire) = join(&reactor, &Faults::new(1).resets(1.0), echo);
        if writes_first {
            connection.transport().write(b"x");
        } else {
            wire.receive(b"x");
        }
        reactor.run_until_idle().expect("the loop turns");
        assert_eq!(*lost.borrow(), [ConnectionLost::Reset.to_string()], "{kind}");
        assert!(wire.was_reset() && wire.sent_len() == 0, "{kind}");
        assert_clean(&reactor);
    }
}

/// What a stream shares with others is taken out again, so nothing may be held up for good by one that is read byte by byte.
#[test]
fn a_long_input_in_short_reads_leaves_room_for_others() {
    let reactor = Reactor::simulated(0);
    let (_slow, slow) = join(&reactor, &Faults::new(1).short_reads(1.0), Echo::default());
    let (_quick, quick) = join(&reactor, &Faults::new(1), Echo::default());
    slow.receive(&[0; 10_000]);
    slow.close();
    for turn in 0..20 {
        quick.receive(b"?");
        reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        assert_eq!(quick.sent(), b"?");
        // Sixteen reads of four bytes at most, and each turn as many.
        assert!(slow.sent_len() <= (turn + 1) * 16 * FEW, "{} in turn {turn}", slow.sent_len());
    }
}
