//! What a datagram socket says of itself to a look inside: [`PortReport`]. Reads only.

use std::any::{Any, TypeId};

use sinew_reactor::Reactor;

use super::Core;
use crate::{
    datagram::DatagramAddr,
    inspect::{OpenPort, PortPause, PortReport},
};

impl<A: DatagramAddr + Any> OpenPort for Core<A> {
    fn report(&self, _: &Reactor) -> Option<PortReport> {
        self.socket.borrow().as_ref()?;
        let (stats, flags) = (self.stats.get(), self.flags.get());
        let is_inet = TypeId::of::<A>() == TypeId::of::<std::net::SocketAddr>();
        let paused = match (flags.paused, self.backoff.get()) {
            (true, _) => Some(PortPause::User),
            (false, Some(_)) => Some(PortPause::Failure),
            (false, None) => None,
        };
        Some(PortReport {
            address: self.local.to_string(),
            kind: if is_inet { "udp" } else { "unix datagram" },
            is_tls: false,
            factory: self.name,
            connections: 0,
            accepted: stats.received,
            failures: stats.truncated + stats.overflowed + stats.failed + stats.wrong_sender,
            limit: None,
            paused,
        })
    }
}
