//! A hang must fail, with a message: [`Watchdog`] ends the process when a test takes longer than it may. The tests of all crates use
//! this file, each by its path.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::{
    process,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// How long a test may take, unless it says otherwise. A hundred times what the slowest needs.
const LIMIT: Duration = Duration::from_secs(100);

thread_local! {
    static OF_THIS_TEST: Watchdog = Watchdog::new(
        thread::current().name().unwrap_or("a test without a name"),
    );
}

/// Has the test that runs on this thread end the process when it takes longer than it may. Each test has a thread of its own, and the
/// time ends with that; to ask again changes nothing.
pub(crate) fn watch_this_test() {
    OF_THIS_TEST.with(|_| ());
}

/// While it lives, its time runs.
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
