//! The descriptor limit of a simulated process: [`Descriptor`] counts one open descriptor.

use std::{cell::Cell, io};

use super::{
    id::HostId,
    node::AcceptFault,
    world::{Shared, World},
};

/// One open descriptor of a process. Dropping it closes it.
pub(super) struct Descriptor {
    world: Shared,
    host: HostId,
    process: u32,
    given_back: Cell<bool>,
}

impl Descriptor {
    /// Fails with `EMFILE` if the process has reached its descriptor limit.
    pub(super) fn take(shared: &Shared, world: &mut World, host: HostId) -> io::Result<Self> {
        let node = world.node_mut(host);
        if node.descriptors >= node.descriptors_max {
            return Err(AcceptFault::ProcessLimit.error());
        }
        node.descriptors += 1;
        let process = node.process;
        Ok(Self { world: shared.clone(), host, process, given_back: Cell::new(false) })
    }

    /// Releases the descriptor while the world is already borrowed; dropping does the same when it is not.
    pub(super) fn give_back(&self, world: &mut World) {
        let node = world.node_mut(self.host);
        if !self.given_back.replace(true) && node.process == self.process {
            node.descriptors -= 1;
        }
    }

    /// Whether the process that owns it still exists.
    pub(super) fn is_live(&self, world: &World) -> bool {
        world.node(self.host).process == self.process
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if !self.given_back.get() {
            let shared = self.world.clone();
            self.give_back(&mut shared.borrow_mut());
        }
    }
}
