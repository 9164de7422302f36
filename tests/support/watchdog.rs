//! Test timeouts: [`Watchdog`] ends the process with a message when a test hangs. The tests of all crates include
//! this file by its path.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::{
    process,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// Default time limit of a test, a hundred times what the slowest needs.
const LIMIT: Duration = Duration::from_secs(100);

thread_local! {
    static OF_THIS_TEST: Watchdog = Watchdog::new(
        thread::current().name().unwrap_or("an unnamed test"),
    );
}

/// Starts a watchdog for the test on this thread. Each test has its own thread, and the watchdog stops when it ends;
/// repeated calls have no effect.
pub(crate) fn watch_this_test() {
    OF_THIS_TEST.with(|_| ());
}

/// The watchdog runs while this exists.
pub(crate) struct Watchdog(#[allow(dead_code, reason = "dropping it is the message")] Sender<()>);

impl Watchdog {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::within(LIMIT, what)
    }

    pub(crate) fn within(limit: Duration, what: impl Into<String>) -> Self {
        let what = what.into();
        let (alive, dog) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                if dog.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("\nwatchdog: {what} has not ended after {limit:?}; giving up");
                    process::abort();
                }
            })
            .expect("a thread for the watchdog");
        Self(alive)
    }
}
