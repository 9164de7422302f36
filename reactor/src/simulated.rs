//! Reactors without a kernel: [`Reactor::simulated`], how their clock is moved on, and [`Driver`] for who moves the clocks
//! of several.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use crate::{Engine, Phase, Reactor, RunError, reactor::Inner};

/// Turns in which time does not pass; whoever needs more calls himself for ever.
const TURNS_PER_MOMENT_MAX: usize = 100_000;

/// Turns that [`Reactor::run_until_idle`] makes at most.
const TURNS_UNTIL_IDLE_MAX: usize = 1_000_000;

impl Reactor {
    /// A reactor without a kernel: its clock stands still until it is moved, it has no descriptors and hears no signals.
    /// What is drawn at random ([`random`](Self::random), and when the jobs of the thread pool are done) comes from `seed`,
    /// so two of them with the same seed do the same.
    ///
    /// [`run`](Self::run) and [`run_until`](Self::run_until) go on as ever, but where a real reactor would sleep the clock
    /// jumps to the next timer. [`turn`](Self::turn) with a wait does the same. Jobs of
    /// [`defer_to_thread`](Self::defer_to_thread) run on this thread, some milliseconds after they were handed in. The wall
    /// clock begins at 2026-01-01 00:00:00 UTC.
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
        builder.build().expect("without a kernel there is nobody to refuse")
    }

    /// Moves the clock of a simulated reactor on, through everything that is due until then: time stands exactly at the tick
    /// of each timer when it runs. All that was there to do before is done first.
    ///
    /// # Errors
    ///
    /// [`RunError::NotSimulated`] or [`RunError::Driven`] if its clock is not the caller's to move;
    /// [`RunError::AlreadyRunning`] from inside a callback; [`RunError::NeverIdle`] if time cannot pass because there is
    /// always more to do; [`RunError::Stopped`] if a callback said [`stop`](Self::stop), with the clock at that moment.
    pub fn advance(&self, by: Duration) -> Result<(), RunError> {
        let target = self.inner.clock.age().saturating_add(by);
        self.pass_through(|inner| inner.wakeup().filter(|at| *at <= target), usize::MAX)?;
        self.inner.clock.pass_to(target);
        Ok(())
    }

    /// Turns a simulated reactor, with its clock jumping from timer to timer, until nothing is left to wait for.
    ///
    /// # Errors
    ///
    /// [`RunError::NeverIdle`] after a million turns; a series of [`call_every`](Self::call_every) has no end, for one. Else
    /// as [`advance`](Self::advance).
    pub fn run_until_idle(&self) -> Result<(), RunError> {
        self.pass_through(Inner::wakeup, TURNS_UNTIL_IDLE_MAX)
    }

    /// How long until the loop has something to do by itself: zero if that is now, `None` if there is nothing to wait for. It
    /// may be a moment before the next timer, never after it.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.inner.timeout(None)
    }

    /// Sets the wall clock of a simulated reactor; timers are not concerned. A real one takes no notice.
    pub fn set_wall_clock(&self, now: SystemTime) {
        self.inner.clock.set_wall(now);
    }

    /// Takes over the time of a simulated reactor: from now on only the [`Driver`] moves it, and [`run`](Self::run) and
    /// [`advance`](Self::advance) refuse. For simulations that turn several reactors by one time.
    ///
    /// # Errors
    ///
    /// [`RunError::NotSimulated`], or [`RunError::Driven`] if somebody has taken it over already.
    pub fn take_over(&self) -> Result<Driver, RunError> {
        self.must_be_mine()?;
        self.inner.driven.set(true);
        Ok(Driver { reactor: self.clone(), started: Cell::new(false), closing: RefCell::default() })
    }

    fn must_be_mine(&self) -> Result<(), RunError> {
        if !self.inner.clock.is_virtual() {
            return Err(RunError::NotSimulated);
        }
        if self.inner.driven.get() { Err(RunError::Driven) } else { Ok(()) }
    }

    /// Turns until nothing is left to do now, passes on to the time that `next` gives, and so on until it gives none.
    fn pass_through(
        &self,
        next: impl Fn(&Inner) -> Option<Duration>,
        turns_max: usize,
    ) -> Result<(), RunError> {
        self.must_be_mine()?;
        let inner = &*self.inner;
        let _entered = self.enter()?;
        inner.begin_turning();
        let (mut turns, mut in_moment) = (0, 0);
        loop {
            self.turn_once(Some(Duration::ZERO))?;
            (turns, in_moment) = (turns + 1, in_moment + 1);
            if inner.state.should_exit() {
                return Err(RunError::Stopped);
            }
            if turns >= turns_max || in_moment >= TURNS_PER_MOMENT_MAX {
                return Err(RunError::NeverIdle { turns });
            }
            let Some(at) = next(inner) else { return Ok(()) };
            if at > inner.clock.age() {
                in_moment = 0;
                inner.clock.pass_to(at);
            }
        }
    }
}

