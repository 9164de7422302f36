//! Tests of the token bucket, and of rate-limited in-memory connections with a simulated clock.

use std::cell::Cell;

use proptest::prelude::*;
use sinew_testkit::testing::{assert_clean, every_split};
use sinew_transports::{
    Connection, StreamConfig,
    memory::{self, Wire},
    reactor::Reactor,
};

use super::*;
use crate::wire::Echo;

const KIB: u64 = 1024;

#[test]
fn a_read_may_exceed_the_burst() {
    let begin = Reactor::simulated(0).now();
    let mut bucket = Bucket::new(Rate::bytes_per_second(100).burst(50));
    let mut take = |bytes, ms| bucket.take(bytes, begin + Duration::from_millis(ms)).as_millis();
    assert_eq!(take(50, 0), 0, "the burst");
    assert_eq!(take(1, 0), 10);
    assert_eq!(take(0, 10), 0);
    assert_eq!(take(150, 10), 1_500, "all of it counts");
    assert_eq!(take(0, 1_510), 0);
    // A full bucket does not grow further.
    assert_eq!(take(51, 1_000_000), 10);
}

#[test]
fn extreme_rates_do_not_overflow() {
    let now = Reactor::simulated(0).now();
    for (rate, bytes) in [(0, 1), (1, usize::MAX), (u64::MAX, usize::MAX), (u64::MAX, 1)] {
        let mut bucket = Bucket::new(Rate::bytes_per_second(rate).burst(u64::MAX));
        bucket.take(bytes, now);
        bucket.take(bytes, now);
        let mut bucket = Bucket::new(Rate::bytes_per_second(rate).burst(0));
        assert!(bucket.take(bytes, now) > Duration::ZERO);
    }
}

proptest! {
    /// A reader that pauses as requested never receives more than the burst, the rate times the elapsed time, and one
    /// read.
    #[test]
    fn pausing_as_requested_keeps_the_rate(
        per_second in 1..5_000_u64,
        burst in 0..5_000_u64,
        reads in prop::collection::vec((1..3_000_usize, 0..2_000_u64), 1..30),
    ) {
        let begin = Reactor::simulated(0).now();
        let mut bucket = Bucket::new(Rate::bytes_per_second(per_second).burst(burst));
        let (mut now, mut sum) = (begin, 0.0);
        for (bytes, pause) in reads {
            let earned = per_second as f64 * (now - begin).as_secs_f64();
            prop_assert!(sum <= burst as f64 + earned + 0.1, "{sum} before a read");
            sum += bytes as f64;
            now += bucket.take(bytes, now) + Duration::from_millis(pause);
        }
    }
}

/// Counts received bytes and `reading_resumed` calls.
#[derive(Default)]
struct Count {
    received: Rc<Cell<u64>>,
    resumed: Rc<Cell<u64>>,
}

impl Protocol for Count {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.received.set(self.received.get() + data.len() as u64);
    }

    fn reading_resumed(&mut self, _: &Transport) {
        self.resumed.set(self.resumed.get() + 1);
    }
}

struct Limited {
    connection: Connection<RateLimit<Count>>,
    wire: Wire,
    received: Rc<Cell<u64>>,
    resumed: Rc<Cell<u64>>,
}

fn connect(reactor: &Reactor, rate: Rate, shared: Option<&SharedRate>) -> Limited {
    let count = Count::default();
    let (received, resumed) = (count.received.clone(), count.resumed.clone());
    let limit = RateLimit::new(count, rate);
    let limit = match shared {
        Some(rate) => limit.shared(rate),
        None => limit,
    };
    let (connection, wire) = memory::connect(reactor, StreamConfig::default(), limit)
        .expect("the connection limit is not reached");
    reactor.advance(Duration::ZERO).expect("the simulation settles");
    Limited { connection, wire, received, resumed }
}

fn pass(reactor: &Reactor, ms: u64) {
    reactor.advance(Duration::from_millis(ms)).expect("the simulation settles");
}

#[test]
fn a_fast_sender_is_read_at_the_rate() {
    let reactor = Reactor::simulated(0);
    let line = connect(&reactor, Rate::bytes_per_second(64 * KIB).burst(128 * KIB), None);
    line.wire.receive(&vec![b'x'; 1 << 20]);
    pass(&reactor, 0);
    // The burst, and one read past it.
    assert_eq!(line.received.get(), 192 * KIB);
    for second in 1..=13 {
        pass(&reactor, 1_000);
        let (received, expected) = (line.received.get(), 192 * KIB + second * 64 * KIB);
        assert_eq!(received, expected.min(1 << 20));
    }
    assert_eq!(line.resumed.get(), 13, "reading_resumed is called after each pause");
    pass(&reactor, 10_000);
    assert!(!reactor.leak_report().to_string().contains("timer"), "an idle limit uses no timer");
    line.wire.close();
    pass(&reactor, 60_000);
    assert_clean(&reactor);
}

#[test]
fn pauses_of_the_protocol_and_of_the_limit_are_independent() {
    let reactor = Reactor::simulated(0);
    let line = connect(&reactor, Rate::bytes_per_second(100).burst(0), None);
    let transport = line.connection.transport().clone();
    line.wire.receive(&[0; 100]);
    pass(&reactor, 0);
    line.wire.receive(&[0; 100]);
    // The protocol cannot resume while the limit pauses.
    transport.resume_reading();
    pass(&reactor, 999);
    assert_eq!(line.received.get(), 100);
    // The limit does not resume while the protocol pauses.
    transport.pause_reading();
    pass(&reactor, 5_000);
    assert_eq!(line.received.get(), 100);
    transport.resume_reading();
    pass(&reactor, 0);
    assert_eq!(line.received.get(), 200);
}

#[test]
fn a_shared_rate_applies_to_all_connections_together() {
    let reactor = Reactor::simulated(0);
    let all = SharedRate::new(Rate::bytes_per_second(64 * KIB).burst(0));
    let each = Rate::bytes_per_second(u64::MAX);
    let lines: Vec<_> = (0..4).map(|_| connect(&reactor, each, Some(&all))).collect();
    for line in &lines {
        line.wire.receive(&vec![b'x'; 1 << 20]);
    }
    pass(&reactor, 0);
    let received = || lines.iter().map(|line| line.received.get()).collect::<Vec<_>>();
    // One read each, before the shared limit takes effect.
    assert_eq!(received(), [64 * KIB; 4]);
    pass(&reactor, 20_000);
    let (sum, most) = (received().iter().sum::<u64>(), received().into_iter().max());
    assert!((20 * 64 * KIB..=26 * 64 * KIB).contains(&sum), "{sum}");
    assert!(most <= Some(7 * 64 * KIB), "the rate is shared fairly: {:?}", received());
}

#[test]
fn a_paused_connection_closes_normally() {
    let reactor = Reactor::simulated(0);
    let line = connect(&reactor, Rate::bytes_per_second(1).burst(0), None);
    line.wire.receive(&[0; 100]);
    pass(&reactor, 0);
    line.connection.transport().lose_connection();
    line.wire.close();
    pass(&reactor, 60_000);
    assert!(line.wire.is_closed());
    assert_clean(&reactor);
}

#[test]
fn no_bytes_are_lost_or_duplicated() {
    let limited = || RateLimit::new(Echo, Rate::bytes_per_second(10_000).burst(10));
    every_split(limited, b"some bytes, more than the burst", b"some bytes, more than the burst");
    let inside = RateLimit::new(Echo, Rate::bytes_per_second(1));
    let Echo = inside.get_ref();
    let Echo = inside.into_inner();
}
