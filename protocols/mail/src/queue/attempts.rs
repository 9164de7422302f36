//! Attempts: what is due is started, with a limit of time, and its result is noted.

use std::{rc::Rc, sync::Arc};

use sinew_transports::reactor::Reactor;

use super::{
    Attempt, AttemptResult, Status, flush,
    inner::Inner,
    ledger::{Now, Unreported},
    schedule::{Destination, Parcel},
};

impl Inner {
    /// Has the loop start what is due. No user code is called from here.
    pub(crate) fn pump_soon(self: &Rc<Self>) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let weak = self.weak();
        let call = reactor.call_later(std::time::Duration::ZERO, move |reactor| {
            if let Some(inner) = weak.upgrade() {
                inner.pump(reactor);
            }
        });
        if let Some(old) = self.timer.replace(Some(call)) {
            old.cancel();
        }
    }

    /// Starts what is due, and sets the timer for what is due next.
    fn pump(self: &Rc<Self>, reactor: &Reactor) {
        self.timer.take();
        if self.is_stopping.get() {
            return;
        }
        loop {
            let next = self.schedule.borrow_mut().next(reactor.now());
            let Some(parcel) = next else { break };
            self.start(reactor, parcel);
        }
        let wakeup = self.schedule.borrow().wakeup(reactor.now());
        if let Some(at) = wakeup {
            let weak = self.weak();
            let after = at.saturating_duration_since(reactor.now());
            let call = reactor.call_later(after, move |reactor| {
                if let Some(inner) = weak.upgrade() {
                    inner.pump(reactor);
                }
            });
            self.timer.replace(Some(call));
        }
    }

    fn start(self: &Rc<Self>, reactor: &Reactor, parcel: Parcel) {
        let wall = self.wall(reactor);
        let Some((members, attempt)) = self.attempt(&parcel, wall) else {
            return self.schedule.borrow_mut().done(&parcel, None, None, |_| reactor.now());
        };
        let (weak, of_task, after) = (self.weak(), reactor.clone(), self.config.delivery_timeout);
        let agent = attempt.recipients.first().and_then(|to| self.agent(&to.agent));
        let key = parcel.clone();
        let task = reactor.spawn(async move {
            let result = match agent {
                None => {
                    let name = String::from_utf8_lossy(&attempt.recipients[0].agent).into_owned();
                    let status =
                        Status::new(4, 3, 5, format!("no delivery agent is called {name}"));
                    AttemptResult::unknown(&attempt, status)
                }
                Some(agent) => {
                    // A task of its own, so that a panic of the agent ends no more than the attempt.
                    let (of_agent, given) = (of_task.clone(), attempt.clone());
                    let deliver = async move { agent.deliver(&of_agent, given).await };
                    let task = of_task.spawn(deliver);
                    match of_task.timeout(after, task).await {
                        Ok(Ok(Ok(result))) => result,
                        Ok(Ok(Err(failure)) | Err(failure)) => {
                            let status =
                                Status::new(4, 3, 0, format!("the delivery failed: {failure}"));
                            AttemptResult::unknown(&attempt, status)
                        }
                        Err(error) => AttemptResult::unknown(&attempt, Status::new(4, 4, 1, error)),
                    }
                }
            };
            if let Some(inner) = weak.upgrade() {
                inner.ended(&of_task, &parcel, &members, &result);
            }
        });
        self.running.borrow_mut().insert(key, task);
    }

    /// The recipients of a parcel that are to be tried, by their places, and what the agent is given.
    fn attempt(&self, parcel: &Parcel, wall: u64) -> Option<(Vec<usize>, Attempt)> {
        let mut ledger = self.ledger.borrow_mut();
        let entry = ledger.entries.get_mut(&parcel.message).filter(|entry| !entry.is_deleted)?;
        let members = entry.to_try(parcel.number as usize, self.config.recipients_max_each, wall);
        let stored = Arc::clone(&entry.stored);
        let to = stored.envelope.recipients.get(*members.first()?)?;
        let sender = stored.envelope.sender_of(to).clone();
        let recipients = members.iter().map(|at| stored.envelope.recipients[*at].clone()).collect();
        entry.active += 1;
        Some((members, Attempt { spool: self.spool.clone(), stored, sender, recipients }))
    }

    /// Notes the result of an attempt.
    fn ended(
        self: &Rc<Self>,
        reactor: &Reactor,
        parcel: &Parcel,
        members: &[usize],
        result: &AttemptResult,
    ) {
        if let Some(task) = self.running.borrow_mut().remove(parcel) {
            // It is the one that runs.
            task.detach();
        }
        let now =
            Now { millis: self.wall(reactor), random: reactor.random(), config: &self.config };
        let (due, destination) = self.note(parcel, members, result, now);
        let due = due.map(|at| reactor.now() + self.wait(at, now.millis));
        let is_hurried = self.schedule.borrow().is_hurried(parcel);
        let due = due.map(|due| if is_hurried { reactor.now() } else { due });
        let down_until =
            |failures| reactor.now() + self.config.retry_after(failures, reactor.random());
        let mut schedule = self.schedule.borrow_mut();
        schedule.age(reactor.now());
        schedule.done(parcel, due, result.reached, down_until);
        drop(schedule);
        if let (Some(false), Some(destination)) = (result.reached, destination) {
            tracing::info!(destination = %destination, "a destination of mail could not be reached");
        }
        let is_held = self
            .ledger
            .borrow()
            .entries
            .get(&parcel.message)
            .is_some_and(|entry| entry.state.is_held);
        if is_held {
            self.schedule.borrow_mut().hold(&parcel.message);
        }
        flush::save(self, &parcel.message);
        self.pump_soon();
        self.check_stopped();
    }

    /// Notes in the ledger what has become of recipients. Returns when the parcel is due again, in milliseconds since 1970, and where it
    /// goes.
    fn note(
        &self,
        parcel: &Parcel,
        members: &[usize],
        result: &AttemptResult,
        now: Now<'_>,
    ) -> (Option<u64>, Option<Destination>) {
        let mut ledger = self.ledger.borrow_mut();
        let Some(entry) = ledger.entries.get_mut(&parcel.message) else { return (None, None) };
        entry.active -= 1;
        let (delivered, failed) = entry.attempted(members, result, now);
        let said: Vec<_> = members
            .iter()
            .map(|at| {
                let (to, progress) =
                    (&entry.stored.envelope.recipients[*at], &entry.state.progress[*at]);
                (to.address().clone(), progress.stage, progress.status.clone())
            })
            .collect();
        let unreported = entry.take_unreported();
        let number = parcel.number as usize;
        let due = entry.due(number).filter(|_| !entry.is_deleted);
        let destination = entry.lots.get(number).map(|lot| Rc::clone(&lot.destination));
        let reason = members.first().and_then(|at| entry.state.progress[*at].status.clone());
        if let (Some(false), Some(reason), Some(to)) = (result.reached, reason, &destination) {
            ledger.reasons.insert(Rc::clone(to), reason);
        }
        let mut stats = self.stats.borrow_mut();
        stats.attempts += 1;
        stats.delivered += delivered;
        stats.failed += failed;
        drop((stats, ledger));
        // Nothing is borrowed while others are told.
        unreported.iter().for_each(Unreported::log);
        for (to, stage, status) in said {
            let (id, status) = (&parcel.message, status.map(|status| status.to_string()));
            tracing::info!(%id, %to, ?stage, status = status.unwrap_or_default(), "an attempt to deliver has ended");
        }
        (due, destination)
    }
}
