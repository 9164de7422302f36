//! Where in its life a reactor is: the flags that a run sets and the loop asks for. They decide nothing.

use std::cell::Cell;

use crate::clock::Clock;

/// Where in its life a reactor is.
#[derive(Debug, Default)]
pub(crate) struct RunState {
    /// In `run` or `turn`.
    entered: Cell<bool>,
    /// As `is_running` tells.
    running: Cell<bool>,
    stop: Cell<bool>,
    crash: Cell<bool>,
}

impl RunState {
    /// `None` if it is entered already.
    pub(crate) fn enter<'a>(&'a self, clock: &'a Clock) -> Option<Entered<'a>> {
        if self.entered.replace(true) {
            return None;
        }
        self.stop.set(false);
        self.crash.set(false);
        clock.hold(true);
        Some(Entered { state: self, clock })
    }

    pub(crate) fn is_entered(&self) -> bool {
        self.entered.get()
    }

    /// Whether the loop should come round without waiting.
    pub(crate) fn should_exit(&self) -> bool {
        self.stop.get() || self.crash.get()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running.get()
    }

    /// `false` if it was asked to already.
    pub(crate) fn ask_stop(&self) -> bool {
        !self.stop.replace(true)
    }

    pub(crate) fn ask_crash(&self) {
        self.crash.set(true);
    }

    pub(crate) fn has_crashed(&self) -> bool {
        self.crash.get()
    }

    pub(crate) fn set_running(&self, running: bool) {
        self.running.set(running);
    }

    /// The stop has been heard: from here on the flag stands for a second one, or for the last trigger being done.
    pub(crate) fn stop_noticed(&self) {
        self.stop.set(false);
    }
}

/// While it lives, the reactor cannot be entered a second time.
pub(crate) struct Entered<'a> {
    state: &'a RunState,
    clock: &'a Clock,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.state.entered.set(false);
        self.state.running.set(false);
        self.clock.hold(false);
    }
}
