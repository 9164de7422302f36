//! The state shared by a network and its hosts: the world, and its processes. [`Simulation`]. The run loop is in
//! `scheduler.rs`.

use std::cell::{Cell, RefCell};

use super::{faults::Faults, process::Process, world::Shared};

/// An invariant checked after every event.
pub(super) type Check = Box<dyn FnMut()>;

/// The state behind a network and its hosts.
pub(super) struct Simulation {
    pub(super) world: Shared,
    pub(super) processes: RefCell<Vec<Process>>,
    pub(super) faults: Faults,
    /// Called after every event.
    pub(super) checks: RefCell<Vec<Check>>,
    pub(super) running: Cell<bool>,
    pub(super) panics_allowed: Cell<bool>,
}
