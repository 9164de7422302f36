//! What is tried when, and how much of it at once: [`Schedule`]. Pure: time is an argument, and nothing is sent from here.
//!
//! The unit is a [`Parcel`]: the recipients of one message at one destination. A parcel is
//!
//! | state | until | then |
//! |---|---|---|
//! | waiting | it is due | ready |
//! | ready, in the line of its destination | the line may send, and its turn has come | active |
//! | active | the attempt has ended | waiting again, or gone |
//! | held | it is released | waiting |
//!
//! Lines that have something ready and may send take turns, so that a destination with a thousand messages does not keep the others
//! waiting. A destination that could not be reached is down: its line rests until a time, then sends one parcel as a probe, and the rest
//! only when the probe has reached it. Attempts that were on their way when it went down do not count as further failures.
//!
//! Destinations that keep an attempt for long have places of their own, see `slowness.rs`: any number of them leaves those of the others
//! free. One that is stuck has one attempt at a time, so that it does not take the places of others that are.
//!
//! Every step takes time that grows with the logarithm of what is scheduled, not with its number.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    rc::Rc,
    time::Instant,
};

use super::{
    MessageId,
    slowness::{Pace, Slowness},
};

/// Where a parcel goes: what is limited together, and backed off together.
pub(crate) type Destination = Rc<str>;

/// The recipients of one message at one destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Parcel {
    pub(crate) message: MessageId,
    /// Which of the parcels of the message.
    pub(crate) number: u32,
}

#[derive(Debug)]
pub(crate) struct Schedule {
    active_max: usize,
    active_max_each: usize,
    active: usize,
    parcels: BTreeMap<Parcel, Place>,
    due: BTreeMap<(Instant, u64), Parcel>,
    lines: HashMap<Destination, Line>,
    slowness: Slowness<Parcel>,
    /// Lines that have something ready and may send.
    turns: VecDeque<Destination>,
    /// Those of them where attempts are slow, and where they are stuck.
    slow_turns: VecDeque<Destination>,
    stuck_turns: VecDeque<Destination>,
    /// Lines that have something ready, and are down until a time.
    resting: BTreeSet<(Instant, Destination)>,
    serial: u64,
}

#[derive(Debug)]
struct Place {
    destination: Destination,
    state: State,
    /// It was asked to be tried at once while it was active.
    again: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting(Instant, u64),
    /// With its place in the line.
    Ready(u64),
    Active,
    Held,
}

#[derive(Debug, Default)]
struct Line {
    ready: BTreeMap<u64, Parcel>,
    active: usize,
    /// How many attempts in a row have not reached it, of those that were made one after the other.
    failures: u32,
    down_until: Option<Instant>,
    /// What is active is a probe.
    is_probed: bool,
    has_turn: bool,
    /// That of the last attempt.
    pace: Pace,
    /// Until when it rests.
    rests: Option<Instant>,
    /// Parcels in any state. What is known of a destination is forgotten with the last.
    parcels: usize,
}

impl Line {
    fn may_send(&self, max: usize, now: Instant) -> bool {
        match self.down_until {
            Some(until) => until <= now && self.active == 0,
            None if self.pace == Pace::Stuck => self.active == 0,
            None => self.active < max,
        }
    }
}

impl Schedule {
    pub(crate) fn new(active_max: usize, active_max_each: usize) -> Self {
        Self {
            active_max: active_max.max(1),
            active_max_each: active_max_each.max(1),
            active: 0,
            parcels: BTreeMap::new(),
            due: BTreeMap::new(),
            lines: HashMap::new(),
            slowness: Slowness::new(active_max),
            turns: VecDeque::new(),
            slow_turns: VecDeque::new(),
            stuck_turns: VecDeque::new(),
            resting: BTreeSet::new(),
            serial: 0,
        }
    }

    /// Adds a parcel that is due at this time.
    pub(crate) fn add(&mut self, parcel: Parcel, destination: Destination, due: Instant) {
        self.add_held(parcel.clone(), destination);
        self.wait(parcel, due);
    }

    /// Adds a parcel that is held.
    pub(crate) fn add_held(&mut self, parcel: Parcel, destination: Destination) {
        self.lines.entry(Rc::clone(&destination)).or_default().parcels += 1;
        self.parcels.insert(parcel, Place { destination, state: State::Held, again: false });
    }

    /// Forgets all parcels of a message. Those that are active count until they have ended.
    pub(crate) fn remove(&mut self, message: &MessageId) {
        for parcel in self.of_message(message) {
            self.take_out(&parcel);
            if self.parcels.get(&parcel).is_some_and(|place| place.state != State::Active) {
                self.forget(&parcel);
            }
        }
    }

