//! Calls at a time: [`DelayedCall`], [`LoopingCall`], and the bare timers of handlers. The wheel itself is in `wheel.rs`.

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

/// What is due, in two words: with a third kind it would be three.
pub(crate) enum TimerPayload {
    Due(Box<dyn Due>),
    Handler(Token),
}

/// Nobody's.
impl Default for TimerPayload {
    fn default() -> Self {
        Self::Handler(Token::ENGINE)
    }
}

/// User code whose time comes.
pub(crate) trait Due {
    fn fire(self: Box<Self>, reactor: &Reactor);

    /// What it is, for the log.
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

/// Who waits in [`Sleep`](crate::task::Sleep).
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
    /// Has the loop call `f` once, no earlier than `delay` from now, in ticks of a millisecond rounded up. Calls that are
    /// due at the same tick run in the order in which they were made; one with no delay runs in the next turn. The delay
    /// counts from [`now`](Self::now), the time of this turn.
    ///
    /// `f` is given the reactor: a clone of it captured in `f` would keep the reactor alive for as long as the call waits.
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

    /// Whatever the type of the closure, so that it is compiled once, here.
    fn make_later(&self, delay: Duration, call: Box<dyn Due>) -> DelayedCall {
        let deadline = self.inner.clock.tick_after(delay);
        let key = self.inner.wheel.borrow_mut().insert(deadline, TimerPayload::Due(call));
        DelayedCall { reactor: self.downgrade(), key }
    }

    /// Has the loop call `f` every `interval`, first after one interval. Ticks stay on the grid that begins now: a slow
    /// callback delays none of the following, and ticks that were missed are skipped. A panic in `f` ends the series.
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
    /// Arms a timer that calls [`Handler::timer`](crate::Handler::timer) of the handler registered under `token`, once, no
    /// earlier than `delay` from now, as [`call_later`](Self::call_later). It costs no allocation. If the handler is gone by
    /// then, nothing happens.
    pub fn arm_timer(&self, token: Token, delay: Duration) -> TimerKey {
        let deadline = self.inner.clock.tick_after(delay);
        self.inner.wheel.borrow_mut().insert(deadline, TimerPayload::Handler(token))
    }

    /// When a timer of [`arm_timer`](Self::arm_timer) is due, rounded up to the tick; `None` once it has fired or been taken
    /// back.
    #[must_use]
    pub fn timer_due(&self, key: TimerKey) -> Option<Instant> {
        let deadline = self.inner.wheel.borrow().deadline(key)?;
        self.inner.clock.instant(deadline)
    }

    /// Takes back a timer of [`arm_timer`](Self::arm_timer). `false` if it is gone already.
    pub fn disarm_timer(&self, key: TimerKey) -> bool {
        let payload = self.inner.wheel.borrow_mut().cancel(key);
        payload.is_some()
    }
}

/// A call that waits for its time. Dropping this does not cancel it.
#[derive(Clone, Debug)]
pub struct DelayedCall {
    reactor: WeakReactor,
    key: TimerKey,
}

impl DelayedCall {
    /// Takes the call back. `false` if it has been made or cancelled already. The closure is dropped by the loop.
    pub fn cancel(&self) -> bool {
        self.reactor.inner().is_some_and(|inner| inner.wheel.borrow_mut().retire(self.key))
    }

    /// Moves the call to `delay` from now. `false` if it has been made or cancelled already.
    pub fn reset(&self, delay: Duration) -> bool {
        let Some(inner) = self.reactor.inner() else {
            return false;
        };
        let deadline = inner.clock.tick_after(delay);
        inner.wheel.borrow_mut().reset(self.key, deadline)
    }

    /// Moves the call to `more` after the time at which it is due. `false` if it has been made or cancelled already.
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

    /// Whether the call still waits.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.deadline().is_some()
    }

    /// When the call is due, rounded up to the tick; `None` once it has been made or cancelled.
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

/// What the handle and the timer share. The callback is not in here: it goes from timer to timer, and so with the last.
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
    /// Waits for grid point `number`.
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

    /// Whether the series goes on: until it is stopped, its callback panics, or the run ends.
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

    /// How many ticks were skipped because a callback or the loop took too long.
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
