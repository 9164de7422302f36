//! The faults of a run: those that chance and plans bring, which are kept, or those that come in their place. [`Faults`].

use std::cell::{Cell, RefCell};

use super::{
    plan::{Entry, Plan},
    random_faults::RandomFaults,
};

/// See the head of this file.
#[derive(Default)]
pub(super) struct Faults {
    /// What has begun, in the network's time.
    pub(super) begun: RefCell<Vec<Entry>>,
    /// What comes in place of all that chance and plans would bring; it is on the way once the network goes on.
    pub(super) given: Cell<Option<Plan>>,
    are_given: bool,
    /// What comes by chance now.
    pub(super) random_faults: RefCell<Option<RandomFaults>>,
    /// RandomFaults is on its way to have a say, once and not twice.
    pub(super) chance_is_due: Cell<bool>,
}

impl Faults {
    pub(super) fn given(plan: Plan) -> Self {
        Self { given: Cell::new(Some(plan)), are_given: true, ..Self::default() }
    }

    /// Whether chance and plans have no say.
    pub(super) const fn are_given(&self) -> bool {
        self.are_given
    }
}
