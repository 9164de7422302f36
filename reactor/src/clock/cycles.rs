//! The processor's time-stamp counter as a clock: [`Cycles`]. One instruction to read; for timing callbacks, not for timers.

use std::time::{Duration, Instant};

mod sys;

/// How long the frequency of the counter is measured, where the processor does not tell it: exact to a thousandth.
const MEASURED_FOR: Duration = Duration::from_micros(200);

/// How often the counter and the clock are read together, to find a reading that nothing came between.
const READINGS: usize = 5;

/// Fixed-point digits of the factor.
const SHIFT: u32 = 24;

/// A counter and its frequency.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycles {
    start: u64,
    /// Nanoseconds for a cycle, times 2^24.
    factor: u64,
}

impl Cycles {
    /// `None` if the counter does not run at a constant rate, or not at a plausible one.
    pub(super) fn measured(clock: impl Fn() -> Instant) -> Option<Self> {
        if !sys::is_constant() {
            return None;
        }
        let start = sys::cycles();
        let frequency = sys::frequency().or_else(|| measure(clock))?;
        // From 1 MHz to 16 GHz.
        let is_plausible = (1_000_000..=16_000_000_000).contains(&frequency);
        let factor = u64::try_from((1_000_000_000_u128 << SHIFT) / u128::from(frequency.max(1)));
        factor.ok().filter(|_| is_plausible).map(|factor| Self { start, factor })
    }

    /// The time since this was made, in nanoseconds. Counters of different processors may differ a little, so it may go back.
    #[inline]
    pub(super) fn nanoseconds(&self) -> u64 {
        let cycles = sys::cycles().wrapping_sub(self.start);
        // In 128 bits, which is one multiplication and a shift: 64 would overflow after minutes.
        ((u128::from(cycles) * u128::from(self.factor)) >> SHIFT) as u64
    }
}

/// The frequency in Hz, by the system's clock.
fn measure(clock: impl Fn() -> Instant) -> Option<u64> {
    let (first, began) = reading(&clock);
    while clock().duration_since(began) < MEASURED_FOR {}
    let (last, ended) = reading(&clock);
    let cycles = u128::from(last.wrapping_sub(first));
    u64::try_from(cycles * 1_000_000_000 / ended.duration_since(began).as_nanos()).ok()
}

/// The counter and the clock at one time: of some readings the one that took the fewest cycles, since the system may run
/// another program between the two instructions.
fn reading(clock: impl Fn() -> Instant) -> (u64, Instant) {
    let readings = (0..READINGS).map(|_| {
        let before = sys::cycles();
        let now = clock();
        let took = sys::cycles().wrapping_sub(before);
        (took, before.wrapping_add(took / 2), now)
    });
    let (_, cycles, now) = readings.min_by_key(|&(took, ..)| took).expect("there are some");
    (cycles, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counter is read between two readings of the clock at both ends, so it may be interrupted anywhere.
    #[test]
    fn cycles_pass_as_fast_as_the_time() {
        let Some(cycles) = Cycles::measured(Instant::now) else {
            eprintln!("skipped: the processor's counter does not run at a constant rate");
            return;
        };
        let read = || (Instant::now(), cycles.nanoseconds(), Instant::now());
        let (before_first, first, after_first) = read();
        while after_first.elapsed() < Duration::from_millis(5) {}
        let (before_last, last, after_last) = read();
        let passed = u128::from(last - first);
        let least = before_last.duration_since(after_first).as_nanos();
        let most = after_last.duration_since(before_first).as_nanos();
        let expected = least - least / 100..=most + most / 100;
        assert!(expected.contains(&passed), "{passed} ns, not in {expected:?}");
    }
}
