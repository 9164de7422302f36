//! Tests of the schedule: turns, limits, destinations that are down or slow, and that nothing is lost.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn parcel(message: &str, number: u32) -> Parcel {
    Parcel { message: message.parse().unwrap(), number }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A reactor that does not run is only asked for the time.
fn start() -> Instant {
    sinew_transports::reactor::Reactor::simulated(0).now()
}

fn all(schedule: &mut Schedule, now: Instant) -> Vec<String> {
    let next = std::iter::from_fn(|| schedule.next(now));
    next.map(|parcel| parcel.message.to_string()).collect()
}

#[test]
fn destinations_take_turns_and_have_their_limits() {
    let (now, mut schedule) = (start(), Schedule::new(4, 2));
    for number in 0..6 {
        schedule.add(parcel(&format!("a{number}"), 0), "a".into(), now);
    }
    schedule.add(parcel("b0", 0), "b".into(), now);
    schedule.add(parcel("c0", 0), "c".into(), now + seconds(1));
    assert_eq!(schedule.wakeup(now), Some(now));
    assert_eq!(all(&mut schedule, now), ["a0", "b0", "a1"], "two of a");
    assert_eq!(all(&mut schedule, now + seconds(1)), ["c0"]);
    schedule.done(&parcel("a0", 0), None, Some(true), |_| now);
    assert_eq!(all(&mut schedule, now), ["a2"], "four in all");
    for done in ["a1", "b0", "c0", "a2"] {
        schedule.done(&parcel(done, 0), None, Some(true), |_| now);
    }
    assert_eq!(all(&mut schedule, now), ["a3", "a4"]);
    assert_eq!((schedule.active(), schedule.lines.len()), (2, 1));
    schedule.done(&parcel("a3", 0), Some(now + seconds(9)), Some(true), |_| now);
    assert_eq!(all(&mut schedule, now), ["a5"]);
    assert_eq!(all(&mut schedule, now + seconds(9)), [""; 0], "two of a");
    schedule.done(&parcel("a4", 0), None, Some(true), |_| now);
    assert_eq!(all(&mut schedule, now + seconds(9)), ["a3"]);
}

#[test]
fn a_destination_that_is_down_is_probed_by_one_parcel() {
    let (now, mut schedule) = (start(), Schedule::new(100, 5));
    for number in 0..20 {
        schedule.add(parcel(&format!("a{number}"), 0), "a".into(), now);
    }
    assert_eq!(all(&mut schedule, now).len(), 5);
    for number in 0..5 {
        schedule.done(&parcel(&format!("a{number}"), 0), None, Some(false), |_| now + seconds(60));
    }
    assert_eq!(all(&mut schedule, now), [""; 0]);
    assert_eq!(schedule.wakeup(now), Some(now + seconds(60)));
    let failures = schedule.down().map(|down| down.1).collect::<Vec<_>>();
    assert_eq!(failures, [1], "they were on their way together");
    let later = now + seconds(60);
    assert_eq!(all(&mut schedule, later), ["a5"], "the probe");
    schedule.done(&parcel("a5", 0), None, Some(false), |_| later + seconds(60));
    assert_eq!(all(&mut schedule, later), [""; 0]);
    assert_eq!(schedule.down().map(|down| down.1).collect::<Vec<_>>(), [2]);
    let later = later + seconds(60);
    assert_eq!(all(&mut schedule, later), ["a6"]);
    schedule.done(&parcel("a6", 0), None, Some(true), |_| later);
    assert_eq!(all(&mut schedule, later).len(), 5, "it is back");
}

