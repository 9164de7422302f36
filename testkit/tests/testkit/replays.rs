//! What a replay compares and what it ignores: order of input and timers, read boundaries, and recordings that end early.

use std::time::Duration;

use crate::echo::{echo, upper};
use sinew_testkit::testing::{Recording, replay, tap};
use sinew_transports::{
    Factory, Peer, Protocol, StreamConfig, TimerId, Transport, memory, reactor::Reactor,
};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

// ---- time ----

/// Sends a tick every minute; on the idle timeout it sends a request, and aborts on the next.
struct Clock {
    idle: Duration,
    asked: bool,
}

impl Clock {
    fn new(idle: u64) -> impl Fn(&Peer) -> Self {
        move |_| Self { idle: Duration::from_secs(idle), asked: false }
    }
}

impl Protocol for Clock {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.idle);
        transport.call_later(Duration::from_secs(60));
    }

    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        self.asked = false;
        // Fires just after the input of the same moment.
        transport.call_later(Duration::ZERO);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.write(b"tick");
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        if std::mem::replace(&mut self.asked, true) {
            return transport.abort();
        }
        transport.write(b"well?");
    }
}

fn record_clock() -> Recording {
    let reactor = Reactor::simulated(0);
    let recording = Recording::new();
    let clock = tap(Clock::new(100), &recording).build_protocol(&Peer::Memory).unwrap();
    reactor.advance(Duration::new(3, 400)).unwrap();
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), clock).unwrap();
    reactor.advance(Duration::from_micros(1_300)).unwrap();
    wire.receive(b"a");
    wire.receive(b"b");
    reactor.advance(Duration::ZERO).unwrap();
    wire.receive(b"c");
    reactor.advance(Duration::from_secs(1_000)).unwrap();
    assert!(wire.is_closed());
    recording
}

#[test]
fn timers_fire_at_their_recorded_times() {
    let recording = record_clock();
    let kept = Recording::load("tests/recordings/clock.txt").unwrap();
    assert_eq!(recording.to_string(), kept.to_string());
    replay("tests/recordings/clock.txt", Clock::new(100)).unwrap();
    let replayed = recording.replay(Clock::new(100)).unwrap();
    assert_eq!(replayed.recording().to_string(), recording.to_string());

    for (idle, difference) in [
        (
            50,
            "connection #1 at 50.002000 s: expected timer_fired at 60.001000 s, got idle_timeout at 50.002000 s",
        ),
        (
            98,
            "connection #1 at 158.001000 s: expected idle_timeout at 160.001000 s, got idle_timeout at 158.001000 s",
        ),
        (101, "connection #1 at 160.001000 s: expected idle_timeout at 160.001000 s, got nothing"),
    ] {
        let error = recording.replay(Clock::new(idle)).unwrap_err();
        assert_eq!(error.to_string(), difference, "{idle}");
    }
}

/// Aborts after a timeout, which the answer cancels.
struct Impatient {
    timeout: Option<TimerId>,
}

impl Protocol for Impatient {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"?");
        self.timeout = transport.call_later(millis(100));
    }

    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        if let Some(timeout) = self.timeout.take() {
            assert!(transport.cancel_timer(timeout));
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.abort();
    }
}

/// Times written by hand may be up to a tick early; timers never are.
#[test]
fn timer_may_fire_up_to_a_tick_after_its_record() {
    for (at, is_there) in [("0.100000", true), ("0.099900", false)] {
        let text = format!(
            "sinew recording 1\n0.000400 #1 made with memory\n0.000400 #1 sent \"?\"\n\
             {at} #1 timer_fired\n{at} #1 lost \"aborted by this side\"\n"
        );
        let recording: Recording = text.parse().unwrap();
        let replayed = recording.replay(|_: &Peer| Impatient { timeout: None });
        assert_eq!(replayed.is_ok(), is_there, "{at}");
    }
}

