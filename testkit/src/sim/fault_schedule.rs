//! How faults come about: those of plans, those by chance, and those that are given in their place.

use std::collections::BTreeSet;

use super::{
    event::Event,
    fault_action::FaultAction,
    faults::Faults,
    id::HostId,
    network::Network,
    plan::{Entry, Fault, Plan, PlanError},
    random_faults::RandomFaults,
    simulation::Simulation,
    world::World,
};

impl Network {
    /// A network in which these faults happen, at these times since it began, and none that the program asks for by
    /// [`set_random_faults`](Self::set_random_faults) and [`plan`](Self::plan).
    pub(crate) fn with_faults(seed: u64, plan: Plan) -> Self {
        Self::with(seed, Faults::given(plan))
    }

    /// The faults that have begun so far, of those by chance and by plans, as a plan that counts from the start of the
    /// simulation.
    pub fn faults(&self) -> Plan {
        Plan { entries: self.inner.faults.begun.borrow().clone() }
    }

    /// Has faults happen by chance from now on, or none any more.
    pub fn set_random_faults(&self, random_faults: impl Into<Option<RandomFaults>>) {
        if self.inner.faults.are_given() {
            return;
        }
        let random_faults = random_faults.into();
        self.inner.faults.random_faults.replace(random_faults.clone());
        let Some(random_faults) = random_faults else { return };
        if !self.inner.faults.chance_is_due.replace(true) {
            let world = &mut *self.inner.world.borrow_mut();
            let wait = random_faults.wait(&mut world.random.faults);
            world.schedule_in(wait, Event::Do(FaultAction::RandomFaults));
        }
    }

    /// Has a plan carried out, from now on.
    ///
    /// # Errors
    ///
    /// [`PlanError::NoHost`], with nothing planned.
    pub fn plan(&self, plan: &Plan) -> Result<(), PlanError> {
        let world = &mut *self.inner.world.borrow_mut();
        plan.entries.iter().try_for_each(|entry| world.acts(&entry.fault).map(drop))?;
        if !self.inner.faults.are_given() {
            for entry in &plan.entries {
                world.schedule_in(entry.at, Event::Do(FaultAction::Begin(entry.clone())));
            }
        }
        Ok(())
    }
}

impl Simulation {
    /// Puts the faults that were given on their way.
    pub(super) fn arm_faults(&self) {
        if let Some(plan) = self.faults.given.take() {
            let world = &mut *self.world.borrow_mut();
            for entry in plan.entries {
                let wait = entry.at.saturating_sub(world.now.since_start());
                world.schedule_in(wait, Event::Do(FaultAction::Begin(entry)));
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
        self.apply(act);
    }

    pub(super) fn take_chance(&self) {
        let Some(random_faults) = self.faults.random_faults.borrow().clone() else {
            return self.faults.chance_is_due.set(false);
        };
        let drawn = {
            let world = &mut *self.world.borrow_mut();
            let names: Vec<_> = world.nodes.iter().map(|node| node.name.to_string()).collect();
            let drawn = random_faults.draw(&mut world.random.faults, world.now, &names);
            let wait = random_faults.wait(&mut world.random.faults);
            world.schedule_in(wait, Event::Do(FaultAction::RandomFaults));
            drawn
        };
        drawn.into_iter().for_each(|entry| self.begin(entry));
    }
}

impl World {
    /// What a fault does, and what undoes it.
    pub(super) fn acts(
        &self,
        fault: &Fault,
    ) -> Result<(FaultAction, Option<FaultAction>), PlanError> {
        let host = |name: &String| self.find(name).ok_or_else(|| PlanError::NoHost(name.clone()));
        Ok(match fault {
            Fault::Cut(a, b) => {
                let (a, b) = (host(a)?, host(b)?);
                (FaultAction::Cut(a, b), Some(FaultAction::Join(a, b)))
            }
            Fault::CutWay(from, to) => {
                let (from, to) = (host(from)?, host(to)?);
                (FaultAction::CutWay(from, to), Some(FaultAction::JoinWay(from, to)))
            }
            Fault::Partition(left, right) => {
                let set = |names: &[String]| {
                    names.iter().map(host).collect::<Result<BTreeSet<HostId>, _>>()
                };
                let (left, right) = (set(left)?, set(right)?);
                (
                    FaultAction::Part(left.clone(), right.clone()),
                    Some(FaultAction::Unite(left, right)),
                )
            }
            Fault::Reset(a, b) => (FaultAction::Reset(host(a)?, host(b)?), None),
            Fault::Pause(a) => (FaultAction::Pause(host(a)?), Some(FaultAction::Resume(host(a)?))),
            Fault::Kill(a) => (FaultAction::Kill(host(a)?), Some(FaultAction::Boot(host(a)?))),
            Fault::PowerOff(a) => {
                (FaultAction::PowerOff(host(a)?), Some(FaultAction::Boot(host(a)?)))
            }
            Fault::Restart(a) => (FaultAction::Boot(host(a)?), None),
            Fault::FailAccepts(a, fault) => (
                FaultAction::FailAccepts(host(a)?, Some(*fault)),
                Some(FaultAction::FailAccepts(host(a)?, None)),
            ),
        })
    }
}