/// A destination without anything to send leaves nothing behind, and one that has its next message later is as down as it was.
#[test]
fn a_destination_that_rests_is_forgotten_with_its_last_parcel() {
    let (now, mut schedule) = (start(), Schedule::new(10, 5));
    for number in 0..3 {
        schedule.add(parcel(&format!("a{number}"), 0), "a".into(), now);
    }
    assert_eq!(schedule.next(now), Some(parcel("a0", 0)));
    schedule.done(&parcel("a0", 0), None, Some(false), |_| now + seconds(60));
    assert_eq!(all(&mut schedule, now), [""; 0]);
    assert!(schedule.withdraw(&parcel("a1", 0)));
    assert_eq!(schedule.wakeup(now), Some(now + seconds(60)));
    schedule.forget_failures();
    assert_eq!(all(&mut schedule, now), ["a2"], "it does not rest any more");
    schedule.done(&parcel("a2", 0), Some(now), Some(false), |_| now + seconds(90));
    assert_eq!(all(&mut schedule, now), [""; 0]);
    assert!(schedule.withdraw(&parcel("a2", 0)));
    assert!(schedule.resting.is_empty() && schedule.lines.is_empty());
    assert_eq!(schedule.wakeup(now), None);
    schedule.add(parcel("a3", 0), "a".into(), now);
    assert_eq!(all(&mut schedule, now), ["a3"]);
}

/// What many messages to hosts that are down cost: the work for each would be seen if it grew with their number.
#[test]
fn many_messages_to_hosts_that_are_down_are_withdrawn_and_tried_in_order() {
    let (now, mut schedule) = (start(), Schedule::new(10, 5));
    let parcels: Vec<_> = (0..60_000).map(|number| parcel(&format!("m{number:05}"), 0)).collect();
    for (number, parcel) in parcels.iter().enumerate() {
        let to = if number % 2 == 0 { "busy".to_owned() } else { format!("d{number}") };
        schedule.add(parcel.clone(), to.into(), now);
    }
    let mut tried = 0;
    while let Some(next) = schedule.next(now) {
        schedule.done(&next, Some(now), Some(false), |_| now + seconds(60));
        assert!(schedule.wakeup(now).is_some());
        tried += 1;
    }
    assert_eq!(tried, 30_001, "each destination once");
    for parcel in &parcels {
        assert!(schedule.withdraw(parcel));
    }
    assert!(
        schedule.parcels.is_empty() && schedule.lines.is_empty() && schedule.resting.is_empty()
    );
}

/// Destinations that keep attempts for long leave places to the others.
#[test]
fn slow_destinations_have_places_of_their_own() {
    let (now, mut schedule) = (start(), Schedule::new(4, 2));
    for number in 0..10 {
        schedule.add(parcel(&format!("t{number}"), 0), format!("t{number}").into(), now);
    }
    assert_eq!(all(&mut schedule, now), ["t0", "t1", "t2", "t3"]);
    schedule.add(parcel("a", 0), "a".into(), now);
    assert_eq!(all(&mut schedule, now), [""; 0]);
    let slow = now + seconds(60);
    assert_eq!(schedule.wakeup(now), Some(slow));
    assert_eq!(all(&mut schedule, slow), ["t4", "t5"], "two of the four have other places");
    for tarpit in ["t0", "t1", "t2", "t3", "t4", "t5"] {
        schedule.age(slow + seconds(600));
        let again = Some(slow + seconds(900));
        schedule.done(&parcel(tarpit, 0), again, Some(false), |_| slow);
    }
    let mut now = slow + seconds(600);
    assert_eq!(all(&mut schedule, now), ["t6", "t7", "t8", "t9"]);
    now += seconds(60);
    assert_eq!(all(&mut schedule, now), ["a"]);
    schedule.done(&parcel("a", 0), None, Some(true), |_| now);
    for tarpit in ["t6", "t7", "t8", "t9"] {
        schedule.done(&parcel(tarpit, 0), Some(now), None, |_| now);
    }
    // All of them are known by now: they have two places, and the others all four.
    now = slow + seconds(900);
    schedule.forget_failures();
    assert_eq!(all(&mut schedule, now).len(), 2);
    for number in 0..6 {
        schedule.add(parcel(&format!("b{number}"), 0), format!("b{number}").into(), now);
    }
    assert_eq!(all(&mut schedule, now), ["b0", "b1", "b2", "b3"]);
    assert_eq!(schedule.active(), 6);
    schedule.done(&parcel("b0", 0), None, Some(true), |_| now);
    assert_eq!(all(&mut schedule, now), ["b4"]);
}