/// On a busy machine, an answer that arrives after the timeout may be processed before it.
#[test]
fn late_timers_are_replayed() {
    let answered: Recording = r#"sinew recording 1
0.000400 #1 made with memory
0.000400 #1 sent "?"
0.130000 #1 received "!"
5.000000 #1 read_closed
5.000000 #1 lost "closed by the peer"
"#
    .parse()
    .unwrap();
    answered.replay(|_: &Peer| Impatient { timeout: None }).unwrap();

    let timed_out: Recording = r#"sinew recording 1
0.000400 #1 made with memory
0.000400 #1 sent "?"
0.130000 #1 timer_fired
0.130000 #1 lost "aborted by this side"
"#
    .parse()
    .unwrap();
    timed_out.replay(|_: &Peer| Impatient { timeout: None }).unwrap();

    // Within a limit.
    let text = answered.to_string().replace("0.130000", "1.200000");
    let much_later: Recording = text.parse().unwrap();
    let error = much_later.replay(|_: &Peer| Impatient { timeout: None }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "connection #1 at 0.101000 s: expected received \"!\", got timer_fired at 0.101000 s"
    );
}

/// A timer without delay fires in the next turn, after the input of the current turn.
#[test]
fn input_of_the_current_turn_precedes_a_new_timer() {
    struct Two {
        fired: usize,
    }
    impl Protocol for Two {
        fn connection_made(&mut self, transport: &Transport) {
            transport.call_later(millis(10));
        }
        fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
            self.fired += 1;
            if self.fired == 1 {
                transport.call_later(Duration::ZERO);
            }
        }
        fn data_received(&mut self, transport: &Transport, _: &[u8]) {
            transport.write(&[b'0' + self.fired as u8]);
        }
    }
    let story = |lines: &str| -> Recording {
        let head = "sinew recording 1\n0.000000 #1 made with memory\n0.010100 #1 timer_fired\n";
        format!("{head}{lines}").parse().unwrap()
    };
    let two = |_: &Peer| Two { fired: 0 };
    let between = "0.010120 #1 received \"x\"\n0.010120 #1 sent \"1\"\n0.010150 #1 timer_fired\n";
    story(between).replay(two).unwrap();
    let after = "0.010150 #1 timer_fired\n0.010170 #1 received \"x\"\n0.010170 #1 sent \"2\"\n";
    story(after).replay(two).unwrap();
}

// ---- bytes ----

/// Reads at one moment keep their boundaries; a read that fills the buffer is followed by another at once.
#[test]
fn read_boundaries_are_kept() {
    struct Lens;
    impl Protocol for Lens {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(format!("{} ", data.len()).as_bytes());
            transport.call_later(Duration::ZERO);
        }
    }
    let reactor = Reactor::simulated(0);
    let recording = Recording::new();
    let lens = tap(|_: &Peer| Lens, &recording).build_protocol(&Peer::Memory).unwrap();
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), lens).unwrap();
    wire.receive(&[b'x'; 150_000]);
    wire.close();
    reactor.advance(Duration::ZERO).unwrap();
    assert_eq!(wire.sent(), b"65536 65536 18928 ");
    recording.replay(|_: &Peer| Lens).unwrap();

    let pieces: Recording = r#"sinew recording 1
0 #1 made with memory
0 #1 received "abc"
0 #1 timer_fired
0 #1 received "de"
0 #1 received "f"
0 #1 read_closed
0 #1 sent "3 2 1 "
0 #1 lost "closed by the peer"
"#
    .parse()
    .unwrap();
    let error = pieces.replay(|_: &Peer| Lens).unwrap_err();
    // The timer of "de" would have fired before "f" was read.
    assert_eq!(
        error.to_string(),
        "connection #1 at 0.000000 s: expected received \"f\", got timer_fired at 0.000000 s"
    );
}

/// Echoes once, and ends its output.
struct Shuts;

impl Protocol for Shuts {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
        transport.close_write();
    }
}

