//! The load that one reactor makes: [`Load`] opens the connections, says when each of them sends, and counts. What is sent, and how
//! an answer is recognized, is not its business.
//!
//! | stage | ends when | then |
//! |---|---|---|
//! | `Connecting` | every connection was tried once | `WarmingUp`; `Done` if none could be made |
//! | `WarmingUp` | the time of the warm-up is over | `Measuring` |
//! | `Measuring` | the duration is over | `Finishing` |
//! | `Finishing`: nothing new is planned | every request has its answer, or the time for answers is over | `Done` |
//! | `Done` | | |
//!
//! Requests count if they were planned in `Measuring`. A lost connection is made again after a moment, in every stage but the last two.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use sinew::prelude::*;

use super::{
    lane::{Lane, Sent},
    schedule::Schedule,
    tally::{Tally, Trouble},
};

/// Most connections that are being made at once, so that the queue of the listening socket does not overflow.
const CONNECTING_MAX: usize = 64;

/// Pause before a lost connection is made again.
const RETRY: Duration = Duration::from_millis(100);

/// How much load one reactor makes.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) connections: usize,
    /// Requests that a connection may have without an answer.
    pub(crate) pipeline: usize,
    /// Requests a second, in an open loop. `None`: a closed loop, in which the next request follows the answer.
    pub(crate) rate: Option<f64>,
    /// The part of an interval by which an open loop is shifted.
    pub(crate) phase: f64,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
}

/// What a progress bar shows, on another thread.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) answers: AtomicU64,
    pub(crate) troubles: AtomicU64,
    /// Milliseconds of the measured time; 0 before it begins.
    pub(crate) measured: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Connecting,
    WarmingUp,
    Measuring,
    Finishing,
    Done,
}

/// Makes a connection for a lane. It calls [`Load::connected`] and [`Load::lost`], or [`Load::not_connected`].
pub(crate) type Dial = Box<dyn Fn(&Reactor, &Rc<Load>, &Rc<Lane>)>;

/// Called after the last stage.
type Done = Box<dyn FnOnce(&Reactor)>;

/// The load of one reactor.
pub(crate) struct Load {
    reactor: WeakReactor,
    volume: Volume,
    dial: Dial,
    live: Arc<Live>,
    stage: Cell<Stage>,
    tally: RefCell<Tally>,
    /// When `Measuring` began.
    measured_from: Cell<Option<Instant>>,
    lanes: Vec<Rc<Lane>>,
    /// Those that are to be connected, and how many are being connected.
    to_dial: RefCell<VecDeque<Rc<Lane>>>,
    dialling: Cell<usize>,
    /// First attempts that have no result.
    untried: Cell<usize>,
    schedule: RefCell<Option<Schedule>>,
    /// Lanes with room for a request, which wait for one to be due.
    free: RefCell<VecDeque<Rc<Lane>>>,
    done: RefCell<Option<Done>>,
}

impl Load {
    /// Begins. `done` is called once, after the last stage.
    pub(crate) fn start(
        reactor: &Reactor,
        volume: Volume,
        live: Arc<Live>,
        dial: Dial,
        done: impl FnOnce(&Reactor) + 'static,
    ) -> Rc<Self> {
        let lanes: Vec<_> = (0..volume.connections).map(|_| Rc::new(Lane::default())).collect();
        let load = Rc::new(Self {
            reactor: reactor.downgrade(),
            dial,
            live,
            stage: Cell::new(Stage::Connecting),
            tally: RefCell::default(),
            measured_from: Cell::new(None),
            to_dial: RefCell::new(lanes.iter().cloned().collect()),
            dialling: Cell::new(0),
            untried: Cell::new(lanes.len()),
            lanes,
            schedule: RefCell::new(None),
            free: RefCell::default(),
            done: RefCell::new(Some(Box::new(done))),
            volume,
        });
        load.dial_some(reactor);
        load.watch_for_timeouts(reactor);
        load
    }

