//! Timer keys of one owner, to be cancelled together: [`Timers`]. A set of keys; it arms no timers.

use std::{cell::RefCell, collections::HashSet, mem};

use sinew_reactor::TimerKey;

/// Up to this length a list is smaller than a hash set and as fast.
const LIST_MAX: usize = 16;

/// The cost of adding and removing a key does not depend on their number.
#[derive(Default)]
pub(crate) struct Timers(RefCell<Keys>);

#[allow(
    clippy::box_collection,
    reason = "an unboxed set is twice the size of a list, which is the usual case"
)]
enum Keys {
    Few(Vec<TimerKey>),
    Many(Box<HashSet<TimerKey>>),
}

impl Default for Keys {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Timers {
    pub(crate) fn add(&self, key: TimerKey) {
        let mut keys = self.0.borrow_mut();
        match &mut *keys {
            Keys::Few(list) if list.len() < LIST_MAX => list.push(key),
            Keys::Few(list) => {
                let many = mem::take(list).into_iter().chain([key]).collect();
                *keys = Keys::Many(Box::new(many));
            }
            Keys::Many(set) => drop(set.insert(key)),
        }
    }

    /// Removes a key. Returns `false` if it is not in the set.
    pub(crate) fn remove(&self, key: TimerKey) -> bool {
        let mut keys = self.0.borrow_mut();
        match &mut *keys {
            Keys::Few(list) => {
                let at = list.iter().position(|timer| *timer == key);
                at.map(|at| list.swap_remove(at)).is_some()
            }
            Keys::Many(set) => {
                let was_there = set.remove(&key);
                if set.is_empty() {
                    *keys = Keys::default();
                }
                was_there
            }
        }
    }

    /// Removes all keys.
    pub(crate) fn take(&self) -> Vec<TimerKey> {
        match self.0.take() {
            Keys::Few(list) => list,
            Keys::Many(set) => set.into_iter().collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &*self.0.borrow() {
            Keys::Few(list) => list.len(),
            Keys::Many(set) => set.len(),
        }
    }

    /// The least value of `f` over the keys.
    pub(crate) fn min<T: Ord>(&self, f: impl Fn(&TimerKey) -> Option<T>) -> Option<T> {
        match &*self.0.borrow() {
            Keys::Few(list) => list.iter().filter_map(f).min(),
            Keys::Many(set) => set.iter().filter_map(f).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sinew_reactor::Reactor;

    use super::*;

    #[test]
    fn each_key_is_removed_once_in_list_and_set() {
        let reactor = Reactor::simulated(0);
        let token = reactor.reserve().expect("there is room");
        for count in [0, 1, LIST_MAX, LIST_MAX + 1, 10 * LIST_MAX] {
            let timers = Timers::default();
            let made: Vec<_> =
                (0..count).map(|_| reactor.arm_timer(token, Duration::from_secs(9))).collect();
            made.iter().for_each(|key| timers.add(*key));
            assert_eq!(timers.len(), count);
            assert_eq!(timers.min(|key| reactor.timer_due(*key)).is_some(), count > 0);
            let half = count / 2;
            assert!(made[..half].iter().all(|key| timers.remove(*key) && !timers.remove(*key)));
            let mut left = timers.take();
            left.sort_by_key(|key| made.iter().position(|timer| timer == key));
            assert_eq!((left.as_slice(), timers.len()), (&made[half..], 0));
            timers.add(reactor.arm_timer(token, Duration::from_secs(9)));
            assert_eq!(timers.len(), 1);
        }
    }

    /// A long list would be searched from its start for each key that is removed.
    #[test]
    fn cost_per_timer_does_not_grow_with_their_number() {
        let reactor = Reactor::simulated(0);
        let token = reactor.reserve().expect("there is room");
        let timers = Timers::default();
        let arm = || reactor.arm_timer(token, Duration::from_secs(9));
        let made: Vec<_> = (0..2_000).map(|_| arm()).collect();
        let is_list = || matches!(&*timers.0.borrow(), Keys::Few(list) if list.len() <= LIST_MAX);
        for (index, key) in made.iter().enumerate() {
            timers.add(*key);
            assert_eq!(is_list(), index < LIST_MAX);
        }
        let (even, odd) = (made.iter().rev().step_by(2), made.iter().step_by(2));
        assert!(even.chain(odd).all(|key| timers.remove(*key)));
        assert!(matches!(&*timers.0.borrow(), Keys::Few(list) if list.capacity() == 0));
    }

    /// Part of the cold state of a connection.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn timers_is_small() {
        assert_eq!(size_of::<Timers>(), 32);
    }
}
