//! Tests of the timer wheel: against a sorted list, and for order, wakeups, number of steps and size.

use std::mem;

use super::{Entry, TimerKey, Wheel};

const DAY: u64 = 24 * 60 * 60 * 1000;
/// The range of the six levels of a common timer wheel.
const SIX_LEVELS: u64 = 1 << 36;

/// Reference model of the wheel: three plain vectors.
#[derive(Default)]
struct Model {
    now: u64,
    made: u64,
    pending: Vec<Timer>,
    late: Vec<Timer>,
    due: Vec<Timer>,
}

#[derive(Clone, Copy, Debug)]
struct Timer {
    deadline: u64,
    /// Rises with every insert and reset.
    order: u64,
    key: TimerKey,
    payload: u64,
}

impl Model {
    fn add(&mut self, deadline: u64, key: TimerKey, payload: u64) {
        self.made += 1;
        let timer = Timer { deadline, order: self.made, key, payload };
        if deadline <= self.now {
            self.late.push(timer);
        } else {
            self.pending.push(timer);
        }
    }

    fn remove(&mut self, key: TimerKey) -> Option<Timer> {
        [&mut self.pending, &mut self.late, &mut self.due].into_iter().find_map(|list| {
            let at = list.iter().position(|timer| timer.key == key)?;
            Some(list.remove(at))
        })
    }

    fn advance(&mut self, now: u64) {
        if now < self.now {
            return;
        }
        self.now = now;
        self.due.append(&mut self.late);
        self.pending.sort_by_key(|timer| (timer.deadline, timer.order));
        let ripe = self.pending.partition_point(|timer| timer.deadline <= now);
        self.due.extend(self.pending.drain(..ripe));
    }

    fn pop_due(&mut self) -> Option<(TimerKey, u64)> {
        (!self.due.is_empty()).then(|| {
            let timer = self.due.remove(0);
            (timer.key, timer.payload)
        })
    }

    fn timers(&self) -> impl Iterator<Item = &Timer> {
        self.pending.iter().chain(&self.late).chain(&self.due)
    }
}

