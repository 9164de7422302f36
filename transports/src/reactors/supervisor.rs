//! Starts the threads of several reactors, restarts those that failed, and waits for their end. It has a thread of its own,
//! and makes no decisions about connections.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use sinew_reactor::Stats;

use super::{
    OnFailure, ReactorsHandle, RunningReactors, ShardError, ShardFailure,
    group::Group,
    plan::Plan,
    thread::{Context, Event, run},
};

/// A reactor that ran for this long before it failed is not failing in a row.
const STEADY: Duration = Duration::from_secs(60);

/// The delay before the second restart in a row. Each further one is twice as long.
const DELAY_MIN: Duration = Duration::from_millis(100);

const DELAY_MAX: Duration = Duration::from_secs(10);

struct Supervisor {
    context: Context,
    events: Receiver<Event>,
    /// Events that came while another one was waited for.
    early: VecDeque<Event>,
    threads: Vec<Option<JoinHandle<()>>>,
    /// Failures in a row, of each reactor.
    failures: Vec<u32>,
    running: usize,
    /// The failure that stopped all.
    fatal: Option<ShardFailure>,
}

/// Starts all reactors.
pub(super) fn start(plan: Arc<Plan>) -> Result<RunningReactors, ShardFailure> {
    let (sender, events) = mpsc::channel();
    let shards = plan.shards;
    let group = Arc::new(Group::new(shards, plan.distribution));
    let mut supervisor = Supervisor {
        context: Context { plan, group: group.clone(), events: sender },
        events,
        early: VecDeque::new(),
        threads: (0..shards).map(|_| None).collect(),
        failures: vec![0; shards],
        running: 0,
        fatal: None,
    };
    for shard in 0..shards {
        if let Err(error) = supervisor.start_first(shard) {
            group.force();
            supervisor.fatal = Some(ShardFailure { shard, error });
            let _ = supervisor.supervise();
            return Err(supervisor.fatal.expect("it has just been set, and stays"));
        }
    }
    let spawned = thread::Builder::new()
        .name("sinew-supervisor".to_owned())
        .spawn(move || supervisor.supervise_to_the_end());
    match spawned {
        Ok(thread) => Ok(RunningReactors::new(ReactorsHandle::new(group), thread)),
        Err(error) => {
            group.force();
            Err(ShardFailure { shard: 0, error: ShardError::Thread(error) })
        }
    }
}

impl Supervisor {
    fn spawn(&mut self, shard: usize, delay: Duration) -> Result<(), ShardError> {
        let context = self.context.clone();
        let thread = thread::Builder::new()
            .name(format!("sinew-{shard}"))
            .spawn(move || run(&context, shard, delay))
            .map_err(ShardError::Thread)?;
        self.threads[shard] = Some(thread);
        self.running += 1;
        Ok(())
    }

    /// Starts a reactor and waits until it runs.
    fn start_first(&mut self, shard: usize) -> Result<(), ShardError> {
        self.spawn(shard, Duration::ZERO)?;
        loop {
            match self.events.recv() {
                Ok(Event::Started { shard: started }) if started == shard => return Ok(()),
                Ok(Event::Ended { shard: ended, result, stats, .. }) if ended == shard => {
                    self.has_ended(shard, stats);
                    // Without an error, all were stopped meanwhile.
                    return result;
                }
                Ok(other) => self.early.push_back(other),
                // We have a sender ourselves.
                Err(_) => return Ok(()),
            }
        }
    }

    fn supervise_to_the_end(mut self) -> Result<Stats, ShardFailure> {
        let stats = self.supervise();
        match self.fatal {
            Some(failure) => Err(failure),
            None => Ok(stats),
        }
    }

    /// Waits until all have ended.
    fn supervise(&mut self) -> Stats {
        while self.running > 0 {
            let event = match self.early.pop_front() {
                Some(event) => Ok(event),
                None => self.events.recv(),
            };
            if let Ok(Event::Ended { shard, result, stats, age }) = event {
                self.has_ended(shard, stats);
                match result {
                    // One that has stopped stops all, even if it did so without a shutdown (`Reactor::crash`).
                    Ok(()) => self.context.group.stop(),
                    Err(error) => self.has_failed(ShardFailure { shard, error }, age),
                }
            }
        }
        self.context.group.tally().ended
    }

    fn has_ended(&mut self, shard: usize, stats: Stats) {
        self.running -= 1;
        self.context.group.tally().ended += stats;
        if let Some(thread) = self.threads[shard].take() {
            // The event was the last thing that it did.
            let _ = thread.join();
        }
    }

    fn has_failed(&mut self, failure: ShardFailure, age: Duration) {
        let (group, plan) = (self.context.group.clone(), self.context.plan.clone());
        let shard = failure.shard;
        tracing::error!(shard, error = %failure.error, "a reactor failed; its connections are closed");
        if catch_unwind(AssertUnwindSafe(|| (plan.report)(&failure))).is_err() {
            tracing::error!("the closure that reports failures panicked");
        }
        let in_a_row = if age >= STEADY { 1 } else { self.failures[shard] + 1 };
        self.failures[shard] = in_a_row;
        let is_fatal = match plan.on_failure {
            _ if group.is_stopping() => true,
            OnFailure::Stop => true,
            OnFailure::Continue => shard == 0,
            OnFailure::Restart { max } => {
                in_a_row > max.max(1) || self.restart(shard, in_a_row).is_err()
            }
        };
        if is_fatal {
            self.fatal.get_or_insert(failure);
            group.stop();
        }
    }

    fn restart(&mut self, shard: usize, in_a_row: u32) -> Result<(), ShardError> {
        let delay = match in_a_row {
            1 => Duration::ZERO,
            n => DELAY_MAX.min(DELAY_MIN * 2_u32.saturating_pow(n - 2)),
        };
        self.spawn(shard, delay)?;
        tracing::warn!(shard, ?delay, "a failed reactor is restarted");
        self.context.group.tally().restarts += 1;
        Ok(())
    }
}
