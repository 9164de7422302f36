//! Playback of a recording: [`Playback`] feeds recorded input and timing to the connections of a replay.
//!
//! A recording holds external input and timer callbacks in one order. A replay has to preserve that order: an answer
//! just before its timeout differs from one just after. But timers fire by themselves, and on a real machine they
//! fire late. Lateness is replayed as follows:
//!
//! - In a turn of the event loop, timers fire first, by the time at the start of the turn. Then the loop polls, time
//!   passes, and input is delivered. So playback advances the clock and feeds input in the flush phase, between the
//!   two: a timer that becomes due in between fires in the next turn, after the input, as it did when it was
//!   recorded.
//! - If a timer of a connection is due, but the recording has no such callback before the next record, it was late.
//!   If it was late by at most [`LATENESS_MAX`], the clock is held just before it until the time of that record.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use sinew_reactor::{Driver, Handler, Reactor, Ready, Registration};

use super::{Record, RecordKind, Recording, ReplayError, TICK, Tapped};
use crate::testing::seed;
use sinew_transports::{
    Connection, ConnectionLost, Factory, Peer, Protocol, StreamConfig,
    memory::{self, Wire},
    net::READ_BUFFER,
};

/// Maximum lateness of a timer.
const LATENESS_MAX: Duration = Duration::from_secs(1);

/// Maximum turns without progress.
const TURNS_PER_MOMENT_MAX: usize = 100_000;

/// Bytes that a connection may send beyond the recorded output before writes block.
const SENT_SPARE: usize = 256 * 1024;

/// A running playback.
pub(super) struct Playback<F: Factory> {
    reactor: Reactor,
    driver: Driver,
    /// The time at which the reactor was created.
    origin: Instant,
    flush_handle: Registration,
    factory: RefCell<F>,
    config: StreamConfig,
    /// The records to be played.
    records: Vec<Record>,
    position: Cell<usize>,
    end: Duration,
    /// The time up to which input may be fed in this turn.
    allowed: Cell<Duration>,
    /// Number of bytes that each connection sent in the recording.
    sent: BTreeMap<u32, usize>,
    live: RefCell<BTreeMap<u32, Live<F::Protocol>>>,
    seen: Recording,
    /// Number of records of `seen` that have been examined.
    examined: Cell<usize>,
    /// Timer callbacks that have happened and are not matched with the recording yet.
    fired_timers: RefCell<BTreeMap<u32, usize>>,
}

struct Live<P: Protocol> {
    connection: Connection<Tapped<P>>,
    wire: Wire,
}

/// What has been fed to a connection in this turn.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum FeedStatus {
    #[default]
    Nothing,
    /// The connection, or whole read buffers: more can be read at once.
    Begun,
    /// Less than a read buffer, which must be read alone.
    Data,
    All,
}

/// Calls the playback in the flush phase of a turn. Holds only a weak reference.
struct PlaybackFlush<F: Factory>(Weak<Playback<F>>);

impl<F: Factory> Handler for PlaybackFlush<F> {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}

    fn flush(self: Rc<Self>, _: &Reactor) {
        if let Some(playback) = self.0.upgrade() {
            playback.feed();
        }
    }
}

impl<F: Factory> Playback<F> {
    pub(super) fn new(recorded: &[Record], config: StreamConfig, factory: F) -> Rc<Self> {
        let reactor = Reactor::simulated(seed().unwrap_or(0));
        let driver = reactor.take_over().expect("a new reactor has no driver yet");
        let seen = Recording::new().bytes_max(usize::MAX);
        let origin = reactor.now();
        seen.0.began.set(Some(origin));
        let mut sent = BTreeMap::new();
        for record in recorded {
            if let RecordKind::Sent(data) = &record.kind {
                *sent.entry(record.connection).or_default() += data.len();
            }
        }
        Rc::new_cyclic(|playback: &Weak<Self>| Self {
            flush_handle: reactor
                .register_unwatched(Rc::new(PlaybackFlush(playback.clone())))
                .expect("a new reactor has room for a handler"),
            reactor,
            driver,
            origin,
            factory: RefCell::new(factory),
            config,
            records: played(recorded),
            position: Cell::new(0),
            end: recorded.last().map_or(Duration::ZERO, |record| record.at),
            allowed: Cell::new(Duration::ZERO),
            sent,
            live: RefCell::default(),
            seen,
            examined: Cell::new(0),
            fired_timers: RefCell::default(),
        })
    }