/// A wheel and its model side by side; every step is applied to both and the results are compared.
struct Pair {
    rng: fastrand::Rng,
    wheel: Wheel<u64>,
    model: Model,
    stale: Vec<TimerKey>,
    /// Payloads that were retired, in that order.
    retired: Vec<u64>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            wheel: Wheel::new(),
            model: Model::default(),
            stale: Vec::new(),
            retired: Vec::new(),
        }
    }

    fn step(&mut self) {
        match self.rng.u32(..100) {
            0..40 => self.insert(),
            40..55 => self.cancel(),
            55..70 => self.reset(),
            70..90 => self.advance(),
            90..98 => self.pop(),
            98 => self.check_stale_keys(),
            _ => self.drain(),
        }
        self.check();
    }

    fn delay(&mut self) -> u64 {
        let span = [1, 4, 64, 70, 4_096, 300_000, 60 * DAY, 1 << 37, 1 << 60][self.rng.usize(..9)];
        self.rng.u64(..span)
    }

    fn deadline(&mut self) -> u64 {
        match self.rng.u32(..20) {
            0 => self.model.now.saturating_sub(self.delay()),
            1 => u64::MAX - self.rng.u64(..2),
            // The deadline of another timer, so that equal deadlines occur at every distance.
            2..9 if !self.wheel.is_empty() => self.pick().deadline,
            _ => self.model.now.saturating_add(self.delay()),
        }
    }

    fn pick(&mut self) -> Timer {
        let at = self.rng.usize(..self.wheel.len());
        *self.model.timers().nth(at).expect("as many as the wheel")
    }

    fn insert(&mut self) {
        let (deadline, payload) = (self.deadline(), self.rng.u64(..));
        let key = self.wheel.insert(deadline, payload);
        assert!(self.model.timers().all(|timer| timer.key != key));
        self.model.add(deadline, key, payload);
    }

    fn cancel(&mut self) {
        if self.wheel.is_empty() {
            return;
        }
        let key = self.pick().key;
        let removed = self.model.remove(key).map(|timer| timer.payload);
        if self.rng.bool() {
            assert!(self.wheel.retire(key));
            self.retired.extend(removed);
        } else {
            assert_eq!(self.wheel.cancel(key), removed);
        }
        self.stale.push(key);
    }

    fn reset(&mut self) {
        if self.wheel.is_empty() {
            return;
        }
        let (key, deadline) = (self.pick().key, self.deadline());
        assert!(self.wheel.reset(key, deadline));
        let payload = self.model.remove(key).expect("just picked").payload;
        self.model.add(deadline, key, payload);
    }

    fn advance(&mut self) {
        let now = match self.rng.u32(..12) {
            0 => self.model.now.saturating_sub(self.delay()),
            1 => self.model.now,
            // Rarely, since so little time is left afterwards.
            2 if self.rng.u32(..500) == 0 => u64::MAX - self.rng.u64(..3),
            3..8 => self.wheel.next_wakeup().unwrap_or(0),
            _ => self.model.now.saturating_add(self.delay()),
        };
        self.wheel.advance(now);
        self.model.advance(now);
    }

    fn pop(&mut self) {
        for _ in 0..self.rng.usize(..20) {
            if self.rng.u32(..4) == 0 {
                // As inserted by a timer's callback with zero delay: must not be popped within this loop.
                let key = self.wheel.insert(self.model.now, 0);
                self.model.add(self.model.now, key, 0);
            }
            let popped = self.wheel.pop_due();
            assert_eq!(popped, self.model.pop_due());
            self.stale.extend(popped.map(|(key, _)| key));
        }
    }

    fn check_stale_keys(&mut self) {
        for &key in &self.stale {
            assert_eq!(self.wheel.cancel(key), None);
            assert!(!self.wheel.retire(key));
            assert!(!self.wheel.reset(key, 0));
            assert_eq!(self.wheel.deadline(key), None);
            assert_eq!(self.wheel.payload(key), None);
        }
        self.stale.clear();
        let mut retired = self.wheel.take_retired();
        assert_eq!(retired, mem::take(&mut self.retired));
        retired.clear();
        self.wheel.reuse_retired(retired);
    }

    fn drain(&mut self) {
        if self.rng.u32(..20) != 0 {
            return;
        }
        let mut drained = self.wheel.drain();
        let mut expected = mem::take(&mut self.retired);
        expected.extend(self.model.timers().map(|timer| timer.payload));
        drained.sort_unstable();
        expected.sort_unstable();
        assert_eq!(drained, expected);
        self.stale.extend(self.model.timers().map(|timer| timer.key));
        self.model = Model { now: self.model.now, ..Model::default() };
    }

    fn check(&self) {
        let (wheel, model) = (&self.wheel, &self.model);
        assert_eq!(wheel.len(), model.timers().count());
        assert_eq!(wheel.is_empty(), model.timers().next().is_none());
        assert_eq!(wheel.has_due(), !model.due.is_empty());
        assert_eq!(wheel.has_retired(), !self.retired.is_empty());
        if model.due.is_empty() && model.late.is_empty() {
            let earliest = model.pending.iter().map(|timer| timer.deadline).min();
            assert_eq!(wheel.next_wakeup().is_some(), earliest.is_some());
            assert!(wheel.next_wakeup() <= earliest);
            assert!(wheel.next_wakeup().is_none_or(|wakeup| wakeup > model.now));
        } else {
            assert_eq!(wheel.next_wakeup(), Some(model.now));
        }
        for timer in model.timers() {
            assert_eq!(wheel.deadline(timer.key), Some(timer.deadline));
            assert_eq!(wheel.payload(timer.key), Some(&timer.payload));
        }
    }
}

