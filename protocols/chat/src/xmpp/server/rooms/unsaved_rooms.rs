//! Rooms that are not stored yet: [`UnsavedRooms`]. Each waits for itself: one that cannot be written holds up no other. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::RoomChange;
use crate::xmpp::codec::Jid;

/// Most rooms that are stored at once, each on a thread.
const SAVES_MAX: usize = 4;
/// After a failure; twice as long after each further one, up to the second.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct UnsavedRooms {
    rooms: BTreeMap<Jid, Unsaved>,
    /// Those that are stored next.
    next: VecDeque<Jid>,
    saving: usize,
}

#[derive(Debug, Default)]
struct Unsaved {
    /// The last change, unless that is just being stored.
    change: Option<RoomChange>,
    state: State,
    failures: u32,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Next,
    Saving,
    /// It has failed, and its time has not come.
    Waiting,
}

/// What has come of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Stored,
    /// At last, after failures.
    StoredAgain,
    /// How often, and when to try again.
    Failed {
        failures: u32,
        again: Duration,
    },
}

impl UnsavedRooms {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether nothing can be stored now.
    pub(super) fn is_idle(&self) -> bool {
        self.next.is_empty() && self.saving == 0
    }

    /// A room has changed.
    pub(super) fn changed(&mut self, room: Jid, change: RoomChange) {
        match self.rooms.get_mut(&room) {
            Some(unsaved) => unsaved.change = Some(change),
            None => {
                self.next.push_back(room.clone());
                self.rooms.insert(room, Unsaved { change: Some(change), ..Unsaved::default() });
            }
        }
    }

    /// What to store now; [`ended`](Self::ended) follows.
    pub(super) fn begin(&mut self) -> Option<(Jid, RoomChange)> {
        if self.saving >= SAVES_MAX {
            return None;
        }
        let room = self.next.pop_front()?;
        let unsaved = self.rooms.get_mut(&room)?;
        let change = unsaved.change.take()?;
        unsaved.state = State::Saving;
        self.saving += 1;
        Some((room, change))
    }

    /// A room was stored, or this change was not.
    pub(super) fn ended(&mut self, room: &Jid, failed: Option<RoomChange>) -> Attempt {
        self.saving = self.saving.saturating_sub(1);
        let Some(unsaved) = self.rooms.get_mut(room) else { return Attempt::Stored };
        let Some(failed) = failed else {
            let attempt =
                if unsaved.failures == 0 { Attempt::Stored } else { Attempt::StoredAgain };
            (unsaved.failures, unsaved.state) = (0, State::Next);
            match unsaved.change {
                Some(_) => self.next.push_back(room.clone()),
                None => drop(self.rooms.remove(room)),
            }
            return attempt;
        };
        // A later change counts, if there is one.
        unsaved.change.get_or_insert(failed);
        unsaved.state = State::Waiting;
        unsaved.failures = unsaved.failures.saturating_add(1);
        let doublings = (unsaved.failures - 1).min(16);
        let again = AGAIN_MIN.saturating_mul(1 << doublings).min(AGAIN_MAX);
        Attempt::Failed { failures: unsaved.failures, again }
    }

    /// The time of a room has come, if it still waits for the time after so many failures.
    pub(super) fn again(&mut self, room: &Jid, failures: u32) {
        if let Some(unsaved) = self.rooms.get_mut(room)
            && unsaved.state == State::Waiting
            && unsaved.failures == failures
        {
            unsaved.state = State::Next;
            self.next.push_back(room.clone());
        }
    }

    /// The time of all has come.
    pub(super) fn all_again(&mut self) {
        for (room, unsaved) in &mut self.rooms {
            if unsaved.state == State::Waiting {
                unsaved.state = State::Next;
                self.next.push_back(room.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(text: &str) -> RoomChange {
        RoomChange::Save(text.to_owned())
    }

    #[test]
    fn each_room_waits_for_itself() {
        let mut unsaved = UnsavedRooms::default();
        let rooms: Vec<Jid> = (0..6).map(|at| format!("{at}@b").parse().unwrap()).collect();
        rooms.iter().for_each(|room| unsaved.changed(room.clone(), change("1")));
        let begun: Vec<_> = std::iter::from_fn(|| unsaved.begin()).map(|(room, _)| room).collect();
        assert_eq!(begun, rooms[..SAVES_MAX]);
        let (bad, seconds) = (&rooms[0], Duration::from_secs);
        let failed = |failures, again| Attempt::Failed { failures, again: seconds(again) };
        assert_eq!(unsaved.ended(bad, Some(change("1"))), failed(1, 1));
        assert_eq!(unsaved.begin().map(|(room, _)| room), Some(rooms[4].clone()));
        // A change while it waits is that which is stored; it does not come sooner.
        unsaved.changed(bad.clone(), change("2"));
        for room in &rooms[1..5] {
            assert_eq!(unsaved.ended(room, None), Attempt::Stored);
        }
        assert_eq!(unsaved.begin().map(|(room, _)| room), Some(rooms[5].clone()));
        assert_eq!((unsaved.ended(&rooms[5], None), unsaved.begin()), (Attempt::Stored, None));
        assert!(unsaved.is_idle() && unsaved.len() == 1);
        for (failures, again) in (1..).zip([2, 4, 8, 16, 32, 60, 60]) {
            unsaved.again(bad, failures);
            unsaved.again(bad, failures);
            assert_eq!(unsaved.begin(), Some((bad.clone(), change("2"))));
            assert_eq!(unsaved.begin(), None);
            assert_eq!(unsaved.ended(bad, Some(change("2"))), failed(failures + 1, again));
        }
        unsaved.all_again();
        unsaved.again(bad, 8);
        assert_eq!(unsaved.begin(), Some((bad.clone(), change("2"))));
        unsaved.changed(bad.clone(), change("3"));
        assert_eq!(unsaved.ended(bad, None), Attempt::StoredAgain);
        assert_eq!(unsaved.begin(), Some((bad.clone(), change("3"))));
        assert_eq!(unsaved.ended(bad, None), Attempt::Stored);
        assert_eq!((unsaved.len(), unsaved.is_idle()), (0, true));
    }
}
