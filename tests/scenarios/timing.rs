//! Timers of all kinds, created, moved and cancelled at random, on hosts that are paused at times. No timer fires
//! early, twice, or after cancellation; none is late on a running host; none is lost.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::{prelude::*, sim::Host, testing::simulate};

use super::watch::Watch;
use crate::{millis, secs, seeds};

/// Longer than any timer.
const LONGEST: Duration = secs(2_000);

/// Maximum lateness of a timer: times are rounded up to the tick.
const TICK: Duration = millis(1);

/// The pending calls of a host by number, each with the time before which it must not run.
#[derive(Default)]
struct Calls {
    waiting: RefCell<BTreeMap<u64, (DelayedCall, Instant)>>,
    made: Cell<u64>,
    fired: Cell<u64>,
    /// Whether the host may have been paused.
    may_be_late: Cell<bool>,
}

/// From zero to half an hour, rarely a whole number of ticks.
fn some_time(reactor: &Reactor) -> Duration {
    let random = reactor.random();
    let max = [1, 3_000, 70_000, 300_000, 20_000_000, LONGEST.as_micros() as u64];
    let micros = random % max[(random >> 60) as usize % max.len()];
    Duration::from_micros(micros)
}

impl Calls {
    fn make(self: &Rc<Self>, reactor: &Reactor) {
        let (number, delay) = (self.made.get(), some_time(reactor));
        self.made.set(number + 1);
        let calls = self.clone();
        let call = reactor.call_later(delay, move |reactor| calls.called(reactor, number));
        self.waiting.borrow_mut().insert(number, (call, reactor.now() + delay));
    }

    fn called(&self, reactor: &Reactor, number: u64) {
        let found = self.waiting.borrow_mut().remove(&number);
        let (call, due) =
            found.unwrap_or_else(|| panic!("call {number} is cancelled, or was made"));
        let now = reactor.now();
        assert!(now >= due, "call {number} is made {:?} early", due - now);
        let late = now - due;
        assert!(self.may_be_late.get() || late <= TICK, "call {number} is made {late:?} late");
        assert!(!call.is_active(), "call {number} is made and still waits");
        self.fired.set(self.fired.get() + 1);
    }

    /// Moves or cancels one of the pending calls.
    fn change(&self, reactor: &Reactor) {
        let random = reactor.random();
        let mut waiting = self.waiting.borrow_mut();
        let nth = random as usize % waiting.len().max(1);
        let Some(number) = waiting.keys().nth(nth).copied() else { return };
        let (call, due) = waiting.get_mut(&number).expect("it is one of the keys");
        let time = some_time(reactor);
        match random >> 32 & 7 {
            0..=2 => {
                assert!(call.cancel(), "call {number} waits and cannot be cancelled");
                waiting.remove(&number);
            }
            3..=5 => {
                assert!(call.reset(time), "call {number} waits and cannot be moved");
                *due = reactor.now() + time;
            }
            _ => {
                // The delay counts from the tick at which the call was due.
                *due = call.due().expect("it waits") + time;
                assert!(call.delay(time), "call {number} waits and cannot be put off");
            }
        }
    }
}

/// A program that creates and changes calls for ten seconds. Its own repeating call must stay on its schedule.
fn program(reactor: &Reactor, calls: &Rc<Calls>) {
    let (start, ticks, series) = (reactor.now(), Cell::new(0), Rc::new(RefCell::new(None)));
    let (calls, kept) = (calls.clone(), series.clone());
    let tick = move |reactor: &Reactor| {
        ticks.set(ticks.get() + 1);
        let age = reactor.now() - start;
        assert!(age >= millis(7) * ticks.get(), "tick {} comes after {age:?}", ticks.get());
        calls.make(reactor);
        calls.make(reactor);
        calls.change(reactor);
        if age > secs(10) {
            let series: Option<LoopingCall> = kept.take();
            series.expect("it was put there").stop();
        }
    };
    series.replace(Some(reactor.call_every(millis(7), tick)));
}

fn boot(host: &Host) -> Rc<Calls> {
    let calls = Rc::<Calls>::default();
    let theirs = calls.clone();
    host.boot(move |reactor| program(reactor, &theirs));
    calls
}

#[test]
fn timers_on_paused_hosts() {
    simulate(seeds(), |network| {
        let watch = Watch::over(network);
        let (steady, shaky) = (network.host("steady"), network.host("shaky"));
        watch.on(&steady, 0);
        watch.on(&shaky, 0);
        let calls = [boot(&steady), boot(&shaky)];
        calls[1].may_be_late.set(true);
        steady.set_drift(400);
        for _ in 0..10 {
            let random = steady.reactor().random();
            network.run_for(millis(random % 2_000)).unwrap();
            shaky.pause();
            network.run_for(millis(random >> 32 & 1_023)).unwrap();
            shaky.resume();
        }
        network.run_for(secs(12) + LONGEST * 3).unwrap();
        for (host, calls) in [&steady, &shaky].into_iter().zip(&calls) {
            let waiting = calls.waiting.borrow().len();
            assert_eq!(waiting, 0, "{}: calls were not made", host.name());
            let leak_report = host.reactor().leak_report();
            assert!(leak_report.is_empty(), "{}: {leak_report}", host.name());
            assert!(calls.fired.get() > 500, "{} calls were made", calls.fired.get());
        }
    });
}
