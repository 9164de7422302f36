//! The run state of a reactor: flags that a run sets and the loop reads. No decisions are made here.

use std::cell::Cell;

use crate::clock::Clock;

/// The run state of a reactor.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// Inside `run` or `turn`.
    entered: Cell<bool>,
    /// The value of `is_running`.
    running: Cell<bool>,
    stop: Cell<bool>,
    /// A stop was requested in this run.
    stopping: Cell<bool>,
    crash: Cell<bool>,
}

impl RunState {
    /// `None` if it is entered already.
    pub(crate) fn enter<'a>(&'a self, clock: &'a Clock) -> Option<Entered<'a>> {
        if self.entered.replace(true) {
            return None;
        }
        self.stop.set(false);
        self.stopping.set(false);
        self.crash.set(false);
        clock.keep_sample(true);
        Some(Entered { state: self, clock })
    }

    pub(crate) fn is_entered(&self) -> bool {
        self.entered.get()
    }

    /// Whether the loop should leave, so that a turn must not wait.
    pub(crate) fn should_exit(&self) -> bool {
        self.stop.get() || self.crash.get()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// `false` if a stop was requested already.
    pub(crate) fn request_stop(&self) -> bool {
        self.stopping.set(true);
        !self.stop.replace(true)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn request_crash(&self) {
        self.crash.set(true);
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.crash.get()
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// The stop is being handled. From here on the flag means a second stop, or that the last trigger is done.
    pub(crate) fn acknowledge_stop(&self) {
        self.stop.set(false);
    }
}

/// Proof that the reactor is entered. While it lives, the reactor cannot be entered a second time.
pub(crate) struct Entered<'a> {
    state: &'a RunState,
    clock: &'a Clock,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.state.entered.set(false);
        self.state.running.set(false);
        self.clock.keep_sample(false);
    }
}
