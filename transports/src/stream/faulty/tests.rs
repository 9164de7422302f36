//! Tests of each fault by itself, on a connection in memory with a simulated clock. Tests on real sockets are in the workspace's
//! `tests/transports/faults.rs`.

use std::rc::Rc;

use super::*;
use crate::{
    Connection, ConnectionLost, Protocol, StreamConfig, Transport,
    memory::{self, Wire},
};

/// Asserts that nothing is left on the reactor and that no callback panicked.
#[track_caller]
fn assert_clean(reactor: &Reactor) {
    assert_eq!(
        (reactor.leak_report().to_string(), reactor.stats().panics),
        ("nothing".to_owned(), 0)
    );
}

/// Echoes and records the sizes of its reads and the reason of its end.
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

/// Returns what was echoed, and the sizes of the reads.
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
fn no_rate_stops_a_stream_for_good() {
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
        assert_eq!(echoed(&Faults::survivable(seed), TEXT).0, TEXT, "rough, seed {seed}");
    }
}

#[test]
fn short_reads_return_a_few_bytes() {
    let pieces = echoed(&Faults::new(1).short_reads(1.0), TEXT).1;
    assert!(pieces.iter().all(|piece| (1..=SHORT_MAX).contains(piece)), "{pieces:?}");
    assert!(pieces.contains(&1) && pieces.contains(&SHORT_MAX), "{pieces:?}");
}

#[test]
fn same_seed_repeats_the_faults_and_each_connection_has_its_own() {
    let faults = Faults::new(1).short_reads(1.0);
    let first = echoed(&faults, TEXT);
    let second = echoed(&faults.clone(), TEXT);
    assert_ne!(first, second, "two connections");
    assert_eq!(first, echoed(&Faults::new(1).short_reads(1.0), TEXT));
    assert_ne!(first, echoed(&Faults::new(2).short_reads(1.0), TEXT));
}

#[test]
fn delayed_write_waits_without_busy_polling() {
    let reactor = Reactor::simulated(0);
    let max = Duration::from_secs(60);
    let (connection, wire) =
        join(&reactor, &Faults::new(3).delayed_writes(1.0, max), Echo::default());
    wire.receive(b"later");
    reactor.advance(Duration::from_millis(1)).expect("the loop turns");
    assert_eq!(wire.sent_len(), 0, "with this seed the delay is longer");
    let turns = reactor.stats().turns;
    connection.transport().write(b" and later");
    reactor.advance(max).expect("the loop turns");
    assert_eq!(wire.sent(), b"later and later");
    let turns = reactor.stats().turns - turns;
    assert!(turns < 20, "{turns} turns");
}

#[test]
fn closed_connection_cancels_its_delay() {
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
fn reset_reaches_both_ends_once() {
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

/// A stream that is read in small pieces must share the event loop with others.
#[test]
fn long_input_in_short_reads_does_not_starve_others() {
    let reactor = Reactor::simulated(0);
    let (_slow, slow) = join(&reactor, &Faults::new(1).short_reads(1.0), Echo::default());
    let (_quick, quick) = join(&reactor, &Faults::new(1), Echo::default());
    slow.receive(&[0; 10_000]);
    slow.close();
    for turn in 0..20 {
        quick.receive(b"?");
        reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
        assert_eq!(quick.sent(), b"?");
        // At most sixteen reads of four bytes per turn.
        assert!(
            slow.sent_len() <= (turn + 1) * 16 * SHORT_MAX,
            "{} in turn {turn}",
            slow.sent_len()
        );
    }
}
