//! A hang must fail, with a message: [`Watchdog`] ends the process when a test takes longer than it may.

use std::{
    process,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::Duration,
};

/// How long a test may take, unless it says otherwise. A hundred times what the slowest needs.
const LIMIT: Duration = Duration::from_secs(100);

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
