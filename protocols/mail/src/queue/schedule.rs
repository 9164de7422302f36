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
//! waiting. A destination that could not be reached is down: its line sends nothing until a time, then one parcel as a probe, and the
//! rest only when the probe has reached it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
    time::Instant,
};

use super::MessageId;

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
    /// Lines that have something ready and may send.
    turns: VecDeque<Destination>,
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
    Ready,
    Active,
    Held,
}

#[derive(Debug, Default)]
struct Line {
    ready: VecDeque<Parcel>,
    active: usize,
    /// How many attempts in a row have not reached it.
    failures: u32,
    down_until: Option<Instant>,
    has_turn: bool,
    /// Parcels in any state. What is known of a destination is forgotten with the last.
    parcels: usize,
}

impl Line {
    fn may_send(&self, max: usize, now: Instant) -> bool {
        match self.down_until {
            Some(until) => until <= now && self.active == 0,
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
            turns: VecDeque::new(),
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
                State::Ready => {}
                State::Waiting(..) | State::Held => {
                    self.take_out(&parcel);
                    self.wait(parcel, now);
                }
            }
        }
    }

    /// Lets all destinations be tried that are down.
    pub(crate) fn forget_failures(&mut self) {
        for line in self.lines.values_mut() {
            (line.failures, line.down_until) = (0, None);
        }
        self.turn_all();
    }

    /// The next parcel to try. It is active until [`done`](Self::done).
    pub(crate) fn next(&mut self, now: Instant) -> Option<Parcel> {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let parcel = entry.remove();
            self.make_ready(parcel);
        }
        if self.active >= self.active_max {
            return None;
        }
        for _ in 0..self.turns.len() {
            let destination = self.turns.pop_front()?;
            let Some(line) = self.lines.get_mut(&destination) else { continue };
            line.has_turn = false;
            if !line.may_send(self.active_max_each, now) {
                // One that is down is asked again; one that is full, when it has room.
                if line.down_until.is_some() && line.active == 0 && !line.ready.is_empty() {
                    line.has_turn = true;
                    self.turns.push_back(destination);
                }
                continue;
            }
            let Some(parcel) = line.ready.pop_front() else { continue };
            line.active += 1;
            if !line.ready.is_empty() {
                line.has_turn = true;
                self.turns.push_back(destination);
            }
            self.active += 1;
            if let Some(place) = self.parcels.get_mut(&parcel) {
                place.state = State::Active;
            }
            return Some(parcel);
        }
        None
    }

    /// An attempt has ended, and the parcel is due again at a time, or done with. `reached` says whether the destination has answered at
    /// all; `None` if that is not known. One that was not reached is not tried before `down_until`, which is given how often in a row.
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
        if let Some(line) = self.lines.get_mut(&destination) {
            line.active -= 1;
            match reached {
                Some(true) => (line.failures, line.down_until) = (0, None),
                Some(false) => {
                    line.failures = line.failures.saturating_add(1);
                    let until = down_until(line.failures);
                    line.down_until = Some(line.down_until.map_or(until, |old| old.max(until)));
                }
                None => {}
            }
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
        let down = self.turns.iter().filter_map(|name| self.lines.get(name)?.down_until);
        due.into_iter().chain(down.filter(|until| *until > now)).min()
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
        place.state = State::Ready;
        let destination = Rc::clone(&place.destination);
        if let Some(line) = self.lines.get_mut(&destination) {
            line.ready.push_back(parcel);
        }
        self.turn(&destination);
    }

    /// Takes a parcel that is not active out of its place, and holds it.
    fn take_out(&mut self, parcel: &Parcel) {
        let Some(place) = self.parcels.get_mut(parcel) else { return };
        match place.state {
            State::Waiting(due, serial) => drop(self.due.remove(&(due, serial))),
            State::Ready => {
                if let Some(line) = self.lines.get_mut(&place.destination) {
                    line.ready.retain(|ready| ready != parcel);
                }
            }
            State::Active => return,
            State::Held => {}
        }
        place.state = State::Held;
    }

    /// Gives a line its turn, if it has something to send.
    fn turn(&mut self, destination: &Destination) {
        if let Some(line) = self.lines.get_mut(destination)
            && !line.ready.is_empty()
            && !line.has_turn
        {
            line.has_turn = true;
            self.turns.push_back(Rc::clone(destination));
        }
    }

    fn turn_all(&mut self) {
        let names: Vec<_> = self.lines.keys().cloned().collect();
        names.iter().for_each(|name| self.turn(name));
    }

    /// Forgets a parcel that is in no list any more.
    fn forget(&mut self, parcel: &Parcel) {
        let Some(Place { destination, .. }) = self.parcels.remove(parcel) else { return };
        if let Some(line) = self.lines.get_mut(&destination) {
            line.parcels -= 1;
            if line.parcels == 0 {
                self.lines.remove(&destination);
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
            schedule
                .done(&parcel(&format!("a{number}"), 0), None, Some(false), |_| now + seconds(60));
        }
        assert_eq!(all(&mut schedule, now), [""; 0]);
        assert_eq!(schedule.wakeup(now), Some(now + seconds(60)));
        assert_eq!(schedule.down().map(|down| down.1).collect::<Vec<_>>(), [5]);
        let later = now + seconds(60);
        assert_eq!(all(&mut schedule, later), ["a5"], "the probe");
        schedule.done(&parcel("a5", 0), None, Some(false), |_| later + seconds(60));
        assert_eq!(all(&mut schedule, later), [""; 0]);
        let later = later + seconds(60);
        assert_eq!(all(&mut schedule, later), ["a6"]);
        schedule.done(&parcel("a6", 0), None, Some(true), |_| later);
        assert_eq!(all(&mut schedule, later).len(), 5, "it is back");
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
                prop_assert!(active.len() <= 5 && schedule.active() == active.len());
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
}