    /// Plays the recording to the end. Returns the recording of the replay.
    pub(super) fn play(&self) -> Result<Recording, ReplayError> {
        let is_serving = self
            .records
            .iter()
            .any(|record| matches!(record.kind, RecordKind::Made { by_peer: true, .. }));
        if is_serving {
            self.factory.borrow_mut().started();
        }
        self.play_records()?;
        let seen = Recording::new().bytes_max(usize::MAX);
        seen.0.records.replace(self.seen.0.records.borrow().clone());
        // Connections that are still open are lost by the shutdown of the reactor, which is not part of the
        // comparison.
        if self.reactor.stop().is_ok() {
            self.driver.turn()?;
        }
        if is_serving {
            self.factory.borrow_mut().stopped();
        }
        Ok(seen)
    }

    fn play_records(&self) -> Result<(), ReplayError> {
        let mut turns = 0;
        let mut last_progress = (self.position.get(), self.driver.age());
        loop {
            let has_more = match self.next() {
                Some(next) => {
                    self.step(next)?;
                    true
                }
                None => self.step_to_end()?,
            };
            if !has_more {
                return Ok(());
            }
            let now = (self.position.get(), self.driver.age());
            turns = if now == last_progress { turns + 1 } else { 0 };
            last_progress = now;
            if turns > TURNS_PER_MOMENT_MAX {
                return Err(ReplayError::NeverIdle { at: self.driver.age() });
            }
        }
    }

    fn next(&self) -> Option<&Record> {
        self.records.get(self.position.get())
    }

    /// One step towards the record `next`.
    fn step(&self, next: &Record) -> Result<(), ReplayError> {
        let at = next.at.max(self.driver.age());
        if self.step_before(at)? {
            return Ok(());
        }
        if !next.kind.is_timer() {
            return self.turn(at);
        }
        match self.next_timer_callback().filter(|due| *due <= at.saturating_add(TICK)) {
            Some(due) => {
                self.driver.advance_clock_to(at.max(due));
                self.turn(at)
            }
            None => {
                // There is no such timer any more; the comparison will report it.
                self.position.set(self.position.get() + 1);
                Ok(())
            }
        }
    }

    /// One step towards the end of the recording. `false` if it is reached and no work is left.
    fn step_to_end(&self) -> Result<bool, ReplayError> {
        let end = self.end.max(self.driver.age());
        if self.step_before(end)? {
            return Ok(true);
        }
        self.driver.advance_clock_to(end);
        let is_left = self.reactor.next_wakeup() == Some(Duration::ZERO);
        if is_left {
            self.turn(end)?;
        }
        Ok(is_left)
    }

    /// Runs the next wakeup if it is before `at`, unless it is a late timer that must wait for the record at `at`.
    fn step_before(&self, at: Duration) -> Result<bool, ReplayError> {
        let Some(wait) = self.reactor.next_wakeup() else { return Ok(false) };
        let wakeup = self.driver.age().saturating_add(wait);
        if wakeup > at {
            return Ok(false);
        }
        let late = self.next_timer_callback().filter(|due| is_late(*due, at));
        let is_before = late.map_or(wakeup <= at, |late| wakeup < late);
        if is_before {
            self.driver.advance_clock_to(wakeup);
            self.turn(wakeup)?;
        }
        Ok(is_before)
    }

