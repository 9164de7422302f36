//! What happens to the connections of a replay, and when: [`Playback`].
//!
//! A recording holds what came from outside (input) and what came of time (timers), in one order. A replay has to keep this
//! order, for an answer that came just before its timeout is another story than one that came just after; but timers run by
//! themselves, and on a machine they run late. This is how late is replayed:
//!
//! - In a turn of the loop, timers run first, by the time at the start of the turn. Then it polls, time passes, and input is
//!   delivered. So the clock is moved and input is fed in the flush, between the two: a timer that falls due in between runs
//!   in the next turn, after the input, as it did when it was recorded.
//! - A connection's timer that is due, and of which the recording says nothing before its next record, was late; if by no
//!   more than [`LATENESS_MAX`], the clock is held just before it until that record's time.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use sinew_reactor::{Driver, Handler, Reactor, Ready, Registration};

use super::{Record, Recording, ReplayError, TICK, Tapped, What};
use crate::{
    Connection, ConnectionLost, Factory, Peer, Protocol, StreamConfig, Transport,
    buffers::READ_BUFFER,
    memory::{self, Wire},
    testing::seed,
};

/// How late a timer may have run.
const LATENESS_MAX: Duration = Duration::from_secs(1);

/// Turns without any progress.
const TURNS_PER_MOMENT_MAX: usize = 100_000;

/// How much more than was recorded a connection may send before the system takes no more.
const SENT_SPARE: usize = 256 * 1024;

/// What is played, and how far it has come.
pub(super) struct Playback<F: Factory> {
    reactor: Reactor,
    driver: Driver,
    /// When the reactor was made.
    origin: Instant,
    baton: Registration,
    factory: RefCell<F>,
    config: StreamConfig,
    /// The records that something is done about.
    records: Vec<Record>,
    position: Cell<usize>,
    end: Duration,
    /// Up to when input may be fed in this turn.
    allowed: Cell<Duration>,
    /// How much each connection sent.
    sent: BTreeMap<u32, usize>,
    live: RefCell<BTreeMap<u32, Live<F::Protocol>>>,
    seen: Recording,
    /// How many records of `seen` have been looked at.
    looked: Cell<usize>,
    /// Timers that have been told, and not yet found in the playback.
    told: RefCell<BTreeMap<u32, usize>>,
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
    /// The connection, or whole buffers: more will be read at once.
    Begun,
    /// Less than a buffer, which is read alone.
    Data,
    All,
}

