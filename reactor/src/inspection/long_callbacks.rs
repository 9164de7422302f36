//! The longest callbacks, by what they belong to, and the last slow ones: [`LongCallbacks`]. Only the cold path of the guard
//! writes here.

use std::{collections::VecDeque, time::Duration};

/// Callbacks from this duration on are recorded by name while inspection is on, in nanoseconds: a shorter one costs nothing
/// but the comparison.
pub(crate) const LONG_FROM: u64 = 1_000_000;

/// Names that are kept with their longest callback. Those with the shortest give way.
const NAMES_MAX: usize = 32;

/// Slow callbacks that are remembered.
const SLOW_MAX: usize = 32;

/// Longest name that is kept, in bytes.
const NAME_MAX: usize = 200;

/// The longest callback of one kind of handler, in a [`LoopReport`](super::LoopReport).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LongCallback {
    /// What was called: usually the type of a protocol.
    pub name: String,
    /// How long its longest call took.
    pub longest: Duration,
    /// How many of its calls took a millisecond or longer.
    pub count: u64,
}

/// A callback that was logged as slow, in a [`LoopReport`](super::LoopReport).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlowCallback {
    /// What was called: usually the type of a protocol, with the peer. Without
    /// [inspection](crate::Builder::inspection), up to eight handlers were called together and are all named.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// The age of the reactor when it ended.
    pub at: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct LongCallbacks {
    by_name: Vec<LongCallback>,
    slow: VecDeque<SlowCallback>,
}

impl LongCallbacks {
    /// Counts a long callback. `what` is a description such as "Echo with 127.0.0.1:4711": the part before the peer names
    /// the kind.
    pub(crate) fn record(&mut self, what: &str, took: Duration) {
        let name = shortened(what.split(" with ").next().unwrap_or(what));
        if let Some(known) = self.by_name.iter_mut().find(|known| known.name == name) {
            known.count += 1;
            known.longest = known.longest.max(took);
            return;
        }
        if self.by_name.len() == NAMES_MAX {
            let shortest = (0..NAMES_MAX).min_by_key(|index| self.by_name[*index].longest);
            match shortest {
                Some(index) if self.by_name[index].longest < took => {
                    self.by_name.swap_remove(index);
                }
                _ => return,
            }
        }
        self.by_name.push(LongCallback { name: name.to_owned(), longest: took, count: 1 });
    }

    /// Remembers a slow callback.
    pub(crate) fn record_slow(&mut self, what: &str, took: Duration, at: Duration) {
        if self.slow.len() == SLOW_MAX {
            self.slow.pop_front();
        }
        self.slow.push_back(SlowCallback { name: shortened(what).to_owned(), took, at });
    }

    /// By duration, the longest first.
    pub(crate) fn longest(&self) -> Vec<LongCallback> {
        let mut longest = self.by_name.clone();
        longest.sort_by(|a, b| b.longest.cmp(&a.longest).then_with(|| a.name.cmp(&b.name)));
        longest
    }

    /// The last first.
    pub(crate) fn slow(&self) -> Vec<SlowCallback> {
        self.slow.iter().rev().cloned().collect()
    }
}

fn shortened(text: &str) -> &str {
    let end = (0..=NAME_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_each_name_is_kept_and_the_shortest_names_give_way() {
        let mut long = LongCallbacks::default();
        let ms = Duration::from_millis;
        long.record("Echo with 192.0.2.1:1", ms(3));
        long.record("Echo with 192.0.2.1:2", ms(7));
        long.record("Echo with 192.0.2.1:3", ms(5));
        assert_eq!((long.longest().len(), long.longest()[0].longest), (1, ms(7)));
        assert_eq!((long.longest()[0].name.as_str(), long.longest()[0].count), ("Echo", 3));
        for n in 0..100 {
            long.record(&format!("Other{n:03}"), ms(10 + n));
        }
        let longest = long.longest();
        assert_eq!((longest.len(), longest[0].name.as_str()), (NAMES_MAX, "Other099"));
        assert!(longest.iter().all(|call| call.longest >= ms(10 + 68)));
    }

    #[test]
    fn the_last_slow_callbacks_are_kept_and_names_are_cut_between_characters() {
        let mut long = LongCallbacks::default();
        for n in 0..100 {
            long.record_slow(&format!("call {n}"), Duration::from_secs(1), Duration::from_secs(n));
        }
        let slow = long.slow();
        assert_eq!(
            (slow.len(), slow[0].name.as_str(), slow[31].name.as_str()),
            (SLOW_MAX, "call 99", "call 68")
        );
        assert_eq!(shortened(&"ä".repeat(150)).len(), NAME_MAX);
    }
}