    fn turn(&self, allowed: Duration) -> Result<(), ReplayError> {
        self.allowed.set(allowed);
        if let Some(token) = self.flush_handle.token() {
            self.reactor.flush_later(token);
        }
        self.reactor.turn(Some(Duration::ZERO))?;
        self.examine_seen();
        Ok(())
    }

    /// When the next timer callback of a connection is due.
    fn next_timer_callback(&self) -> Option<Duration> {
        let live = self.live.borrow();
        let due = live.values().filter_map(|live| live.wire.next_timer());
        Some(due.min()?.saturating_duration_since(self.origin))
    }

    /// Examines new records of the replay, and matches timer callbacks with the recording.
    fn examine_seen(&self) {
        let seen = self.seen.0.records.borrow();
        let news = &seen[self.examined.replace(seen.len())..];
        let mut fired_timers = self.fired_timers.borrow_mut();
        for record in news.iter().filter(|record| record.kind.is_timer()) {
            *fired_timers.entry(record.connection).or_default() += 1;
        }
        let lost = news.iter().filter(|record| matches!(record.kind, RecordKind::Lost(_)));
        let lost: Vec<_> =
            lost.filter_map(|record| self.live.borrow_mut().remove(&record.connection)).collect();
        // The recording must not be borrowed while they are dropped.
        drop(seen);
        drop(lost);
        while let Some(next) = self.next().filter(|next| next.kind.is_timer()) {
            match fired_timers.get_mut(&next.connection) {
                Some(fired_timers) if *fired_timers > 0 => *fired_timers -= 1,
                _ => break,
            }
            self.position.set(self.position.get() + 1);
        }
    }

    // ---- in the flush phase ----

    /// Feeds the input of this turn.
    fn feed(&self) {
        self.examine_seen();
        let mut fed = BTreeMap::<u32, FeedStatus>::new();
        while let Some(next) = self.next() {
            let now = self.driver.age();
            let is_due = next.at <= now.max(self.allowed.get())
                || self
                    .next_timer_callback()
                    .is_some_and(|due| due <= now && is_late(due, next.at));
            let fed = fed.entry(next.connection).or_default();
            if next.kind.is_timer() || !is_due || !fed.try_add(&next.kind) {
                return;
            }
            self.driver.advance_clock_to(next.at);
            self.position.set(self.position.get() + 1);
            self.replay_record(next);
        }
    }

    fn replay_record(&self, record: &Record) {
        if let RecordKind::Made { peer, local, .. } = &record.kind {
            return self.make(record.connection, peer, *local);
        }
        let live = self.live.borrow();
        let Some(Live { connection, wire }) = live.get(&record.connection) else { return };
        match &record.kind {
            RecordKind::Received(data) | RecordKind::Discarded(data) => wire.receive_if_open(data),
            RecordKind::ReadClosed | RecordKind::EndDiscarded => {
                wire.close_if_open();
            }
            // The operating system accepted output, so the connection was not idle.
            RecordKind::Sent(_) => wire.note_output_taken(),
            // Input that was received after the failure is still delivered.
            RecordKind::Failed(why) if self.is_input_left(record.connection) => {
                wire.fail_output(failure(why));
            }
            RecordKind::Failed(why) => wire.fail_input(failure(why)),
            RecordKind::Lost(why) => Self::lose(wire, why),
            RecordKind::DrainRequested => {
                connection.call(|protocol, transport| protocol.drain_requested(transport));
            }
            _ => {}
        }
    }

    /// Whether there is more input for a connection.
    fn is_input_left(&self, connection: u32) -> bool {
        self.records[self.position.get()..].iter().any(|record| {
            let is_input = matches!(
                record.kind,
                RecordKind::Received(_) | RecordKind::Discarded(_) | RecordKind::EndDiscarded
            );
            record.connection == connection && is_input
        })
    }

