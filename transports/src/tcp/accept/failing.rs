//! What a port does when accept(2) fails: it uses its spare descriptor, or accepts nothing for a while, and says so once.

use std::{io, time::Duration};

use sinew_reactor::{AcceptFailure, Reactor};

use super::PortCore;
use crate::net::listener::Listener;

/// Pause after an accept(2) error that leaves the backlog unchanged (no descriptors, no memory, no permission).
pub(super) const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

impl PortCore {
    /// With the spare descriptor the client's connection is accepted and closed; without it, accepting pauses.
    pub(super) fn out_of_descriptors(&self, reactor: &Reactor, error: &io::Error) {
        if self.spare.take().is_none() {
            self.keep_spare();
            return self.back_off(reactor, error);
        }
        self.facts.count_failure();
        self.log_once(
            error,
            "could not accept connections: out of file descriptors; new clients are disconnected",
        );
        // The accepted socket is closed before its descriptor becomes the spare one again.
        let failure = self.accept_one(reactor).map(drop).map_err(|error| AcceptFailure::of(&error));
        self.keep_spare();
        match failure {
            Ok(()) | Err(AcceptFailure::Skip) => {}
            // accept(2) allocates a descriptor before it checks the backlog, which was empty.
            Err(AcceptFailure::Drained) => self.readable.set(false),
            Err(AcceptFailure::NoDescriptors | AcceptFailure::Wait) => {
                self.back_off(reactor, error)
            }
        }
    }

    /// Pauses accepting: the backlog is unchanged, so retrying at once would be a busy loop.
    pub(super) fn back_off(&self, reactor: &Reactor, error: &io::Error) {
        self.facts.count_failure();
        self.log_once(error, "could not accept connections; retrying every 100 ms");
        self.backing_off.set(true);
        reactor.arm_timer(self.registered_as(), ACCEPT_BACKOFF);
    }

    pub(super) fn keep_spare(&self) {
        let spare = self.listener.borrow().as_ref().and_then(Listener::spare);
        self.spare.replace(spare);
    }

    /// Logs once until the next connection is accepted.
    pub(super) fn log_once(&self, error: &io::Error, what: &str) {
        if !self.failure_logged.replace(true) {
            tracing::error!(port = %self.addr, %error, "{what}");
        }
    }
}