/// Runs `test` for some seeds, and names the seed that fails.
fn for_seeds(seeds: u64, test: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in 0..seeds {
        if let Err(panic) = std::panic::catch_unwind(|| test(seed)) {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("?");
            panic!("seed {seed}: {message}");
        }
    }
}

#[test]
fn the_wheel_matches_the_model() {
    for_seeds(16, |seed| {
        let mut pair = Pair::new(seed);
        for _ in 0..4_000 {
            pair.step();
        }
    });
}

#[test]
fn repeated_wakeups_hit_every_deadline_exactly() {
    for_seeds(16, |seed| {
        let mut pair = Pair::new(seed);
        for _ in 0..200 {
            pair.insert();
        }
        pair.wheel.advance(0);
        while pair.wheel.pop_due().is_some() {}
        while let Some(wakeup) = pair.wheel.next_wakeup() {
            pair.wheel.advance(wakeup);
            pair.model.advance(wakeup);
            while let Some((key, _)) = pair.wheel.pop_due() {
                let timer = pair.model.remove(key).expect("still there");
                assert_eq!(timer.deadline, wakeup);
            }
        }
        assert!(pair.wheel.is_empty());
    });
}

#[test]
fn equal_deadlines_fire_in_insertion_order_from_every_level() {
    let deadlines = [
        1,
        63,
        64,
        65,
        4_095,
        4_096,
        50 * DAY,
        SIX_LEVELS - 1,
        SIX_LEVELS,
        SIX_LEVELS + 1,
        1 << 60,
        u64::MAX,
    ];
    for deadline in deadlines {
        let mut wheel = Wheel::new();
        let mut made = Vec::new();
        // From farther to nearer: each timer starts in a lower level than the one before it.
        for bits in (0..64).rev() {
            let now = deadline.saturating_sub(1 << bits);
            wheel.advance(now);
            if now < deadline {
                made.push(wheel.insert(deadline, ()));
            }
        }
        let first = made.remove(0);
        assert!(wheel.reset(first, deadline), "{deadline}");
        made.push(first);

        wheel.advance(deadline - 1);
        assert!(!wheel.has_due(), "{deadline}");
        wheel.advance(deadline);
        let popped: Vec<_> = std::iter::from_fn(|| wheel.pop_due()).map(|(key, ())| key).collect();
        assert_eq!(popped, made, "{deadline}");
    }
}

#[test]
fn a_timer_inserted_late_fires_first_at_the_next_advance() {
    let mut wheel = Wheel::new();
    wheel.insert(10, "first");
    wheel.insert(20, "third");
    wheel.advance(10);
    wheel.insert(10, "second");
    assert_eq!(wheel.pop_due().map(|(_, name)| name), Some("first"));
    assert_eq!(wheel.pop_due(), None);
    assert_eq!(wheel.next_wakeup(), Some(10));

    wheel.advance(9);
    assert_eq!(wheel.pop_due(), None);
    wheel.advance(20);
    assert_eq!(wheel.pop_due().map(|(_, name)| name), Some("second"));
    assert_eq!(wheel.pop_due().map(|(_, name)| name), Some("third"));
}

#[test]
fn a_due_timer_can_be_cancelled_and_reset() {
    let mut wheel = Wheel::new();
    let keys = [1, 2, 3].map(|deadline| wheel.insert(deadline, deadline));
    wheel.advance(5);
    assert_eq!(wheel.cancel(keys[1]), Some(2));
    assert!(wheel.reset(keys[0], 7));
    assert_eq!(wheel.pop_due(), Some((keys[2], 3)));
    assert_eq!(wheel.pop_due(), None);
    assert_eq!(wheel.next_wakeup(), Some(7));
    wheel.advance(7);
    assert_eq!(wheel.pop_due(), Some((keys[0], 1)));
}

