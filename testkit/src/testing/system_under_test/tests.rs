//! Tests of `SystemUnderTest`: each of its three methods finds planted bugs and shrinks the failures.

use std::time::Duration;

use super::*;
use crate::testing::simulate::explore;
use sinew_transports::{ConnectionLost, Transport};

/// Answers each line in upper case, and buffers the unfinished line. Has the given bug.
struct Lines {
    bug: Bug,
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Treats the end of a read as the end of a line if it is a `!`.
    ReadEndsLine,
    /// Panics at a `%`.
    Panics,
    /// Sends each line only after the next one has arrived.
    IsLate,
    /// Leaves a timer when the connection is reset.
    LeavesTimer,
}

impl Protocol for Lines {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(self.bug != Bug::Panics || !data.contains(&b'%'), "on purpose");
        self.held.extend_from_slice(data);
        if self.bug == Bug::ReadEndsLine && data.ends_with(b"!") {
            self.held.push(b'\n');
        }
        let ends = |held: &[u8]| held.iter().filter(|byte| **byte == b'\n').count();
        let kept = usize::from(self.bug == Bug::IsLate);
        while ends(&self.held) > kept {
            let end = self.held.iter().position(|byte| *byte == b'\n').unwrap();
            let line: Vec<_> = self.held.drain(..=end).collect();
            transport.write(&line.to_ascii_uppercase());
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        if self.bug == Bug::LeavesTimer && matches!(reason, ConnectionLost::Reset) {
            transport.reactor().unwrap().call_later(Duration::from_secs(1 << 20), |_| {});
        }
    }
}

fn model(input: &[u8]) -> Vec<u8> {
    let end = input.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    input[..end].to_ascii_uppercase()
}

fn draw(draw: &mut Draw) -> Vec<u8> {
    (0..draw.number(..200)).map(|_| *draw.pick(b"abc!%\n")).collect()
}

fn lines(bug: Bug) -> SystemUnderTest<Lines> {
    SystemUnderTest::new(move || Lines { bug, held: Vec::new() }).inputs(draw).expect(model)
}

/// The message of a panic, captured.
fn message_of(f: impl FnOnce()) -> Option<String> {
    let silence = Silence::begin();
    let ran = catch_unwind(AssertUnwindSafe(f));
    assert_eq!(ran.is_err(), silence.first_message().is_some());
    silence.first_message()
}

crate::protocol_tests! {
    mod right_lines {
        make: || Lines { bug: Bug::None, held: Vec::new() },
        inputs: draw,
        expect: model,
    }
}

crate::protocol_tests! {
    /// With default settings.
    mod lines_without_a_model {
        make: || Lines { bug: Bug::None, held: Vec::new() },
        seeds: 0..20,
    }
}

#[test]
fn a_correct_protocol_passes_random_fuzzer_input() {
    for seed in 0..300 {
        let data = Draw::new(seed).bytes(300);
        right_lines::fuzz(&data);
        lines_without_a_model::fuzz(&data);
    }
}

#[test]
fn property_finds_bugs_and_shrinks_the_input() {
    for (bug, expected) in [(Bug::ReadEndsLine, &b"!"[..]), (Bug::Panics, b"%")] {
        let silence = Silence::begin();
        let failure = (0..20).find_map(|seed| lines(bug).find(seed).err());
        drop(silence);
        let failure = failure.unwrap();
        assert_eq!(failure.shortest, expected);
        assert!(failure.input.len() > 10, "{failure}");
        let printed = failure.to_string();
        assert!(printed.contains("failure:\n    panicked at"), "{printed}");
        assert!(
            printed.contains(&format!("\n    b\"{}\"\n", expected.escape_ascii())),
            "{printed}"
        );
    }
    // Without a model, the input in one piece is the reference.
    let silence = Silence::begin();
    let subject = SystemUnderTest { model: None, ..lines(Bug::ReadEndsLine) };
    let failure = (0..20).find_map(|seed| subject.find(seed).err());
    drop(silence);
    let mut shortest = failure.unwrap().shortest;
    shortest.sort_unstable();
    assert!(shortest.len() == 2 && shortest.contains(&b'!'), "{}", shortest.escape_ascii());
}

#[test]
fn fuzz_finds_each_bug() {
    let fuzz = |bug, data: &'static [u8]| message_of(move || lines(bug).fuzz(data));
    // A piece of three bytes, then the rest.
    let cut = b"\x01\x00\x02so!what\n";
    assert_eq!(fuzz(Bug::None, cut), None);
    let fault = fuzz(Bug::ReadEndsLine, cut).unwrap();
    assert!(fault.ends_with("sent SO!\\nWHAT\\n\nexpected SO!WHAT\\n"), "{fault}");
    assert!(fuzz(Bug::Panics, b"\x00a%").is_some());
    // A piece, then a reset.
    assert!(fuzz(Bug::LeavesTimer, b"\x02\x00\x02\x07\x00abcdef").unwrap().ends_with("1 timer"));
    assert_eq!(fuzz(Bug::LeavesTimer, b"\x02\x00\x02\x06\x00abcdef"), None);
    assert_eq!(fuzz(Bug::None, b""), None);
}

#[test]
fn scenario_finds_each_bug_and_shrinks_the_faults() {
    let first = |bug| {
        let silence = Silence::begin();
        let subject = lines(bug);
        let found = (0..20).find_map(|seed| explore(seed, &|network| subject.play(network)).err());
        (found.unwrap(), silence.first_message().unwrap())
    };
    let (failure, _) = first(Bug::LeavesTimer);
    let shortest = failure.shortest.as_ref().unwrap();
    assert!(shortest.is_exact, "{failure}");
    let (all, left) = (failure.faults.entries.len(), shortest.plan.entries.len());
    assert!(all >= 10 && left <= 3, "{failure}");
    assert!(shortest.plan.to_string().contains("reset server-client"), "{failure}");
    assert!(failure.to_string().contains("left on the server: 1 timer"), "{failure}");

    // This bug needs no fault.
    let (failure, message) = first(Bug::ReadEndsLine);
    assert!(failure.shortest.as_ref().is_none_or(|least| least.plan.entries.is_empty()));
    assert!(message.contains("received for "), "{message}");
    // Missing output is detected where a connection ends normally.
    let (_, message) = first(Bug::IsLate);
    assert!(message.contains("received in all for "), "{message}");
}
