//! Timers for users: [`DelayedCall`], [`LoopingCall`], and the timers of handlers. The timer wheel itself is in `wheel.rs`.

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    task::Waker,
    time::{Duration, Instant},
};

use crate::{
    Reactor, WeakReactor,
    handler::{TimerKey, Token},
};

/// The payload of a timer, in two words; a third variant would make it three.
pub(crate) enum TimerPayload {
    Due(Box<dyn Due>),
    Handler(Token),
}

/// Placeholder for vacant entries.
impl Default for TimerPayload {
    fn default() -> Self {
        Self::Handler(Token::ENGINE)
    }
}

/// User code that runs when its timer is due.
pub(crate) trait Due {
    fn fire(self: Box<Self>, reactor: &Reactor);

    /// Its name for the log.
    fn what(&self) -> &'static str {
        "a delayed call"
    }

    fn waker(&self) -> Option<&Waker> {
        None
    }
}

impl<F: FnOnce(&Reactor)> Due for F {
    fn fire(self: Box<Self>, reactor: &Reactor) {
        self(reactor);
    }
}

/// The waker of a task that waits in [`Sleep`](crate::task::Sleep).
pub(crate) struct Sleeper(pub(crate) Waker);

impl Due for Sleeper {
    fn fire(self: Box<Self>, _: &Reactor) {
        self.0.wake();
    }

    fn what(&self) -> &'static str {
        "a waker"
    }

    fn waker(&self) -> Option<&Waker> {
        Some(&self.0)
    }
}

impl Reactor {
    /// Has the loop call `f` once, no earlier than `delay` from now, rounded up to a tick of a millisecond. Calls that are
    /// due at the same tick run in the order in which they were made; one with zero delay runs in the next turn. The delay
    /// counts from [`now`](Self::now), the time of this turn.
    ///
    /// `f` receives the reactor: a clone captured in `f` would keep the reactor alive as long as the call is pending.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sinew_reactor::Reactor;
    ///
    /// let reactor = Reactor::new()?;
    /// let reminder = reactor.call_later(Duration::from_secs(60), |_| unreachable!("it is cancelled"));
    /// reactor.call_later(Duration::from_millis(1), |reactor| {
    ///     let _ = reactor.stop();
    /// });
    /// assert!(reminder.cancel());
    /// reactor.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_later(&self, delay: Duration, f: impl FnOnce(&Self) + 'static) -> DelayedCall {
        self.make_later(delay, Box::new(f))
    }

    /// Not generic over the closure, so that it is compiled once.
    fn make_later(&self, delay: Duration, call: Box<dyn Due>) -> DelayedCall {
        let deadline = self.inner.clock.tick_after(delay);
        let key = self.inner.wheel.borrow_mut().insert(deadline, TimerPayload::Due(call));
        DelayedCall { reactor: self.downgrade(), key }
    }

    /// Has the loop call `f` every `interval`, first after one interval. Calls stay on the grid that begins now: a slow
    /// callback does not delay the following ones, and calls that were missed are skipped. A panic in `f` ends the series.
    ///
    /// # Panics
    ///
    /// If `interval` is zero.
    #[track_caller]
    pub fn call_every(&self, interval: Duration, f: impl FnMut(&Self) + 'static) -> LoopingCall {
        assert!(!interval.is_zero(), "a looping call needs an interval longer than zero");
        let series = Rc::new(Series {
            interval,
            start: self.now(),
            state: Cell::new(SeriesState::Ended),
            skipped: Cell::new(0),
        });
        series.clone().arm(self, 1, Box::new(f));
        LoopingCall { reactor: self.downgrade(), series }
    }
}

/// # For authors of transports
///
/// Timers of handlers; the module [`source`](crate::source) explains them.
impl Reactor {
    /// Arms a timer that calls [`Handler::timer`](crate::Handler::timer) of the handler registered under `token`, once,
    /// no earlier than `delay` from now, as [`call_later`](Self::call_later). It allocates nothing. If the handler has
    /// been removed by then, nothing happens.
    pub fn arm_timer(&self, token: Token, delay: Duration) -> TimerKey {
        let deadline = self.inner.clock.tick_after(delay);
        self.inner.wheel.borrow_mut().insert(deadline, TimerPayload::Handler(token))
    }

    /// When a timer of [`arm_timer`](Self::arm_timer) is due, rounded up to the tick; `None` once it has fired or been
    /// disarmed.
    #[must_use]
    pub fn timer_due(&self, key: TimerKey) -> Option<Instant> {
        let deadline = self.inner.wheel.borrow().deadline(key)?;
        self.inner.clock.instant(deadline)
    }

    /// Cancels a timer of [`arm_timer`](Self::arm_timer). `false` if it has fired or been disarmed already.
    pub fn disarm_timer(&self, key: TimerKey) -> bool {
        let payload = self.inner.wheel.borrow_mut().cancel(key);
        payload.is_some()
    }
}

