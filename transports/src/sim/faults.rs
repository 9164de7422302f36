//! The faults of a run: those that chance and plans bring, which are kept, or those that come in their place. [`Faults`].

use std::cell::{Cell, RefCell};

use super::{
    act::Act,
    network::{Inner, Network},
    plan::{Entry, Plan},
    world::Event,
};

/// See the head of this file.
#[derive(Default)]
pub(super) struct Faults {
    /// What has begun, in the network's time.
    begun: RefCell<Vec<Entry>>,
    /// What comes in place of all that chance and plans would bring; it is on the way once the network goes on.
    given: Cell<Option<Plan>>,
    are_given: bool,
    /// Chance is on its way to have a say, once and not twice.
    pub(super) chance_is_due: Cell<bool>,
}

impl Faults {
    fn given(plan: Plan) -> Self {
        Self { given: Cell::new(Some(plan)), are_given: true, ..Self::default() }
    }

    /// Whether chance and plans have no say.
    pub(super) const fn are_given(&self) -> bool {
        self.are_given
    }
}

impl Network {
    /// A network in which these faults happen, at these times since it began, and none that the program asks for by
    /// [`set_chance`](Self::set_chance) and [`plan`](Self::plan).
    pub(crate) fn with_faults(seed: u64, plan: Plan) -> Self {
        Self::with(seed, Faults::given(plan))
    }

    /// The faults that have begun so far, of those by chance and by plans, as a plan that counts from the start of the
    /// simulation.
    pub fn faults(&self) -> Plan {
        Plan { entries: self.inner.faults.begun.borrow().clone() }
    }
}

impl Inner {
    /// Puts the faults that were given on their way.
    pub(super) fn arm_faults(&self) {
        if let Some(plan) = self.faults.given.take() {
            let world = &mut *self.world.borrow_mut();
            for entry in plan.entries {
                let wait = entry.at.saturating_sub(world.now.since_start());
                world.schedule_in(wait, Event::Do(Act::Begin(entry)));
            }
        }
    }

    /// A fault begins, and will end when it is to.
    pub(super) fn begin(&self, entry: Entry) {
        let Entry { fault, lasts, .. } = entry;
        let (act, undo) = match self.world.borrow().acts(&fault) {
            Ok(acts) => acts,
            // Only of a plan that was made for another program: others are looked at before.
            Err(error) => panic!("{fault}: {error}"),
        };
        {
            let world = &mut *self.world.borrow_mut();
            let at = world.now.since_start();
            self.faults.begun.borrow_mut().push(Entry { at, fault, lasts });
            if let (Some(lasts), Some(undo)) = (lasts, undo) {
                world.schedule_in(lasts, Event::Do(undo));
            }
        }
        self.act(act);
    }

    pub(super) fn take_chance(&self) {
        let Some(chance) = self.chance.borrow().clone() else {
            return self.faults.chance_is_due.set(false);
        };
        let drawn = {
            let world = &mut *self.world.borrow_mut();
            let names: Vec<_> =
                world.machines.iter().map(|machine| machine.name.to_string()).collect();
            let drawn = chance.draw(&mut world.random.faults, world.now, &names);
            let wait = chance.wait(&mut world.random.faults);
            world.schedule_in(wait, Event::Do(Act::Chance));
            drawn
        };
        drawn.into_iter().for_each(|entry| self.begin(entry));
    }
}