/// Hands the turn of the loop to the playback. It does not keep it alive.
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
        let driver = reactor.take_over().expect("nobody else has seen this reactor");
        let seen = Recording::new().bytes_max(usize::MAX);
        let origin = reactor.now();
        seen.0.began.set(Some(origin));
        let mut sent = BTreeMap::new();
        for record in recorded {
            if let What::Sent(data) = &record.what {
                *sent.entry(record.connection).or_default() += data.len();
            }
        }
        Rc::new_cyclic(|playback: &Weak<Self>| Self {
            baton: reactor
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
            looked: Cell::new(0),
            told: RefCell::default(),
        })
    }

    /// Plays it to the end. What was seen meanwhile.
    pub(super) fn play(&self) -> Result<Recording, ReplayError> {
        let is_serving = self
            .records
            .iter()
            .any(|record| matches!(record.what, What::Made { by_peer: true, .. }));
        if is_serving {
            self.factory.borrow_mut().started();
        }
        self.play_records()?;
        let seen = Recording::new().bytes_max(usize::MAX);
        seen.0.records.replace(self.seen.0.records.borrow().clone());
        // Those who are still there are told the end, as at every stop of a reactor. It is not part of what was recorded.
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
        let mut come = (self.position.get(), self.driver.age());
        loop {
            let goes_on = match self.next() {
                Some(next) => {
                    self.step(next)?;
                    true
                }
                None => self.step_to_end()?,
            };
            if !goes_on {
                return Ok(());
            }
            let now = (self.position.get(), self.driver.age());
            turns = if now == come { turns + 1 } else { 0 };
            come = now;
            if turns > TURNS_PER_MOMENT_MAX {
                return Err(ReplayError::NeverRests { at: self.driver.age() });
            }
        }
    }

    fn next(&self) -> Option<&Record> {
        self.records.get(self.position.get())
    }

    /// One step on the way to a record.
    fn step(&self, next: &Record) -> Result<(), ReplayError> {
        let at = next.at.max(self.driver.age());
        if self.step_before(at)? {
            return Ok(());
        }
        if !next.what.is_of_time() {
            return self.turn(at);
        }
        match self.next_callback_due().filter(|due| *due <= at.saturating_add(TICK)) {
            Some(due) => {
                self.driver.pass_to(at.max(due));
                self.turn(at)
            }
            None => {
                // There is no such timer any more. The comparison will tell.
                self.position.set(self.position.get() + 1);
                Ok(())
            }
        }
    }

    /// One step on the way to the end of the recording. `false` if it is reached, and nothing is left to do.
    fn step_to_end(&self) -> Result<bool, ReplayError> {
        let end = self.end.max(self.driver.age());
        if self.step_before(end)? {
            return Ok(true);
        }
        self.driver.pass_to(end);
        let is_left = self.reactor.next_wakeup() == Some(Duration::ZERO);
        if is_left {
            self.turn(end)?;
        }
        Ok(is_left)
    }

    /// Does what comes next by itself, if that is before `at` and no timer that has to wait for what happens at `at`.
    fn step_before(&self, at: Duration) -> Result<bool, ReplayError> {
        let Some(wait) = self.reactor.next_wakeup() else { return Ok(false) };
        let wakeup = self.driver.age().saturating_add(wait);
        if wakeup > at {
            return Ok(false);
        }
        let late = self.next_callback_due().filter(|due| is_late(*due, at));
        let is_before = late.map_or(wakeup <= at, |late| wakeup < late);
        if is_before {
            self.driver.pass_to(wakeup);
            self.turn(wakeup)?;
        }
        Ok(is_before)
    }

    fn turn(&self, allowed: Duration) -> Result<(), ReplayError> {
        self.allowed.set(allowed);
        if let Some(token) = self.baton.token() {
            self.reactor.flush_later(token);
        }
        self.reactor.turn(Some(Duration::ZERO))?;
        self.look();
        Ok(())
    }

    /// When the next timer of a connection will be told.
    fn next_callback_due(&self) -> Option<Duration> {
        let live = self.live.borrow();
        let due = live.values().filter_map(|live| {
            live.connection.transport().inner().next_callback_due(&self.reactor)
        });
        Some(due.min()?.saturating_duration_since(self.origin))
    }

    /// Looks at what has been seen, and finds the timers among it in the playback.
    fn look(&self) {
        let seen = self.seen.0.records.borrow();
        let news = &seen[self.looked.replace(seen.len())..];
        let mut told = self.told.borrow_mut();
        for record in news.iter().filter(|record| record.what.is_of_time()) {
            *told.entry(record.connection).or_default() += 1;
        }
        let lost = news.iter().filter(|record| matches!(record.what, What::Lost(_)));
        let lost: Vec<_> =
            lost.filter_map(|record| self.live.borrow_mut().remove(&record.connection)).collect();
        // The recording is not borrowed while they are dropped.
        drop(seen);
        drop(lost);
        while let Some(next) = self.next().filter(|next| next.what.is_of_time()) {
            match told.get_mut(&next.connection) {
                Some(told) if *told > 0 => *told -= 1,
                _ => break,
            }
            self.position.set(self.position.get() + 1);
        }
    }

    // ---- in the flush of a turn ----

    /// Feeds what is to come in this turn.
    fn feed(&self) {
        self.look();
        let mut fed = BTreeMap::<u32, FeedStatus>::new();
        while let Some(next) = self.next() {
            let now = self.driver.age();
            let is_due = next.at <= now.max(self.allowed.get())
                || self.next_callback_due().is_some_and(|due| due <= now && is_late(due, next.at));
            let fed = fed.entry(next.connection).or_default();
            if next.what.is_of_time() || !is_due || !fed.may_add(&next.what) {
                return;
            }
            self.driver.pass_to(next.at);
            self.position.set(self.position.get() + 1);
            self.happen(next);
        }
    }

    fn happen(&self, record: &Record) {
        if let What::Made { peer, local, .. } = &record.what {
            return self.make(record.connection, peer, *local);
        }
        let live = self.live.borrow();
        let Some(Live { connection, wire }) = live.get(&record.connection) else { return };
        let transport = connection.transport();
        match &record.what {
            What::Received(data) | What::Discarded(data) => wire.receive_if_open(data),
            What::ReadClosed | What::EndDiscarded => {
                wire.close_if_open();
            }
            // The system took something: the connection was not idle.
            What::Sent(_) => transport.reset_idle_timer_sent(&self.reactor),
            // What comes after that, comes all the same.
            What::Failed(why) if self.is_input_left(record.connection) => {
                transport.output_failed(&self.reactor, failure(why));
            }
            What::Failed(why) => transport.input_failed(&self.reactor, failure(why)),
            What::Lost(why) => self.lose(transport, why),
            What::DrainRequested => {
                connection.call(|protocol, transport| protocol.drain_requested(transport));
            }
            _ => {}
        }
    }

    /// Whether something is still to come for a connection.
    fn is_input_left(&self, connection: u32) -> bool {
        self.records[self.position.get()..].iter().any(|record| {
            let is_input =
                matches!(record.what, What::Received(_) | What::Discarded(_) | What::EndDiscarded);
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

    /// An end that came neither from the peer nor from the protocol.
    fn lose(&self, transport: &Transport, why: &str) {
        let shutdown = ConnectionLost::Shutdown;
        let reason = match why {
            why if why == shutdown.to_string() => shutdown,
            why => ConnectionLost::Io(io::Error::other(why.to_owned())),
        };
        transport.lose(&self.reactor, reason);
    }
}

impl FeedStatus {
    /// Whether this may be fed, too. If so, it counts as fed.
    fn may_add(&mut self, what: &What) -> bool {
        let (before, after) = match what {
            What::Made { .. } => (Self::All, Self::Begun),
            What::Received(data) | What::Discarded(data) => match data.len() % READ_BUFFER {
                0 => (Self::Begun, Self::Begun),
                _ => (Self::Begun, Self::Data),
            },
            What::ReadClosed | What::EndDiscarded => (Self::Data, Self::All),
            What::Sent(_) => return true,
            _ => (Self::Nothing, Self::All),
        };
        let may = *self <= before;
        if may {
            *self = after;
        }
        may
    }
}

/// Whether a timer that was due then may have run only after something that happened at `at`.
fn is_late(due: Duration, at: Duration) -> bool {
    at.checked_sub(due).is_some_and(|late| late <= LATENESS_MAX)
}

/// The records that something is done about: what comes from outside, and what time brings. The rest is the protocol's doing.
fn played(recorded: &[Record]) -> Vec<Record> {
    let (mut stalled, mut failed) = (BTreeMap::new(), BTreeSet::new());
    let mut is_played = |record: &Record| match &record.what {
        What::Made { .. }
        | What::Received(_)
        | What::Discarded(_)
        | What::ReadClosed
        | What::EndDiscarded
        | What::TimerFired
        | What::IdleTimeout
        | What::DrainRequested => true,
        What::Sent(_) => {
            stalled.insert(record.connection, false);
            true
        }
        What::Failed(_) => {
            stalled.insert(record.connection, false);
            failed.insert(record.connection);
            true
        }
        What::Blocked => {
            stalled.insert(record.connection, true);
            false
        }
        What::Lost(why) => {
            let is_stalled = stalled.get(&record.connection) == Some(&true);
            *why == ConnectionLost::Shutdown.to_string()
                || (is_stalled && is_of_stalling(why))
                || failed.contains(&record.connection)
        }
        _ => false,
    };
    recorded.iter().filter(|record| is_played(record)).cloned().collect()
}

/// Whether a connection was lost because the system took too little. In a replay it takes all.
fn is_of_stalling(why: &str) -> bool {
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
