//! `SystemUnderTest` finds planted bugs by each of its three ways, and makes little of what they need.

use std::time::Duration;

use super::*;
use crate::testing::simulate::explore;
use sinew_transports::{ConnectionLost, Transport};

/// Answers each line in capitals, and keeps what is no line yet. The bug is said when it is made.
struct Lines {
    bug: Bug,
    held: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Bug {
    None,
    /// Takes the end of what one call brings for the end of a line, if it is a `!`.
    TakesCutsForEnds,
    /// Panics at a `%`.
    Panics,
    /// Sends each line when the next one is there.
    IsLate,
    /// Leaves a timer when the connection ends by a reset.
    LeavesTimer,
}

impl Protocol for Lines {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(self.bug != Bug::Panics || !data.contains(&b'%'), "on purpose");
        self.held.extend_from_slice(data);
        if self.bug == Bug::TakesCutsForEnds && data.ends_with(b"!") {
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

/// The message of the panic, unprinted.
fn fault_of(f: impl FnOnce()) -> Option<String> {
    let silence = Silence::begin();
    let ran = catch_unwind(AssertUnwindSafe(f));
    assert_eq!(ran.is_err(), silence.first_said().is_some());
    silence.first_said()
}

crate::protocol_tests! {
    mod right_lines {
        make: || Lines { bug: Bug::None, held: Vec::new() },
        inputs: draw,
        expect: model,
    }
}

crate::protocol_tests! {
    /// With nothing said of it.
    mod lines_without_a_model {
        make: || Lines { bug: Bug::None, held: Vec::new() },
        seeds: 0..20,
    }
}

#[test]
fn a_right_protocol_passes_whatever_a_fuzzer_says() {
    for seed in 0..300 {
        let data = Draw::new(seed).bytes(300);
        right_lines::fuzz(&data);
        lines_without_a_model::fuzz(&data);
    }
}

#[test]
fn the_property_finds_a_bug_and_the_shortest_input_for_it() {
    for (bug, expected) in [(Bug::TakesCutsForEnds, &b"!"[..]), (Bug::Panics, b"%")] {
        let silence = Silence::begin();
        let failure = (0..20).find_map(|seed| lines(bug).find(seed).err());
        drop(silence);
        let failure = failure.unwrap();
        assert_eq!(failure.shortest, expected);
        assert!(failure.input.len() > 10, "{failure}");
        let printed = failure.to_string();
        assert!(printed.contains("it fails of:\n    panicked at"), "{printed}");
        assert!(
            printed.contains(&format!("\n    b\"{}\"\n", expected.escape_ascii())),
            "{printed}"
        );
    }
    // Without a model, what comes whole is the measure.
    let silence = Silence::begin();
    let subject = SystemUnderTest { model: None, ..lines(Bug::TakesCutsForEnds) };
    let failure = (0..20).find_map(|seed| subject.find(seed).err());
    drop(silence);
    let mut shortest = failure.unwrap().shortest;
    shortest.sort_unstable();
    assert!(shortest.len() == 2 && shortest.contains(&b'!'), "{}", shortest.escape_ascii());
}

#[test]
fn the_fuzz_target_finds_each_bug() {
    let fuzz = |bug, data: &'static [u8]| fault_of(move || lines(bug).fuzz(data));
    // A piece of three bytes, then the rest.
    let cut = b"\x01\x00\x02so!what\n";
    assert_eq!(fuzz(Bug::None, cut), None);
    let fault = fuzz(Bug::TakesCutsForEnds, cut).unwrap();
    assert!(fault.ends_with("sent SO!\\nWHAT\\n\nexpected SO!WHAT\\n"), "{fault}");
    assert!(fuzz(Bug::Panics, b"\x00a%").is_some());
    // A piece, and a reset.
    assert!(fuzz(Bug::LeavesTimer, b"\x02\x00\x02\x07\x00abcdef").unwrap().ends_with("1 timer"));
    assert_eq!(fuzz(Bug::LeavesTimer, b"\x02\x00\x02\x06\x00abcdef"), None);
    assert_eq!(fuzz(Bug::None, b""), None);
}

#[test]
fn the_scenario_finds_each_bug_and_the_fault_that_it_takes() {
    let first = |bug| {
        let silence = Silence::begin();
        let subject = lines(bug);
        let found = (0..20).find_map(|seed| explore(seed, &|network| subject.play(network)).err());
        (found.unwrap(), silence.first_said().unwrap())
    };
    let (failure, _) = first(Bug::LeavesTimer);
    let shortest = failure.shortest.as_ref().unwrap();
    assert!(shortest.is_exact, "{failure}");
    let (all, left) = (failure.faults.entries.len(), shortest.plan.entries.len());
    assert!(all >= 10 && left <= 3, "{failure}");
    assert!(shortest.plan.to_string().contains("reset server-client"), "{failure}");
    assert!(failure.to_string().contains("left on the server: 1 timer"), "{failure}");

    // This takes none.
    let (failure, said) = first(Bug::TakesCutsForEnds);
    assert!(failure.shortest.as_ref().is_none_or(|least| least.plan.entries.is_empty()));
    assert!(said.contains("received for "), "{said}");
    // What is missing at the end is seen where a connection ends well.
    let (_, said) = first(Bug::IsLate);
    assert!(said.contains("received in all for "), "{said}");
}