/// Output that the system had not accepted when the connection ended is not compared.
#[test]
fn output_not_accepted_is_not_compared() {
    let mut text = String::new();
    for (end, reason) in [
        ("failed \"reset by the peer\"", "reset by the peer"),
        ("failed \"No route to host (os error 113)\"", "No route to host (os error 113)"),
        ("blocked", "timed out"),
        ("blocked", "more than 9000 bytes queued for sending"),
    ] {
        text = format!(
            "sinew recording 1\n0 #1 made with memory\n1 #1 received \"hello\"\n1 #1 sent \"hel\"\n\
             1 #1 blocked\n2 #1 {end}\n2 #1 lost \"{reason}\"\n"
        );
        let recording: Recording = text.parse().unwrap();
        recording.replay(echo).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(recording.replay(upper).is_err(), "{text}");
    }
    // The end of the output is compared only if it was reached.
    let shuts = |_: &Peer| Shuts;
    let text = text.replace("more than 9000 bytes queued for sending", "the reactor was shut down");
    let reached = text.replace("2 #1 blocked", "2 #1 sent \"lo\"\n2 #1 write_closed");
    reached.parse::<Recording>().unwrap().replay(shuts).unwrap();
    text.parse::<Recording>().unwrap().replay(shuts).unwrap();
    let error = reached.parse::<Recording>().unwrap().replay(echo).unwrap_err().to_string();
    assert!(error.ends_with("expected write_closed, got nothing"), "{error}");
    let blocked_again = reached.replace("write_closed", "write_closed\n2 #1 blocked");
    let error = blocked_again.parse::<Recording>().unwrap().replay(echo).unwrap_err().to_string();
    assert!(error.ends_with("expected write_closed, got nothing"), "{error}");
    // Output that was accepted is compared.
    let text = text.replace("2 #1 blocked", "2 #1 sent \"l\"");
    let error = text.parse::<Recording>().unwrap().replay(echo).unwrap_err().to_string();
    assert!(error.ends_with("from byte 4 on: expected nothing, got \"o\""), "{error}");
}

/// A recording may end between a timer's due time and its callback.
#[test]
fn recording_may_end_anywhere() {
    let whole = record_clock().to_string();
    let lines: Vec<_> = whole.lines().collect();
    for len in 1..=lines.len() {
        let part = lines[..len].join("\n");
        // One that ends in the middle of a moment must say so.
        for text in [format!("{part}\ntruncated\n"), part] {
            let is_cut = !text.ends_with("truncated\n");
            let moment = |line: Option<&&str>| {
                line.and_then(|line| Some(line.split_once(' ')?.0.to_owned()))
            };
            if is_cut && len < lines.len() && moment(lines.get(len)) == moment(lines.get(len - 1)) {
                continue;
            }
            let recording: Recording = text.parse().unwrap();
            recording.replay(Clock::new(100)).unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
    }
    // The timer of the last input was due at that moment, but had not fired yet.
    let last: Recording =
        "sinew recording 1\n0 #1 made with memory\n0.5 #1 received \"x\"\n".parse().unwrap();
    last.replay(Clock::new(100)).unwrap();
}

/// More output than any system accepts at once: when it is accepted is not compared, but all of it must be sent.
#[test]
fn partial_writes_make_no_difference() {
    struct Floods(usize);
    impl Protocol for Floods {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(&vec![b'.'; self.0]);
            transport.set_idle_timeout(millis(500));
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let reactor = Reactor::simulated(0);
    let recording = Recording::new();
    let floods = tap(|_: &Peer| Floods(3_000_000), &recording).build_protocol(&Peer::Memory);
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), floods.unwrap()).unwrap();
    let mut got = 0;
    while got < 3_000_000 {
        reactor.advance(millis(100)).unwrap();
        got += wire.take(200_000).len();
    }
    reactor.advance(millis(1_000)).unwrap();
    wire.close();
    reactor.advance(millis(1_000)).unwrap();
    assert!(recording.to_string().contains("writing_paused"));
    assert!(recording.to_string().contains("blocked"));
    recording.replay(|_: &Peer| Floods(3_000_000)).unwrap();
    for (n, difference) in [
        (2_999_999, "byte 2999999 on: expected \".\", got nothing"),
        (3_000_001, "byte 3000000 on: expected nothing, got \".\""),
    ] {
        let error = recording.replay(move |_: &Peer| Floods(n)).unwrap_err().to_string();
        assert!(error.contains(difference), "{error}");
    }
}
