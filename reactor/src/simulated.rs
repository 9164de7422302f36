//! Simulated reactors, for deterministic tests: [`Reactor::simulated`], advancing their virtual clock, and [`Driver`] for
//! simulations of several reactors. No kernel, no threads.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use crate::{Engine, Phase, Reactor, RunError, reactor::Inner};

/// Turns at one instant of virtual time; a reactor that needs more keeps rescheduling itself forever.
const TURNS_PER_INSTANT_MAX: usize = 100_000;

/// The maximum of turns of [`Reactor::run_until_idle`].
const TURNS_UNTIL_IDLE_MAX: usize = 1_000_000;

impl Reactor {
    /// A reactor without a kernel: its virtual clock stands still until it is advanced, it has no descriptors and
    /// receives no signals. Randomness ([`random`](Self::random), and when the jobs of the thread pool complete) is
    /// derived from `seed`, so two of them with the same seed behave the same.
    ///
    /// [`run`](Self::run) and [`run_until`](Self::run_until) work as usual, but where a real reactor would sleep the clock
    /// jumps to the next timer. [`turn`](Self::turn) with a wait does the same. Jobs of
    /// [`defer_to_thread`](Self::defer_to_thread) run on this thread, some milliseconds after they were submitted. The wall
    /// clock starts at 2026-01-01 00:00:00 UTC.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sinew_reactor::Reactor;
    ///
    /// let reactor = Reactor::simulated(7);
    /// let ten_years = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    /// let clone = reactor.clone();
    /// reactor.run_until(async move { clone.sleep(ten_years).await })?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn simulated(seed: u64) -> Self {
        let builder = Self::builder().engine(Engine::Simulated).seed(seed);
        builder.build().expect("the simulated engine makes no system call that could fail")
    }

    /// Advances the clock of a simulated reactor by `by` and fires everything that is due on the way: each timer fires
    /// when the clock shows exactly its tick. Work that is pending at the start is done first.
    ///
    /// # Errors
    ///
    /// [`RunError::NotSimulated`] or [`RunError::Driven`] if the caller does not control its clock;
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::NeverIdle`] if time cannot pass because there is
    /// always more to do; [`RunError::Stopped`] if a callback called [`stop`](Self::stop), with the clock at that instant.
    pub fn advance(&self, by: Duration) -> Result<(), RunError> {
        let target = self.inner.clock.age().saturating_add(by);
        self.turn_until(|inner| inner.wakeup().filter(|at| *at <= target), usize::MAX)?;
        self.inner.clock.advance_to(target);
        Ok(())
    }

    /// Runs a simulated reactor, with its clock jumping from timer to timer, until nothing is left to wait for.
    ///
    /// # Errors
    ///
    /// [`RunError::NeverIdle`] after a million turns, for instance if there is a [`call_every`](Self::call_every).
    /// Otherwise as [`advance`](Self::advance).
    pub fn run_until_idle(&self) -> Result<(), RunError> {
        self.turn_until(Inner::wakeup, TURNS_UNTIL_IDLE_MAX)
    }

    /// The time until the loop has work without an event: zero if it has some now, `None` if there is nothing to wait
    /// for. It may be slightly before the next timer, never after it.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.inner.timeout(None)
    }

    /// Sets the wall clock of a simulated reactor; timers are not affected. Does nothing on a real one.
    pub fn set_wall_clock(&self, now: SystemTime) {
        self.inner.clock.set_wall(now);
    }

    /// Hands control of a simulated reactor's time to a [`Driver`]: from now on only the driver advances it, and
    /// [`run`](Self::run) and [`advance`](Self::advance) fail. For simulations of several reactors on one virtual
    /// clock.
    ///
    /// # Errors
    ///
    /// [`RunError::NotSimulated`], or [`RunError::Driven`] if it has a driver already.
    pub fn take_over(&self) -> Result<Driver, RunError> {
        self.check_drivable()?;
        self.inner.driven.set(true);
        Ok(Driver {
            reactor: self.clone(),
            started: Cell::new(false),
            triggers_pending: RefCell::default(),
        })
    }

    fn check_drivable(&self) -> Result<(), RunError> {
        if !self.inner.clock.is_virtual() {
            return Err(RunError::NotSimulated);
        }
        if self.inner.driven.get() { Err(RunError::Driven) } else { Ok(()) }
    }

    /// Turns until nothing is left to do now, advances to the time that `next` returns, and so on until it returns `None`.
    fn turn_until(
        &self,
        next: impl Fn(&Inner) -> Option<Duration>,
        turns_max: usize,
    ) -> Result<(), RunError> {
        self.check_drivable()?;
        let inner = &*self.inner;
        let _entered = self.enter()?;
        let _wakeups = self.inner.enter_thread();
        inner.set_turning();
        let (mut turns, mut turns_at_instant) = (0, 0);
        loop {
            self.turn_once(Some(Duration::ZERO))?;
            (turns, turns_at_instant) = (turns + 1, turns_at_instant + 1);
            if inner.state.should_exit() {
                return Err(RunError::Stopped);
            }
            if turns >= turns_max || turns_at_instant >= TURNS_PER_INSTANT_MAX {
                return Err(RunError::NeverIdle { turns });
            }
            let Some(at) = next(inner) else { return Ok(()) };
            if at > inner.clock.age() {
                turns_at_instant = 0;
                inner.clock.advance_to(at);
            }
        }
    }
}

impl Inner {
    /// A simulated reactor's substitute for sleeping: the clock jumps.
    pub(crate) fn jump(&self, wait: Option<Duration>) -> Result<(), RunError> {
        if self.driven.get() {
            return Err(RunError::Driven);
        }
        let at = wait.map(|wait| self.clock.age().saturating_add(wait));
        let at = at.filter(|at| self.clock.can_represent(*at)).ok_or(RunError::NothingLeft)?;
        self.clock.advance_to(at);
        Ok(())
    }

    /// The time, counted from the origin, at which there is work.
    fn wakeup(&self) -> Option<Duration> {
        let at = self.clock.age().saturating_add(self.timeout(None)?);
        self.clock.can_represent(at).then_some(at)
    }

    fn set_turning(&self) {
        self.shared.set_ended(false);
        self.state.set_running(true);
    }
}

/// The result of a [`Driver::turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turned {
    /// Nothing is left to do now.
    Asleep,
    /// The reactor was stopped and has shut down: nothing is left of the run.
    Ended,
}