/// One that is fast again has its place among the others, and one place for all is never two.
#[test]
fn slow_destinations_become_fast_again() {
    for (places, beside) in [(1, 0), (2, 1)] {
        let (mut now, mut schedule) = (start(), Schedule::new(places, 9));
        for number in 0..9 {
            schedule.add(parcel(&format!("a{number}"), 0), "a".into(), now);
        }
        let first = all(&mut schedule, now);
        assert_eq!(first.len(), places);
        now += seconds(70);
        assert_eq!(all(&mut schedule, now).len(), beside);
        for done in 0..places + beside {
            schedule.done(&parcel(&format!("a{done}"), 0), None, Some(true), |_| now);
        }
        let mut left = 9 - places - beside;
        while left > 0 {
            let active = all(&mut schedule, now);
            assert!((1..=places + beside).contains(&active.len()), "{active:?}");
            left -= active.len();
            for done in active {
                schedule.done(&parcel(&done, 0), None, Some(true), |_| now);
            }
        }
    }
}

#[test]
fn messages_are_held_hurried_and_removed() {
    let (now, mut schedule) = (start(), Schedule::new(10, 5));
    schedule.add(parcel("a", 0), "x".into(), now + seconds(100));
    schedule.add(parcel("a", 1), "y".into(), now);
    schedule.add_held(parcel("b", 0), "x".into());
    schedule.hold(&"a".parse().unwrap());
    assert_eq!((all(&mut schedule, now + seconds(200)), schedule.wakeup(now)), (vec![], None));
    schedule.hurry(&"a".parse().unwrap(), now);
    assert_eq!(all(&mut schedule, now), ["a", "a"]);
    schedule.hurry(&"a".parse().unwrap(), now);
    assert!(schedule.is_hurried(&parcel("a", 1)));
    schedule.remove(&"a".parse().unwrap());
    assert_eq!(schedule.active(), 2, "an attempt goes on");
    schedule.done(&parcel("a", 0), None, None, |_| now);
    schedule.done(&parcel("a", 1), None, None, |_| now);
    schedule.remove(&"b".parse().unwrap());
    assert!(schedule.parcels.is_empty() && schedule.lines.is_empty() && schedule.active() == 0);
}

proptest! {
    /// Whatever happens, no parcel is lost or active twice, no limit is passed, and the end is reached by waiting for the wakeups.
    #[test]
    fn nothing_is_lost(ops in prop::collection::vec((0..6_u8, 0..8_u32, 0..4_u8), 0..200)) {
        let mut now = start();
        let mut schedule = Schedule::new(5, 2);
        let (mut active, mut there) = (Vec::<Parcel>::new(), std::collections::BTreeSet::new());
        for (op, number, to) in ops {
            let parcel = parcel(&format!("m{number}"), 0);
            match op {
                0 if there.insert(parcel.clone()) => {
                    let destination: &str = ["a", "b", "c", "d"][usize::from(to)];
                    schedule.add(parcel, destination.into(), now + seconds(u64::from(number)));
                }
                1 => schedule.hurry(&parcel.message, now),
                2 if !active.contains(&parcel) => {
                    schedule.remove(&parcel.message);
                    there.remove(&parcel);
                }
                3 => now += seconds(u64::from(number)),
                4 if !active.is_empty() => {
                    let done = active.remove(number as usize % active.len());
                    let reached = [None, Some(true), Some(false), Some(false)][usize::from(to)];
                    let due = (number % 2 == 0).then_some(now + seconds(3));
                    schedule.done(&done, due, reached, |failures| now + seconds(u64::from(failures)));
                    if due.is_none() {
                        there.remove(&done);
                    }
                }
                _ => {}
            }
            while let Some(next) = schedule.next(now) {
                prop_assert!(there.contains(&next) && !active.contains(&next));
                active.push(next);
            }
            // Two more if they are slow.
            prop_assert!(active.len() <= 7 && schedule.active() == active.len());
        }
        for _ in 0..10_000 {
            while let Some(next) = schedule.next(now) {
                active.push(next);
            }
            match active.pop() {
                Some(done) => {
                    schedule.done(&done, None, Some(true), |_| now);
                    there.remove(&done);
                }
                None if there.is_empty() => break,
                None => now = now.max(schedule.wakeup(now).expect("something is left")),
            }
        }
        prop_assert!(there.is_empty() && schedule.parcels.is_empty() && schedule.wakeup(now).is_none());
    }
}
