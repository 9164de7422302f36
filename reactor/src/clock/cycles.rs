//! The processor's time-stamp counter as a clock: [`Cycles`]. One instruction to read; for timing callbacks, not for timers.

use std::time::Duration;

mod sys;

/// How long the frequency of the counter is measured, where the processor does not tell it: exact to a thousandth.
const MEASURED_FOR: Duration = Duration::from_micros(200);

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
    /// `spin` waits that long, and returns how long it was.
    pub(super) fn measured(spin: impl Fn(Duration) -> Duration) -> Option<Self> {
        if !sys::is_constant() {
            return None;
        }
        let start = sys::cycles();
        let frequency = sys::frequency().or_else(|| measure(start, spin))?;
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
fn measure(start: u64, spin: impl Fn(Duration) -> Duration) -> Option<u64> {
    let elapsed = spin(MEASURED_FOR);
    let cycles = u128::from(sys::cycles().wrapping_sub(start));
    u64::try_from(cycles * 1_000_000_000 / elapsed.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only roughly: another program may run between the two readings.
    #[test]
    fn cycles_pass_as_fast_as_the_time() {
        let Some(cycles) = Cycles::measured(crate::clock::spin) else {
            eprintln!("skipped: the processor's counter does not run at a constant rate");
            return;
        };
        let first = cycles.nanoseconds();
        crate::clock::spin(Duration::from_millis(5));
        let passed = cycles.nanoseconds() - first;
        assert!(passed >= 4_900_000, "{passed} ns in 5 ms");
    }
}
