//! What a network and its hosts share: the world, and the processes in it. [`Simulation`]. How it goes on is in `scheduler.rs`.

use std::cell::{Cell, RefCell};

use super::{faults::Faults, process::Process, world::Shared};

/// Something that must hold after every event.
pub(super) type Check = Box<dyn FnMut()>;

/// See the head of this file.
pub(super) struct Simulation {
    pub(super) world: Shared,
    pub(super) processes: RefCell<Vec<Process>>,
    pub(super) faults: Faults,
    /// What is called after every event.
    pub(super) checks: RefCell<Vec<Check>>,
    pub(super) running: Cell<bool>,
    pub(super) panics_allowed: Cell<bool>,
}