    fn make(&self, number: u32, peer: &Peer, local: Option<SocketAddr>) {
        let what = || format!("the factory of a connection with {peer}");
        let build = || self.factory.borrow_mut().build_protocol(peer);
        let Ok(Some(protocol)) = self.reactor.guard(what, build) else { return };
        let protocol = Tapped::numbered(protocol, self.seen.clone(), number);
        let config = self.config.clone();
        let joined = memory::connect_as(&self.reactor, config, protocol, peer.clone(), local);
        if let Ok((connection, wire)) = joined {
            let sent = self.sent.get(&number).copied().unwrap_or(0);
            wire.set_capacity(sent.saturating_add(SENT_SPARE));
            wire.set_separate_directions();
            self.live.borrow_mut().insert(number, Live { connection, wire });
        }
    }

    /// An end that neither the peer nor the protocol caused.
    fn lose(wire: &Wire, why: &str) {
        let shutdown = ConnectionLost::Shutdown;
        let reason = match why {
            why if why == shutdown.to_string() => shutdown,
            why => ConnectionLost::Io(io::Error::other(why.to_owned())),
        };
        wire.lose(reason);
    }
}

impl FeedStatus {
    /// Whether this may be fed, too; if so, marks it as fed.
    fn try_add(&mut self, what: &RecordKind) -> bool {
        let (before, after) = match what {
            RecordKind::Made { .. } => (Self::All, Self::Begun),
            RecordKind::Received(data) | RecordKind::Discarded(data) => {
                match data.len() % READ_BUFFER {
                    0 => (Self::Begun, Self::Begun),
                    _ => (Self::Begun, Self::Data),
                }
            }
            RecordKind::ReadClosed | RecordKind::EndDiscarded => (Self::Data, Self::All),
            RecordKind::Sent(_) => return true,
            _ => (Self::Nothing, Self::All),
        };
        let may = *self <= before;
        if may {
            *self = after;
        }
        may
    }
}

/// Whether a timer due at `due` may have fired only after something that happened at `at`.
fn is_late(due: Duration, at: Duration) -> bool {
    at.checked_sub(due).is_some_and(|late| late <= LATENESS_MAX)
}

/// The records to be played: external input and timers. The others are caused by the protocol.
fn played(recorded: &[Record]) -> Vec<Record> {
    let (mut stalled, mut failed) = (BTreeMap::new(), BTreeSet::new());
    let mut is_played = |record: &Record| match &record.kind {
        RecordKind::Made { .. }
        | RecordKind::Received(_)
        | RecordKind::Discarded(_)
        | RecordKind::ReadClosed
        | RecordKind::EndDiscarded
        | RecordKind::TimerFired
        | RecordKind::IdleTimeout
        | RecordKind::DrainRequested => true,
        RecordKind::Sent(_) => {
            stalled.insert(record.connection, false);
            true
        }
        RecordKind::Failed(_) => {
            stalled.insert(record.connection, false);
            failed.insert(record.connection);
            true
        }
        RecordKind::Blocked => {
            stalled.insert(record.connection, true);
            false
        }
        RecordKind::Lost(why) => {
            let is_stalled = stalled.get(&record.connection) == Some(&true);
            *why == ConnectionLost::Shutdown.to_string()
                || (is_stalled && is_caused_by_stall(why))
                || failed.contains(&record.connection)
        }
        _ => false,
    };
    recorded.iter().filter(|record| is_played(record)).cloned().collect()
}

/// Whether a connection was lost because its writes stalled. In a replay all writes are accepted.
fn is_caused_by_stall(why: &str) -> bool {
    let limit = ConnectionLost::WriteLimit { limit: 0 }.to_string();
    let (before, behind) = limit.split_once('0').unwrap_or_default();
    why == ConnectionLost::TimedOut.to_string()
        || (why.starts_with(before) && why.ends_with(behind))
}

/// The failure that a protocol hears of in these words.
fn failure(why: &str) -> io::Error {
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::TimedOut];
    let kind = kinds
        .into_iter()
        .find(|kind| ConnectionLost::from(io::Error::from(*kind)).to_string() == why);
    kind.map_or_else(|| io::Error::other(why.to_owned()), io::Error::from)
}