impl Inner {
    /// What a simulated reactor does in place of sleeping.
    pub(crate) fn jump(&self, wait: Option<Duration>) -> Result<(), RunError> {
        if self.driven.get() {
            return Err(RunError::Driven);
        }
        let at = wait.map(|wait| self.clock.age().saturating_add(wait));
        let at = at.filter(|at| self.clock.can_be(*at)).ok_or(RunError::NothingLeft)?;
        self.clock.pass_to(at);
        Ok(())
    }

    /// The time, counted from the origin, at which there is something to do.
    fn wakeup(&self) -> Option<Duration> {
        let at = self.clock.age().saturating_add(self.timeout(None)?);
        self.clock.can_be(at).then_some(at)
    }

    fn begin_turning(&self) {
        self.shared.set_ended(false);
        self.state.set_running(true);
    }
}

/// What became of a [`Driver::turn`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turned {
    /// There is nothing left to do now.
    Asleep,
    /// The reactor was stopped, and its shutdown is done: nothing is left of the run.
    Ended,
}

/// Said to every handler ([`Handler::message_received`](crate::Handler::message_received)) by [`Driver::kill`], and when a child of fork(2) drops its
/// copy of a reactor: let go of everything and tell nobody, neither the protocol nor the peer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Killed;

/// Moves the time of a simulated reactor, and turns it, as one of several that share a simulation. Times are counted from
/// the making of the reactor.
#[must_use = "dropping it leaves the reactor without anybody who turns it"]
pub struct Driver {
    reactor: Reactor,
    started: Cell<bool>,
    /// While the triggers of `BeforeShutdown` are waited for: how many.
    closing: RefCell<Option<Rc<Cell<usize>>>>,
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

    /// When there is something to do; not after now if that is so already.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Duration> {
        self.reactor.inner.wakeup()
    }

    /// Moves the clock on and does nothing else. What became due meanwhile is late, as in a process that was held up.
    pub fn pass_to(&self, elapsed: Duration) {
        self.reactor.inner.clock.pass_to(elapsed);
    }

    /// Turns the reactor until it would sleep. As in [`run`](Reactor::run), the first turn is preceded by the phases of
    /// startup, and a [`stop`](Reactor::stop) is followed by those of shutdown, for as many turns as they take.
    ///
    /// # Errors
    ///
    /// [`RunError::AlreadyRunning`] from inside its own callbacks; [`RunError::NeverIdle`] if it never comes to sleep.
    pub fn turn(&self) -> Result<Turned, RunError> {
        let reactor = &self.reactor;
        let inner = &*reactor.inner;
        let _entered = reactor.enter()?;
        if !self.started.replace(true) {
            reactor.fire(Phase::BeforeStartup);
            inner.begin_turning();
            reactor.fire(Phase::AfterStartup);
        }
        inner.begin_turning();
        for _ in 0..TURNS_PER_MOMENT_MAX {
            reactor.turn_once(Some(Duration::ZERO))?;
            if inner.state.should_exit() && self.may_end() {
                reactor.shut_down();
                return Ok(Turned::Ended);
            }
            if inner.timeout(None) != Some(Duration::ZERO) {
                return Ok(Turned::Asleep);
            }
        }
        Err(RunError::NeverIdle { turns: TURNS_PER_MOMENT_MAX })
    }

    /// The loop was asked to stop, or need not wait any longer. `false` if there is something to wait for.
    fn may_end(&self) -> bool {
        if self.closing.take().is_some() {
            return true;
        }
        let reactor = &self.reactor;
        reactor.inner.state.stop_noticed();
        let waiting = reactor.fire(Phase::BeforeShutdown);
        if waiting.get() == 0 {
            return true;
        }
        *self.closing.borrow_mut() = Some(waiting);
        reactor.call_later(reactor.inner.settings.shutdown_max, |reactor| {
            let _ = reactor.stop();
        });
        false
    }

    /// Ends it as a process is killed: everything is dropped, and nobody is told.
    pub fn kill(&self) {
        let Ok(_entered) = self.reactor.enter() else { return };
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