    /// Takes a parcel out, unless it is active. Returns whether it is.
    pub(crate) fn withdraw(&mut self, parcel: &Parcel) -> bool {
        if self.parcels.get(parcel).is_none_or(|place| place.state == State::Active) {
            return false;
        }
        self.take_out(parcel);
        self.forget(parcel);
        true
    }

    /// Holds all parcels of a message that are not active.
    pub(crate) fn hold(&mut self, message: &MessageId) {
        for parcel in self.of_message(message) {
            self.take_out(&parcel);
        }
    }

    /// Makes all parcels of a message due at this time, held ones too. One that is active follows when its attempt has ended, even if it
    /// would have to wait.
    pub(crate) fn hurry(&mut self, message: &MessageId, now: Instant) {
        for parcel in self.of_message(message) {
            let Some(place) = self.parcels.get_mut(&parcel) else { continue };
            match place.state {
                State::Active => place.again = true,
                State::Ready(_) => {}
                State::Waiting(..) | State::Held => {
                    self.take_out(&parcel);
                    self.wait(parcel, now);
                }
            }
        }
    }

    /// Lets all destinations be tried that are down.
    pub(crate) fn forget_failures(&mut self) {
        let down = self.lines.iter().filter(|(_, line)| line.down_until.is_some());
        for name in down.map(|(name, _)| Rc::clone(name)).collect::<Vec<_>>() {
            if let Some(line) = self.lines.get_mut(&name) {
                (line.failures, line.down_until) = (0, None);
            }
            self.turn(&name);
        }
    }