/// A pending call. Dropping this does not cancel it.
#[derive(Clone, Debug)]
pub struct DelayedCall {
    reactor: WeakReactor,
    key: TimerKey,
}

impl DelayedCall {
    /// Cancels the call. `false` if it has run or been cancelled already. The closure is dropped by the loop.
    pub fn cancel(&self) -> bool {
        self.reactor.inner().is_some_and(|inner| inner.wheel.borrow_mut().retire(self.key))
    }

    /// Reschedules the call to `delay` from now. `false` if it has run or been cancelled already.
    pub fn reset(&self, delay: Duration) -> bool {
        let Some(inner) = self.reactor.inner() else {
            return false;
        };
        let deadline = inner.clock.tick_after(delay);
        inner.wheel.borrow_mut().reset(self.key, deadline)
    }

    /// Postpones the call by `more`, from the time at which it is due. `false` if it has run or been cancelled already.
    pub fn delay(&self, more: Duration) -> bool {
        let Some(inner) = self.reactor.inner() else {
            return false;
        };
        let mut wheel = inner.wheel.borrow_mut();
        let Some(deadline) = wheel.deadline(self.key) else {
            return false;
        };
        let more = u64::try_from(more.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        wheel.reset(self.key, deadline.saturating_add(more))
    }

    /// Whether the call is still pending.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.deadline().is_some()
    }

    /// When the call is due, rounded up to the tick; `None` once it has run or been cancelled.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.reactor.inner()?.clock.instant(self.deadline()?)
    }

    fn deadline(&self) -> Option<u64> {
        self.reactor.inner()?.wheel.borrow().deadline(self.key)
    }
}

/// A series of calls at a fixed interval. Dropping this does not stop it.
#[derive(Clone)]
pub struct LoopingCall {
    reactor: WeakReactor,
    series: Rc<Series>,
}

/// State shared by the handle and the timer. The callback is not part of it: each timer passes it to the next, and the
/// last one drops it.
struct Series {
    interval: Duration,
    start: Instant,
    state: Cell<SeriesState>,
    skipped: Cell<u64>,
}

#[derive(Clone, Copy)]
enum SeriesState {
    Waiting(TimerKey),
    Calling,
    Ended,
}

type Tick = Box<dyn FnMut(&Reactor)>;

impl Series {
    /// Arms the timer for grid point `number`.
    fn arm(self: Rc<Self>, reactor: &Reactor, number: u64, f: Tick) {
        let passed = reactor.now().saturating_duration_since(self.start);
        let delay = scale(self.interval, number).saturating_sub(passed);
        let series = self.clone();
        let call = reactor.call_later(delay, move |reactor| series.tick(reactor, number, f));
        self.state.set(SeriesState::Waiting(call.key));
    }

    fn tick(self: Rc<Self>, reactor: &Reactor, number: u64, mut f: Tick) {
        self.state.set(SeriesState::Calling);
        let called = reactor.guard(|| "a looping call".to_owned(), || f(reactor));
        if called.is_err() {
            self.state.set(SeriesState::Ended);
        }
        if !matches!(self.state.get(), SeriesState::Calling) {
            return;
        }
        // The turn's sample is from before the callback, which may have taken long.
        let elapsed = reactor.inner.clock.precise().duration_since(self.start);
        let passed = elapsed.as_nanos() / self.interval.as_nanos();
        let following = u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1).max(number + 1);
        self.skipped.set(self.skipped.get() + (following - number - 1));
        self.arm(reactor, following, f);
    }
}

fn scale(interval: Duration, times: u64) -> Duration {
    let nanos = interval.as_nanos().saturating_mul(u128::from(times));
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    Duration::new(seconds, (nanos % 1_000_000_000) as u32)
}

impl LoopingCall {
    /// Ends the series; also from inside its own callback. `false` if it has ended already.
    pub fn stop(&self) -> bool {
        let was_active = self.is_active();
        if let SeriesState::Waiting(key) = self.series.state.replace(SeriesState::Ended) {
            DelayedCall { reactor: self.reactor.clone(), key }.cancel();
        }
        was_active
    }

    /// Whether the series continues: until it is stopped, its callback panics, or the run ends.
    #[must_use]
    pub fn is_active(&self) -> bool {
        match self.series.state.get() {
            SeriesState::Waiting(key) => {
                DelayedCall { reactor: self.reactor.clone(), key }.is_active()
            }
            SeriesState::Calling => true,
            SeriesState::Ended => false,
        }
    }

    /// How many calls were skipped because a callback or the loop took too long.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.series.skipped.get()
    }
}

impl fmt::Debug for LoopingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopingCall")
            .field("interval", &self.series.interval)
            .field("active", &self.is_active())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_two_words() {
        assert_eq!(size_of::<TimerPayload>(), 2 * size_of::<usize>());
    }
}