#[test]
fn a_reused_entry_does_not_match_the_old_key() {
    let mut wheel = Wheel::new();
    let old = wheel.insert(1, ());
    wheel.cancel(old);
    let new = wheel.insert(1, ());
    assert_eq!(old.index, new.index);
    assert_eq!(wheel.cancel(old), None);
    assert!(!wheel.reset(old, 2));

    assert_eq!(wheel.drain().len(), 1);
    let newest = wheel.insert(1, ());
    assert_eq!(new.index, newest.index);
    assert_eq!(wheel.deadline(new), None);
}

#[test]
fn indexes_are_in_order_again_once_the_wheel_is_empty() {
    let mut wheel = Wheel::new();
    let old = [1, 2, 3, 4].map(|deadline| wheel.insert(deadline, ()));
    for at in [2, 0, 3, 1] {
        assert!(wheel.cancel(old[at]).is_some());
    }
    let new = [1, 2, 3, 4, 5].map(|deadline| wheel.insert(deadline, ()));
    assert_eq!(new.map(|key| key.index), [0, 1, 2, 3, 4]);
    assert!(old.iter().all(|&key| wheel.cancel(key).is_none()));
    // While timers are left, the entry vacated last is used first: it is most likely in a cache.
    assert!(wheel.cancel(new[3]).is_some() && wheel.cancel(new[1]).is_some());
    assert_eq!([6, 7, 8].map(|deadline| wheel.insert(deadline, ()).index), [1, 3, 5]);
}

/// Entries touched by `op`.
fn steps<T>(wheel: &mut Wheel<u32>, op: impl FnOnce(&mut Wheel<u32>) -> T) -> (u64, T) {
    let before = wheel.touches;
    let answer = op(wheel);
    (wheel.touches - before, answer)
}

#[test]
fn each_of_a_million_timers_takes_a_few_steps() {
    const TIMERS: u32 = 1_000_000;
    for_seeds(1, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut wheel = Wheel::new();
        let mut keys = Vec::new();
        for payload in 0..TIMERS {
            let bits = rng.u32(1..45);
            let deadline = rng.u64(..1 << bits);
            let (touched, key) = steps(&mut wheel, |wheel| wheel.insert(deadline, payload));
            assert!(touched <= 3, "insert touched {touched}");
            keys.push((key, payload));
        }
        rng.shuffle(&mut keys);
        for &(key, _) in &keys {
            let deadline = rng.u64(..1 << 40);
            let (touched, reset) = steps(&mut wheel, |wheel| wheel.reset(key, deadline));
            assert!(reset && touched <= 6, "reset touched {touched}");
        }
        rng.shuffle(&mut keys);
        for (key, payload) in keys {
            let (touched, cancelled) = steps(&mut wheel, |wheel| wheel.cancel(key));
            assert_eq!(cancelled, Some(payload));
            assert!(touched <= 4, "cancel touched {touched}");
        }
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_wakeup(), None);
    });
}

#[test]
fn a_jump_of_years_takes_a_few_steps_for_each_timer() {
    let mut wheel = Wheel::new();
    let deadlines = [1 << 20, DAY, 50 * DAY, SIX_LEVELS + 7, 1 << 39, 1 << 41];
    for (payload, deadline) in (0..).zip(deadlines) {
        wheel.insert(deadline, payload);
    }
    let (touched, ()) = steps(&mut wheel, |wheel| wheel.advance(1 << 40));
    assert!(touched <= 4 * 11 * 5, "advance touched {touched}");
    let popped: Vec<u32> =
        std::iter::from_fn(|| wheel.pop_due()).map(|(_, payload)| payload).collect();
    assert_eq!(popped, [0, 1, 2, 3, 4]);
    assert_eq!(wheel.next_wakeup(), Some(1 << 41));
}

#[test]
fn an_entry_is_its_payload_and_24_bytes() {
    assert_eq!(size_of::<Entry<u64>>(), 32);
    assert_eq!(size_of::<Entry<[u64; 2]>>(), 40);
}