/// Sent to every handler ([`Handler::message_received`](crate::Handler::message_received)) by [`Driver::kill`], and
/// when a child of fork(2) drops its copy of a reactor: release everything and notify neither the protocol nor the
/// peer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Killed;

/// Controls the virtual time of a simulated reactor, and turns it, as one of several in a simulation. Times are counted
/// from the creation of the reactor.
#[must_use = "without its driver the reactor never turns"]
pub struct Driver {
    reactor: Reactor,
    started: Cell<bool>,
    /// While the shutdown waits for triggers of `BeforeShutdown`: how many are pending.
    triggers_pending: RefCell<Option<Rc<Cell<usize>>>>,
}

impl Driver {
    /// The reactor.
    #[must_use]
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The reactor's time.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.reactor.inner.clock.age()
    }

    /// When there is work; a time that is not after now if there is some already.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.reactor.inner.wakeup()
    }

    /// Advances the clock and does nothing else. Timers that became due meanwhile fire late, as in a process that was
    /// suspended.
    pub fn advance_clock_to(&self, elapsed: Duration) {
        self.reactor.inner.clock.advance_to(elapsed);
    }

    /// Turns the reactor until it would sleep. As in [`run`](Reactor::run), the startup phases come before the first turn,
    /// and a [`stop`](Reactor::stop) starts the shutdown phases, for as many turns as they take.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] from inside its own callbacks; [`RunError::NeverIdle`] if it never becomes idle.
    pub fn turn(&self) -> Result<Turned, RunError> {
        let reactor = &self.reactor;
        let inner = &*reactor.inner;
        let _entered = reactor.enter()?;
        let _wakeups = reactor.inner.enter_thread();
        if !self.started.replace(true) {
            reactor.fire(Phase::BeforeStartup);
            inner.set_turning();
            reactor.fire(Phase::AfterStartup);
        }
        inner.set_turning();
        for _ in 0..TURNS_PER_INSTANT_MAX {
            reactor.turn_once(Some(Duration::ZERO))?;
            if inner.state.should_exit() && self.can_end() {
                reactor.shut_down();
                return Ok(Turned::Ended);
            }
            if inner.timeout(None) != Some(Duration::ZERO) {
                return Ok(Turned::Asleep);
            }
        }
        Err(RunError::NeverIdle { turns: TURNS_PER_INSTANT_MAX })
    }

    /// The loop was asked to stop. Returns `false` if shutdown triggers are still to be waited for.
    fn can_end(&self) -> bool {
        if self.triggers_pending.take().is_some() {
            return true;
        }
        let reactor = &self.reactor;
        reactor.inner.state.acknowledge_stop();
        let waiting = reactor.fire(Phase::BeforeShutdown);
        if waiting.get() == 0 {
            return true;
        }
        *self.triggers_pending.borrow_mut() = Some(waiting);
        reactor.call_later(reactor.inner.settings.shutdown_max, |reactor| {
            let _ = reactor.stop();
        });
        false
    }

    /// Ends the reactor as a killed process would: everything is dropped, and no callback runs.
    pub fn kill(&self) {
        let Ok(_entered) = self.reactor.enter() else { return };
        let _wakeups = self.reactor.inner.enter_thread();
        self.reactor.notify_killed();
        self.reactor.end();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("age", &self.age()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
