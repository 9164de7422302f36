//! Scheduling of faults: from plans, random faults, or a fixed list that replaces both (for replay and shrinking).

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
    /// A network in which exactly these faults happen, at these times since its start. Faults requested by the
    /// program through [`set_random_faults`](Self::set_random_faults) and [`plan`](Self::plan) are ignored.
    pub(crate) fn with_faults(seed: u64, plan: Plan) -> Self {
        Self::with(seed, Faults::replaced_by(plan))
    }

    /// All faults started so far, random or planned, as a plan with times relative to the start of the simulation.
    pub fn faults(&self) -> Plan {
        Plan { entries: self.inner.faults.started.borrow().clone() }
    }

    /// Enables random faults from now on, or disables them.
    pub fn set_random_faults(&self, random_faults: impl Into<Option<RandomFaults>>) {
        if self.inner.faults.is_replaced() {
            return;
        }
        let random_faults = random_faults.into();
        self.inner.faults.random_faults.replace(random_faults.clone());
        let Some(random_faults) = random_faults else { return };
        if !self.inner.faults.draw_is_scheduled.replace(true) {
            let world = &mut *self.inner.world.borrow_mut();
            let wait = random_faults.wait(&mut world.random.faults);
            world.schedule_in(wait, Event::Apply(FaultAction::RandomFaults));
        }
    }

    /// Schedules the faults of a plan, relative to now.
    ///
    /// # Errors
    ///
    /// [`PlanError::NoHost`]; nothing is then scheduled.
    pub fn plan(&self, plan: &Plan) -> Result<(), PlanError> {
        let world = &mut *self.inner.world.borrow_mut();
        plan.entries.iter().try_for_each(|entry| world.actions_for(&entry.fault).map(drop))?;
        if !self.inner.faults.is_replaced() {
            for entry in &plan.entries {
                world.schedule_in(entry.at, Event::Apply(FaultAction::Begin(entry.clone())));
            }
        }
        Ok(())
    }
}

impl Simulation {
    /// Schedules the replacement faults, if any.
    pub(super) fn schedule_replacement(&self) {
        if let Some(plan) = self.faults.replacement.take() {
            let world = &mut *self.world.borrow_mut();
            for entry in plan.entries {
                let wait = entry.at.saturating_sub(world.now.since_start());
                world.schedule_in(wait, Event::Apply(FaultAction::Begin(entry)));
            }
        }
    }

    /// Starts a fault, and schedules its end.
    pub(super) fn begin(&self, entry: Entry) {
        let Entry { fault, lasts, .. } = entry;
        let (act, undo) = match self.world.borrow().actions_for(&fault) {
            Ok(actions_for) => actions_for,
            // Only possible for a replacement plan of another program: other plans are validated first.
            Err(error) => panic!("{fault}: {error}"),
        };
        {
            let world = &mut *self.world.borrow_mut();
            let at = world.now.since_start();
            self.faults.started.borrow_mut().push(Entry { at, fault, lasts });
            if let (Some(lasts), Some(undo)) = (lasts, undo) {
                world.schedule_in(lasts, Event::Apply(undo));
            }
        }
        self.apply(act);
    }

    pub(super) fn draw_random_fault(&self) {
        let Some(random_faults) = self.faults.random_faults.borrow().clone() else {
            return self.faults.draw_is_scheduled.set(false);
        };
        let drawn = {
            let world = &mut *self.world.borrow_mut();
            let names: Vec<_> = world.nodes.iter().map(|node| node.name.to_string()).collect();
            let drawn = random_faults.draw(&mut world.random.faults, world.now, &names);
            let wait = random_faults.wait(&mut world.random.faults);
            world.schedule_in(wait, Event::Apply(FaultAction::RandomFaults));
            drawn
        };
        drawn.into_iter().for_each(|entry| self.begin(entry));
    }
}

impl World {
    /// The action of a fault, and the action that ends it.
    pub(super) fn actions_for(
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
                (FaultAction::CutOneWay(from, to), Some(FaultAction::JoinOneWay(from, to)))
            }
            Fault::Partition(left, right) => {
                let set = |names: &[String]| {
                    names.iter().map(host).collect::<Result<BTreeSet<HostId>, _>>()
                };
                let (left, right) = (set(left)?, set(right)?);
                (
                    FaultAction::Partition(left.clone(), right.clone()),
                    Some(FaultAction::HealPartition(left, right)),
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
