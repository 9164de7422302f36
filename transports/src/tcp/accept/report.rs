//! What a listening port says of itself to a look inside: [`PortReport`]. Reads only.

use std::cell::Cell;

use sinew_reactor::Reactor;

use super::PortCore;
use crate::{
    inspect::{OpenPort, PortPause, PortReport},
    net::listener::Listener,
};

/// What is counted and known of a port for its reports only.
pub(super) struct PortFacts {
    pub(super) factory: &'static str,
    pub(super) is_tls: bool,
    /// Connections accepted.
    pub(super) accepted: Cell<u64>,
    /// Connections that could not be accepted, or were refused.
    pub(super) failures: Cell<u64>,
}

impl PortFacts {
    pub(super) fn new<F>(is_tls: bool) -> Self {
        let factory = std::any::type_name::<F>();
        Self { factory, is_tls, accepted: Cell::new(0), failures: Cell::new(0) }
    }

    pub(super) fn count_failure(&self) {
        self.failures.set(self.failures.get() + 1);
    }
}

impl OpenPort for PortCore {
    fn report(&self, _: &Reactor) -> Option<PortReport> {
        let listener = self.listener.borrow();
        let listener = listener.as_ref().filter(|_| !self.closed.get())?;
        let paused = [
            (self.paused.get(), PortPause::User),
            (self.backing_off.get(), PortPause::Failure),
            (self.is_full_everywhere(), PortPause::Limit),
        ];
        Some(PortReport {
            address: self.addr.to_string(),
            kind: kind_of(listener, &self.addr),
            is_tls: self.facts.is_tls,
            factory: self.facts.factory,
            connections: self.open_count(),
            accepted: self.facts.accepted.get(),
            failures: self.facts.failures.get(),
            limit: Some(self.config.connections_max),
            paused: paused.iter().find(|(is_paused, _)| *is_paused).map(|(_, why)| *why),
        })
    }
}

fn kind_of(listener: &Listener, addr: &str) -> &'static str {
    match listener {
        Listener::Kernel(_) => "tcp",
        #[cfg(unix)]
        Listener::Unix(_) => "unix",
        Listener::Elsewhere => "shared",
        Listener::Other(_) if addr.starts_with("memory:") => "memory",
        Listener::Other(_) if addr.starts_with("stdio:") => "stdio",
        // A network in the kernel's place, which has sockets of the internet only.
        Listener::Other(_) => "tcp",
    }
}