    /// The next parcel to try. It is active until [`done`](Self::done).
    pub(crate) fn next(&mut self, now: Instant) -> Option<Parcel> {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let parcel = entry.remove();
            self.make_ready(parcel);
        }
        while let Some((_, name)) = self.resting.first().filter(|(until, _)| *until <= now) {
            let name = Rc::clone(name);
            self.stop_resting(&name);
            self.turn(&name);
        }
        self.slowness.age(now);
        while let Some(destination) = self.next_turn() {
            let Some(pace) = self.lines.get(&destination).map(|line| line.pace) else { continue };
            if !self.has_room(pace) {
                // It has ended an attempt since its turn was noted.
                self.turns_of(pace).push_back(destination);
                continue;
            }
            let Some(line) = self.lines.get_mut(&destination) else { continue };
            line.has_turn = false;
            if !line.may_send(self.active_max_each, now) {
                // One that is full has its turn when it has room.
                if let Some(until) = line.down_until.filter(|until| *until > now) {
                    line.rests = Some(until);
                    self.resting.insert((until, destination));
                }
                continue;
            }
            let Some((_, parcel)) = line.ready.pop_first() else { continue };
            line.active += 1;
            line.is_probed = line.down_until.is_some();
            self.turn(&destination);
            self.active += 1;
            self.slowness.begin(parcel.clone(), now, pace);
            if let Some(place) = self.parcels.get_mut(&parcel) {
                place.state = State::Active;
            }
            return Some(parcel);
        }
        None
    }

    /// Whether the places are taken that are not for slow attempts.
    fn is_full(&self) -> bool {
        self.active - self.slowness.beside() >= self.active_max
    }

    /// Whether there is a place for an attempt of this pace.
    fn has_room(&self, pace: Pace) -> bool {
        let is_full = self.is_full();
        match pace {
            Pace::Fast => !is_full,
            Pace::Slow => self.slowness.has_room(pace) || (self.slowness.has_reserve() && !is_full),
            Pace::Stuck => self.slowness.has_room(pace),
        }
    }

    /// The lines of this pace whose turns come.
    fn turns_of(&mut self, pace: Pace) -> &mut VecDeque<Destination> {
        match pace {
            Pace::Fast => &mut self.turns,
            Pace::Slow => &mut self.slow_turns,
            Pace::Stuck => &mut self.stuck_turns,
        }
    }

    /// The line whose turn it is, if there is a place.
    fn next_turn(&mut self) -> Option<Destination> {
        [Pace::Slow, Pace::Stuck, Pace::Fast]
            .into_iter()
            .find_map(|pace| self.has_room(pace).then(|| self.turns_of(pace).pop_front())?)
    }

    /// It is this time: which attempts are slow is told by it.
    pub(crate) fn age(&mut self, now: Instant) {
        self.slowness.age(now);
    }

    /// An attempt has ended, and the parcel is due again at a time, or done with. `reached` says whether the destination has answered at
    /// all; `None` if that is not known. Its time is what [`age`](Self::age) was told last. One that was not reached is not tried before `down_until`, which is given how often in a row.
    pub(crate) fn done(
        &mut self,
        parcel: &Parcel,
        due: Option<Instant>,
        reached: Option<bool>,
        down_until: impl FnOnce(u32) -> Instant,
    ) {
        let Some(place) = self.parcels.get_mut(parcel) else { return };
        place.again = false;
        let destination = Rc::clone(&place.destination);
        self.active -= 1;
        let pace = self.slowness.end(parcel);
        let pace = if self.slowness.has_places() { pace } else { Pace::Fast };
        if let Some(line) = self.lines.get_mut(&destination) {
            line.active -= 1;
            line.pace = pace;
            match reached {
                Some(true) => (line.failures, line.down_until) = (0, None),
                // Others were on their way when it went down.
                Some(false) if line.down_until.is_some() && !line.is_probed => {}
                Some(false) => {
                    line.failures = line.failures.saturating_add(1);
                    line.down_until = Some(down_until(line.failures));
                }
                None => {}
            }
            line.is_probed &= line.active > 0;
        }
        match due {
            Some(due) => self.wait(parcel.clone(), due),
            None => self.forget(parcel),
        }
        self.turn(&destination);
    }

    /// Whether a parcel that is active was asked to be tried again at once.
    pub(crate) fn is_hurried(&self, parcel: &Parcel) -> bool {
        self.parcels.get(parcel).is_some_and(|place| place.again)
    }

    /// When [`next`](Self::next) may have something that it has not now, if nothing else happens.
    pub(crate) fn wakeup(&self, now: Instant) -> Option<Instant> {
        let due = self.due.first_key_value().map(|((at, _), _)| *at);
        let resting = self.resting.first().map(|(until, _)| *until).filter(|until| *until > now);
        let fast = self.slowness.room_for_fast().filter(|_| !self.turns.is_empty());
        let slow = self.slowness.room_for_slow().filter(|_| !self.slow_turns.is_empty());
        due.into_iter().chain(resting).chain(fast).chain(slow).min()
    }

    pub(crate) fn active(&self) -> usize {
        self.active
    }

    /// Until when a destination is not tried, and how often in a row it was not reached.
    pub(crate) fn down(&self) -> impl Iterator<Item = (&str, u32, Instant)> {
        self.lines
            .iter()
            .filter_map(|(name, line)| Some((&**name, line.failures, line.down_until?)))
    }

    fn of_message(&self, message: &MessageId) -> Vec<Parcel> {
        let first = Parcel { message: message.clone(), number: 0 };
        let range = self.parcels.range(first..).map(|(parcel, _)| parcel);
        range.take_while(|parcel| parcel.message == *message).cloned().collect()
    }

    fn wait(&mut self, parcel: Parcel, due: Instant) {
        self.serial += 1;
        if let Some(place) = self.parcels.get_mut(&parcel) {
            place.state = State::Waiting(due, self.serial);
            self.due.insert((due, self.serial), parcel);
        }
    }

    fn make_ready(&mut self, parcel: Parcel) {
        let Some(place) = self.parcels.get_mut(&parcel) else { return };
        self.serial += 1;
        place.state = State::Ready(self.serial);
        let destination = Rc::clone(&place.destination);
        if let Some(line) = self.lines.get_mut(&destination) {
            line.ready.insert(self.serial, parcel);
        }
        self.turn(&destination);
    }

    /// Takes a parcel that is not active out of its place, and holds it.
    fn take_out(&mut self, parcel: &Parcel) {
        let Some(place) = self.parcels.get_mut(parcel) else { return };
        match place.state {
            State::Waiting(due, serial) => drop(self.due.remove(&(due, serial))),
            State::Ready(serial) => {
                if let Some(line) = self.lines.get_mut(&place.destination) {
                    line.ready.remove(&serial);
                }
            }
            State::Active => return,
            State::Held => {}
        }
        place.state = State::Held;
    }

    /// Gives a line its turn, if it has something to send. One that rests has it later, unless it is not down any more.
    fn turn(&mut self, destination: &Destination) {
        let Some(line) = self.lines.get_mut(destination) else { return };
        if line.ready.is_empty() || line.has_turn {
            return;
        }
        if line.rests.is_some() && line.rests == line.down_until {
            return;
        }
        line.has_turn = true;
        let pace = line.pace;
        self.turns_of(pace).push_back(Rc::clone(destination));
        self.stop_resting(destination);
    }

    fn stop_resting(&mut self, destination: &Destination) {
        let rests = self.lines.get_mut(destination).and_then(|line| line.rests.take());
        if let Some(until) = rests {
            self.resting.remove(&(until, Rc::clone(destination)));
        }
    }

    /// Forgets a parcel that is in no list any more.
    fn forget(&mut self, parcel: &Parcel) {
        let Some(Place { destination, .. }) = self.parcels.remove(parcel) else { return };
        if let Some(line) = self.lines.get_mut(&destination) {
            line.parcels -= 1;
            if line.parcels == 0 {
                self.stop_resting(&destination);
                self.lines.remove(&destination);
            }
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