    /// What was measured so far.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.tally.borrow().clone();
        if self.stage.get() == Stage::Measuring
            && let (Some(from), Some(reactor)) = (self.measured_from.get(), self.reactor.upgrade())
        {
            tally.measured = reactor.now().saturating_duration_since(from);
        }
        tally
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.volume.timeout
    }

    // ---- connections ----

    fn dial_some(self: &Rc<Self>, reactor: &Reactor) {
        while self.dialling.get() < CONNECTING_MAX {
            let Some(lane) = self.to_dial.borrow_mut().pop_front() else { return };
            self.dialling.set(self.dialling.get() + 1);
            (self.dial)(reactor, self, &lane);
        }
    }

    fn dialled(self: &Rc<Self>, reactor: &Reactor, lane: &Lane) {
        self.dialling.set(self.dialling.get() - 1);
        self.dial_some(reactor);
        if lane.was_tried.replace(true) {
            return;
        }
        self.untried.set(self.untried.get() - 1);
        if self.untried.get() == 0 {
            self.all_tried(reactor);
        }
    }

    /// The lane is connected, and can send.
    pub(crate) fn connected(self: &Rc<Self>, reactor: &Reactor, lane: &Rc<Lane>) {
        self.tally.borrow_mut().connected += 1;
        self.dialled(reactor, lane);
        self.feed(reactor, lane);
    }

    /// The lane could not be connected.
    pub(crate) fn not_connected(self: &Rc<Self>, reactor: &Reactor, lane: &Rc<Lane>, why: String) {
        if self.stage.get() < Stage::Done {
            self.trouble(Trouble::Connect(why));
        }
        self.dialled(reactor, lane);
        self.dial_again(reactor, lane, RETRY);
    }

    /// The connection of the lane has ended, with these requests unanswered, for this reason.
    pub(crate) fn lost(
        self: &Rc<Self>,
        reactor: &Reactor,
        lane: &Rc<Lane>,
        unanswered: VecDeque<Sent>,
        why: &Trouble,
    ) {
        let now = reactor.now();
        for sent in unanswered {
            self.failed(now, sent, why.clone());
        }
        self.dial_again(reactor, lane, RETRY);
        self.finish_if_idle(reactor);
    }

    fn dial_again(self: &Rc<Self>, reactor: &Reactor, lane: &Rc<Lane>, after: Duration) {
        if self.stage.get() >= Stage::Finishing {
            return;
        }
        let (load, lane) = (Rc::downgrade(self), lane.clone());
        reactor.call_later(after, move |reactor| {
            if let Some(load) = load.upgrade().filter(|load| load.stage.get() < Stage::Finishing) {
                load.to_dial.borrow_mut().push_back(lane);
                load.dial_some(reactor);
            }
        });
    }

    // ---- stages ----

    fn all_tried(self: &Rc<Self>, reactor: &Reactor) {
        if !self.lanes.iter().any(|lane| lane.is_connected()) {
            return self.finish(reactor);
        }
        self.stage.set(Stage::WarmingUp);
        if let Some(rate) = self.volume.rate {
            // The next tick of the timers, so that they are not late by a part of one.
            let part = Duration::from_nanos(u64::from(reactor.age().subsec_nanos() % 1_000_000));
            let start = reactor.now() + (Duration::from_millis(1) - part);
            let schedule = Schedule::new(start, rate, self.volume.phase);
            *self.schedule.borrow_mut() = Some(schedule);
        }
        let load = self.clone();
        reactor.call_later(self.volume.warm_up, move |reactor| load.measure(reactor));
        self.feed_all(reactor);
    }

    fn measure(self: &Rc<Self>, reactor: &Reactor) {
        if self.stage.get() != Stage::WarmingUp {
            return;
        }
        self.stage.set(Stage::Measuring);
        self.measured_from.set(Some(reactor.now()));
        let load = self.clone();
        reactor.call_later(self.volume.duration, move |reactor| load.end(reactor));
    }

    fn end(self: &Rc<Self>, reactor: &Reactor) {
        let (Stage::Measuring, Some(from)) = (self.stage.get(), self.measured_from.get()) else {
            return;
        };
        let now = reactor.now();
        self.tally.borrow_mut().measured = now.saturating_duration_since(from);
        self.stage.set(Stage::Finishing);
        if let Some(schedule) = &mut *self.schedule.borrow_mut() {
            schedule.end_at(now);
        }
        let load = self.clone();
        reactor.call_later(self.volume.timeout, move |reactor| load.finish(reactor));
        self.finish_if_idle(reactor);
    }

    fn finish_if_idle(self: &Rc<Self>, reactor: &Reactor) {
        let is_idle = || {
            let unsent = self.schedule.borrow().as_ref().is_some_and(|plan| plan.peek().is_some());
            let has_lane = self.lanes.iter().any(|lane| lane.is_connected());
            !(unsent && has_lane) && self.lanes.iter().all(|lane| lane.is_idle())
        };
        if self.stage.get() == Stage::Finishing && is_idle() {
            self.finish(reactor);
        }
    }

    /// Closes all, and counts what is left as failed.
    fn finish(self: &Rc<Self>, reactor: &Reactor) {
        let Some(done) = self.done.take() else { return };
        let now = reactor.now();
        for lane in &self.lanes {
            for sent in lane.give_up() {
                self.failed(now, sent, Trouble::NoAnswer);
            }
        }
        while let Some(planned) = self.next_due(now) {
            self.failed(now, Sent { planned, at: planned }, Trouble::NotSent);
        }
        self.tally.borrow_mut().is_complete = self.measured_from.get().is_some();
        self.stage.set(Stage::Done);
        self.free.take();
        done(reactor);
    }

    /// Requests without an answer in time end their connection: where an answer would belong is unknown after that.
    fn watch_for_timeouts(self: &Rc<Self>, reactor: &Reactor) {
        let interval = (self.volume.timeout / 20).clamp(Duration::from_millis(1), RETRY);
        let load = Rc::downgrade(self);
        let looping = Rc::new(RefCell::new(None::<LoopingCall>));
        let own = looping.clone();
        let call = reactor.call_every(interval, move |reactor| {
            let Some(load) = load.upgrade().filter(|load| load.stage.get() < Stage::Finishing)
            else {
                if let Some(call) = own.take() {
                    call.stop();
                }
                return;
            };
            let now = reactor.now();
            if let (Stage::Measuring, Some(from)) = (load.stage.get(), load.measured_from.get()) {
                let measured = now.saturating_duration_since(from).as_millis();
                load.live.measured.store(u64::try_from(measured).unwrap_or(u64::MAX), Relaxed);
            }
            for lane in &load.lanes {
                if lane.has_waited_since(now, load.volume.timeout) {
                    let unanswered = lane.give_up();
                    load.lost(reactor, lane, unanswered, &Trouble::NoAnswer);
                }
            }
        });
        *looping.borrow_mut() = Some(call);
    }

    // ---- requests ----

    /// The next request to send now, by the time for which it is planned.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        match &mut *self.schedule.borrow_mut() {
            Some(schedule) => schedule.take(now),
            None if self.volume.rate.is_some() => None,
            None => matches!(self.stage.get(), Stage::WarmingUp | Stage::Measuring).then_some(now),
        }
    }

    /// Sends what is due on this lane, as far as it has room.
    fn feed(self: &Rc<Self>, reactor: &Reactor, lane: &Rc<Lane>) {
        if matches!(self.stage.get(), Stage::Connecting | Stage::Done) {
            return;
        }
        let now = reactor.now();
        while lane.has_room(self.volume.pipeline) {
            let Some(planned) = self.next_due(now) else {
                if !lane.is_free.replace(true) {
                    self.free.borrow_mut().push_back(lane.clone());
                }
                return;
            };
            self.send(lane, Sent { planned, at: now });
        }
    }

    fn send(&self, lane: &Lane, sent: Sent) {
        let bytes = lane.send(sent);
        if self.stage.get() == Stage::Measuring {
            self.tally.borrow_mut().sent += bytes as u64;
        }
    }

    /// Begins to send on all lanes; in an open loop, again whenever something is due.
    fn feed_all(self: &Rc<Self>, reactor: &Reactor) {
        if self.volume.rate.is_none() {
            self.lanes.iter().for_each(|lane| self.feed(reactor, lane));
            return;
        }
        for lane in self.lanes.iter().filter(|lane| !lane.is_free.replace(true)) {
            self.free.borrow_mut().push_back(lane.clone());
        }
        self.tick(reactor);
    }

    /// Sends what is due on the lanes that are free, one request each in turn, and comes back when more is due.
    fn tick(self: &Rc<Self>, reactor: &Reactor) {
        let now = reactor.now();
        loop {
            let Some(lane) = self.free.borrow_mut().pop_front() else { break };
            if !lane.has_room(self.volume.pipeline) {
                lane.is_free.set(false);
                continue;
            }
            let Some(planned) = self.next_due(now) else {
                self.free.borrow_mut().push_front(lane);
                break;
            };
            self.send(&lane, Sent { planned, at: now });
            if lane.has_room(self.volume.pipeline) {
                self.free.borrow_mut().push_back(lane);
            } else {
                lane.is_free.set(false);
            }
        }
        let next = self.schedule.borrow().as_ref().and_then(Schedule::peek);
        let (Some(next), true) = (next, self.stage.get() < Stage::Done) else { return };
        // If all lanes are busy, what is due is sent as soon as one of them has its answer, by `feed`.
        let wait = next.saturating_duration_since(now).max(Duration::from_millis(1));
        let load = self.clone();
        reactor.call_later(wait, move |reactor| load.tick(reactor));
    }

    // ---- results ----

    /// The lane has received bytes.
    pub(crate) fn received(&self, bytes: usize) {
        if self.stage.get() == Stage::Measuring {
            self.tally.borrow_mut().received += bytes as u64;
        }
    }

    /// The oldest request of the lane has its answer: right, or one that says that it failed.
    pub(crate) fn answered(
        self: &Rc<Self>,
        reactor: &Reactor,
        lane: &Rc<Lane>,
        failure: Option<Trouble>,
    ) {
        let Some(sent) = lane.answered() else { return };
        self.result(reactor.now(), sent, failure);
        self.feed(reactor, lane);
        self.finish_if_idle(reactor);
    }

    /// The same where the server closes the connection after the answer, as HTTP servers may: it is made again at once.
    pub(crate) fn answered_last(
        self: &Rc<Self>,
        reactor: &Reactor,
        lane: &Rc<Lane>,
        failure: Option<Trouble>,
    ) {
        let mut unanswered = lane.disconnected();
        let Some(sent) = unanswered.pop_front() else { return };
        let now = reactor.now();
        self.result(now, sent, failure);
        for sent in unanswered {
            self.failed(now, sent, Trouble::Lost("closed after an earlier answer".into()));
        }
        self.dial_again(reactor, lane, Duration::ZERO);
        self.finish_if_idle(reactor);
    }

    /// Something is wrong that belongs to no request.
    pub(crate) fn unasked(&self) {
        if matches!(self.stage.get(), Stage::Measuring | Stage::Finishing) {
            self.trouble(Trouble::Unasked);
        }
    }

    fn result(&self, now: Instant, sent: Sent, failure: Option<Trouble>) {
        if let Some(trouble) = failure {
            return self.failed(now, sent, trouble);
        }
        if !self.counts(&sent) {
            return;
        }
        let mut tally = self.tally.borrow_mut();
        let since = |time| now.saturating_duration_since(time);
        tally.waited(since(sent.planned), since(sent.at));
        tally.answers += 1;
        if self.stage.get() == Stage::Measuring {
            tally.in_time += 1;
        }
        self.live.answers.fetch_add(1, Relaxed);
    }

    fn counts(&self, sent: &Sent) -> bool {
        let is_counting = matches!(self.stage.get(), Stage::Measuring | Stage::Finishing);
        is_counting && self.measured_from.get().is_some_and(|from| sent.planned >= from)
    }

    fn failed(&self, now: Instant, sent: Sent, trouble: Trouble) {
        if self.counts(&sent) {
            self.tally.borrow_mut().waited(
                now.saturating_duration_since(sent.planned),
                now.saturating_duration_since(sent.at),
            );
            self.trouble(trouble);
        }
    }

    fn trouble(&self, trouble: Trouble) {
        self.tally.borrow_mut().trouble(trouble);
        self.live.troubles.fetch_add(1, Relaxed);
    }
}
