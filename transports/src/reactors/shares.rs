//! Ports that several reactors share and that are not part of their plan: [`PortShares`], for services that open ports by
//! themselves.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    ListenConfig,
    sharing::{Distribution, Share, SharedPort},
};

/// What the reactors of a [`Reactors`](super::Reactors) know in common of ports that each opens by itself, in
/// [`setup`](super::Reactors::setup) or later. Ports have numbers, the same on each reactor. `Send + Sync`, cheap to clone.
///
/// From [`Reactors::port_shares`](super::Reactors::port_shares). [`Reactors::listen`](super::Reactors::listen) does all this by
/// itself.
#[derive(Clone)]
pub struct PortShares(Arc<Shares>);

struct Shares {
    shards: usize,
    distribution: Distribution,
    ports: Mutex<Vec<Arc<SharedPort>>>,
}

impl PortShares {
    pub(super) fn new(shards: usize, distribution: Distribution) -> Self {
        Self(Arc::new(Shares { shards, distribution, ports: Mutex::default() }))
    }

    fn port(&self, number: usize) -> Arc<SharedPort> {
        let shares = &*self.0;
        let mut ports = shares.ports.lock().unwrap_or_else(PoisonError::into_inner);
        while ports.len() <= number {
            ports.push(SharedPort::new(shares.shards, shares.distribution));
        }
        ports[number].clone()
    }

    /// The configuration with which the reactor of the index `shard` opens the port of this number. The first reactor opens it
    /// first, and calls [`opened`](Self::opened). `None`: the kind of endpoint cannot be shared, and the first reactor has it.
    #[must_use]
    pub fn config(
        &self,
        shard: usize,
        number: usize,
        config: ListenConfig,
    ) -> Option<ListenConfig> {
        let port = self.port(number);
        if port.is_only_first() && shard > 0 {
            return None;
        }
        let share = Share { port, shard };
        Some(ListenConfig { share: Some(share), ..config })
    }

    /// A port of this number has been opened.
    pub fn opened(&self, number: usize) {
        self.port(number).settle();
    }
}

impl fmt::Debug for PortShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortShares").field("shards", &self.0.shards).finish_non_exhaustive()
    }
}
