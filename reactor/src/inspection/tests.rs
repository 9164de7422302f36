//! Tests of the counters of handlers, of pages of them, and of long callbacks.

use std::time::Instant;

use super::*;
use crate::{Ready, TimerKey};

/// Says its name to a visitor that lists names, and receives a byte whenever it is called.
struct Named {
    name: u32,
}

impl Handler for Named {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        reactor.meter().bytes_received.add(1);
        reactor.meter().bytes_sent.add(2);
    }

    fn timer(self: Rc<Self>, _: &Reactor, _: TimerKey) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(3) {}
    }

    fn inspect(self: Rc<Self>, _: &Reactor, _: Token, visitor: &mut dyn Any) {
        if let Some(names) = visitor.downcast_mut::<Vec<u32>>() {
            names.push(self.name);
        }
    }

    fn describe(&self) -> String {
        format!("a busy handler with number {}", self.name)
    }
}

fn add(reactor: &Reactor, name: u32) -> Token {
    let token = reactor.reserve().expect("there is room");
    let handler = Rc::new(Named { name });
    reactor.bind(token, handler);
    token
}

fn inspected() -> Reactor {
    Reactor::builder().inspection(true).build().expect("a reactor")
}

fn turn(reactor: &Reactor) {
    reactor.turn(Some(Duration::ZERO)).expect("a turn");
}

#[test]
fn a_handler_has_what_the_counters_grew_by_while_it_ran_and_what_was_done_for_it() {
    let reactor = inspected();
    let (one, other) = (add(&reactor, 1), add(&reactor, 2));
    reactor.reschedule(one);
    turn(&reactor);
    reactor.count_sent(other, 100);
    reactor.count_received(other, 50);
    reactor.reschedule(one);
    reactor.reschedule(other);
    turn(&reactor);
    let of = |token| reactor.handler_counts(token).expect("it is registered");
    assert_eq!((of(one).received, of(one).sent, of(one).calls), (2, 4, 2));
    assert_eq!((of(other).received, of(other).sent, of(other).calls), (51, 102, 1));
    assert!(of(one).age >= of(one).quiet && of(one).longest >= of(one).last);
    let stats = reactor.stats();
    assert_eq!((stats.bytes_received, stats.bytes_sent), (53, 106));
}

#[test]
fn the_next_user_of_a_slot_begins_at_zero() {
    let reactor = inspected();
    let token = add(&reactor, 1);
    reactor.reschedule(token);
    turn(&reactor);
    reactor.deregister(token, false);
    assert_eq!(reactor.handler_counts(token), None);
    let next = add(&reactor, 2);
    assert_eq!(next.slot(), token.slot());
    let counts = reactor.handler_counts(next).expect("it is registered");
    assert_eq!((counts.received, counts.sent, counts.calls), (0, 0, 0));
    assert!(!reactor.inspect_handler(token, &mut Vec::<u32>::new()));
}

#[test]
fn long_callbacks_are_named_without_the_peer_and_turns_are_counted() {
    let reactor = inspected();
    let token = add(&reactor, 1);
    reactor.arm_timer(token, Duration::ZERO);
    turn(&reactor);
    let report = reactor.loop_report();
    let [long] = report.longest.as_slice() else { panic!("{:?}", report.longest) };
    assert_eq!((long.name.as_str(), long.count), ("a busy handler", 1));
    assert!(long.longest >= Duration::from_micros(2_950), "{long:?}");
    assert!(
        reactor.handler_counts(token).expect("it is registered").longest
            >= Duration::from_micros(2_950)
    );
    assert_eq!(report.turns.expect("inspection is on").count(), 1);
    assert_eq!(report.lag.expect("inspection is on").count(), 1);
    assert!(report.slow.is_empty());
}

#[test]
fn slow_callbacks_are_remembered_with_inspection_off() {
    let slow = Duration::from_millis(2);
    let reactor = Reactor::builder().slow_callback(slow).build().expect("a reactor");
    let token = add(&reactor, 7);
    reactor.arm_timer(token, Duration::ZERO);
    turn(&reactor);
    let report = reactor.loop_report();
    assert_eq!(report.slow.len(), 1);
    assert_eq!(report.slow[0].name, "a busy handler with number 7");
    assert!(report.slow[0].took >= slow);
    assert!(report.lag.is_none() && reactor.handler_counts(token).is_none());
}

#[test]
fn pages_visit_what_stays_once_whatever_comes_and_goes() {
    let reactor = Reactor::new().expect("a reactor");
    let mut tokens: Vec<_> = (0..1_000).map(|name| add(&reactor, name)).collect();
    let stays = |name: u32| !name.is_multiple_of(3);
    let mut all = Vec::new();
    let (mut next, mut pages) = (Some(0), 0);
    while let Some(first) = next {
        let mut names = Vec::<u32>::new();
        next = reactor.inspect_handlers(first, 64, &mut names);
        assert!(names.len() <= 64);
        all.extend(names);
        pages += 1;
        // Between two pages a third of the first connections goes, and others come into their slots.
        for name in (0..1_000).filter(|name| !stays(*name)).skip(pages * 20).take(20) {
            reactor.deregister(tokens[name as usize], false);
            tokens.push(add(&reactor, 100_000 + name));
        }
    }
    let mut seen = all;
    seen.retain(|name| *name < 1_000 && stays(*name));
    seen.sort_unstable();
    assert_eq!(seen, (0..1_000).filter(|name| stays(*name)).collect::<Vec<_>>());
}

#[test]
fn many_vacant_slots_are_passed_in_bounded_steps() {
    let reactor = Reactor::new().expect("a reactor");
    let tokens: Vec<_> = (0..10_000).map(|name| add(&reactor, name)).collect();
    tokens[..9_999].iter().for_each(|token| reactor.deregister(*token, false));
    let (mut names, mut next, mut pages) = (Vec::<u32>::new(), Some(0), 0);
    while let Some(first) = next {
        next = reactor.inspect_handlers(first, 100, &mut names);
        pages += 1;
    }
    assert_eq!((names, pages > 5), (vec![9_999], true));
}
