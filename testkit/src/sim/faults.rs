//! The faults of a run: [`Faults`] records those started by plans and random faults, or holds a fixed list that
//! replaces them.

use std::cell::{Cell, RefCell};

use super::{
    plan::{Entry, Plan},
    random_faults::RandomFaults,
};

/// The fault state of a simulation.
#[derive(Default)]
pub(super) struct Faults {
    /// The faults started so far, with times since the start of the network.
    pub(super) started: RefCell<Vec<Entry>>,
    /// Replaces all planned and random faults; scheduled when the network first runs.
    pub(super) replacement: Cell<Option<Plan>>,
    is_replaced: bool,
    /// The current settings of random faults.
    pub(super) random_faults: RefCell<Option<RandomFaults>>,
    /// Whether a draw of a random fault is scheduled, to avoid scheduling two.
    pub(super) draw_is_scheduled: Cell<bool>,
}

impl Faults {
    pub(super) fn replaced_by(plan: Plan) -> Self {
        Self { replacement: Cell::new(Some(plan)), is_replaced: true, ..Self::default() }
    }

    /// Whether planned and random faults are replaced.
    pub(super) const fn is_replaced(&self) -> bool {
        self.is_replaced
    }
}
