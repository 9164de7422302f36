//! When the requests of an open loop are planned: [`Schedule`]. Pure: time is an argument.

use std::time::{Duration, Instant};

/// The resolution of the timers. Requests that are planned within the same millisecond are planned for its end, together, so that
/// the generator adds nothing to their latency.
const TICK: Duration = Duration::from_millis(1);

/// The times at which requests are to be sent, a fixed number a second. It keeps numbers only: a backlog takes no memory, however long
/// it gets.
#[derive(Debug)]
pub(crate) struct Schedule {
    start: Instant,
    interval: Duration,
    /// By how much all requests are later.
    shift: Duration,
    /// The first request that has not been taken.
    next: u64,
    /// No request is planned from here on.
    end: Option<Instant>,
}

impl Schedule {
    /// `rate` requests a second from `start` on, which is a tick; `phase` is the part of an interval by which all are later, so that
    /// several schedules do not send at the same moments.
    pub(crate) fn new(start: Instant, rate: f64, phase: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let shift = interval.min(Duration::from_secs(3600)).mul_f64(phase);
        Self { start, interval, shift, next: 0, end: None }
    }

    /// Plans nothing from `end` on.
    pub(crate) fn end_at(&mut self, end: Instant) {
        self.end = Some(end);
    }

    /// When the next request is planned: it may be in the past. `None` after the end.
    pub(crate) fn peek(&self) -> Option<Instant> {
        let planned = self.planned(self.next)?;
        self.end.is_none_or(|end| planned < end).then_some(planned)
    }

    /// Takes the next request if it is due, and returns when it was planned.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        let planned = self.peek().filter(|planned| *planned <= now)?;
        self.next += 1;
        Some(planned)
    }

    fn planned(&self, number: u64) -> Option<Instant> {
        let nanos = self.interval.as_nanos().checked_mul(u128::from(number))?;
        let nanos = nanos.checked_add(self.shift.as_nanos())?;
        let tick = TICK.as_nanos();
        let ticks = nanos.checked_next_multiple_of(tick)?;
        self.start.checked_add(Duration::from_nanos(u64::try_from(ticks).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment to count from; the tests take no notice of which.
    fn start() -> Instant {
        sinew::reactor::Reactor::simulated(0).now()
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn requests_are_planned_on_ticks() {
        let start = start();
        // 2,500 a second: every 0.4 ms.
        let mut schedule = Schedule::new(start, 2_500.0, 0.0);
        let far = start + ms(1_000);
        let planned: Vec<_> =
            (0..6).map(|_| (schedule.take(far).unwrap() - start).as_millis()).collect();
        assert_eq!(planned, [0, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn only_what_is_due_is_taken() {
        let start = start();
        let mut schedule = Schedule::new(start, 100.0, 0.0);
        assert_eq!(schedule.take(start), Some(start));
        assert_eq!(schedule.take(start + ms(9)), None);
        assert_eq!(schedule.peek(), Some(start + ms(10)));
        // A stall: what was planned meanwhile is still planned for its own time.
        let late = start + ms(35);
        let taken: Vec<_> = std::iter::from_fn(|| schedule.take(late)).collect();
        assert_eq!(taken, [start + ms(10), start + ms(20), start + ms(30)]);
    }

    #[test]
    fn the_end_is_not_included() {
        let start = start();
        let mut schedule = Schedule::new(start, 1_000.0, 0.0);
        schedule.end_at(start + ms(5));
        let all = std::iter::from_fn(|| schedule.take(start + ms(100))).count();
        assert_eq!((all, schedule.peek()), (5, None));
    }

    #[test]
    fn schedules_of_several_reactors_alternate() {
        let start = start();
        let (mut even, mut odd) =
            (Schedule::new(start, 100.0, 0.0), Schedule::new(start, 100.0, 0.5));
        let late = start + ms(20);
        assert_eq!(even.take(late), Some(start));
        assert_eq!(odd.take(late), Some(start + ms(5)));
    }

    #[test]
    fn a_rate_of_almost_nothing_does_not_overflow() {
        let mut schedule = Schedule::new(start(), f64::MIN_POSITIVE, 0.5);
        let far = start() + Duration::from_secs(1 << 20);
        while schedule.take(far).is_some() {}
    }
}
