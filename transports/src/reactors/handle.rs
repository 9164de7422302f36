//! The handle of reactors that run together, for any thread: [`ReactorsHandle`].

use std::{
    cell::Cell,
    fmt, iter,
    sync::{Arc, mpsc},
};

use sinew_reactor::{NotRunning, Remote, Stats};

use super::{CallError, Shard, call, group::Group};
use crate::Address;

thread_local! {
    /// Whether this is the thread of one of several reactors, which must not wait for another one.
    static IS_OF_REACTOR: Cell<bool> = const { Cell::new(false) };
}

/// A handle of [`Reactors`](super::Reactors) that run: `Send + Sync`, cheap to clone.
#[derive(Clone)]
pub struct ReactorsHandle {
    group: Arc<Group>,
}

/// The counters of several reactors ([`ReactorsHandle::stats`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReactorsStats {
    /// Those of each reactor; `None` for one that does not run.
    pub each: Vec<Option<Stats>>,
    /// Those of reactors that have ended, or failed and were replaced.
    pub ended: Stats,
    /// How often a failed reactor was restarted.
    pub restarts: u64,
}

impl ReactorsStats {
    /// All of them together: sums, and the longest turn of any.
    #[must_use]
    pub fn total(&self) -> Stats {
        self.each.iter().flatten().copied().chain(iter::once(self.ended)).sum()
    }
}

impl ReactorsHandle {
    pub(super) const fn new(group: Arc<Group>) -> Self {
        Self { group }
    }

    pub(super) const fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// Marks this thread as that of a reactor.
    pub(super) fn enter_reactor_thread() {
        IS_OF_REACTOR.set(true);
    }

    /// The number of reactors.
    #[must_use]
    pub fn count(&self) -> usize {
        self.group.remotes.len()
    }

    /// Where the ports listen, in the order in which they were given.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.group.tally().addresses.clone()
    }

    /// The remote of one reactor; `None` if it does not run, or there is none with this index. After a restart it is another.
    #[must_use]
    pub fn remote(&self, shard: usize) -> Option<Remote> {
        self.group.remotes.get(shard)
    }

    /// Calls `f` on the thread of one reactor, in its next turn, and waits for the result.
    ///
    /// # Errors
    ///
    /// [`CallError`], on a thread of these reactors too, which must not wait.
    pub fn call<T: Send + 'static>(
        &self,
        shard: usize,
        f: impl FnOnce(&Shard) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        if IS_OF_REACTOR.get() {
            return Err(CallError::OnReactorThread);
        }
        let (sender, receiver) = mpsc::channel();
        call::post(&self.group, shard, f, move |result| drop(sender.send(result)));
        receiver.recv().unwrap_or(Err(CallError::Stopped { shard }))
    }

    /// Calls `f` on the thread of every reactor, in its next turn, and waits for the results: in the order of the reactors.
    /// On a thread of these reactors use [`Shard::call_all`].
    pub fn call_all<T: Send + 'static>(
        &self,
        f: impl Fn(&Shard) -> T + Send + Sync + 'static,
    ) -> Vec<Result<T, CallError>> {
        let shards = 0..self.count();
        if IS_OF_REACTOR.get() {
            return shards.map(|_| Err(CallError::OnReactorThread)).collect();
        }
        let f = Arc::new(f);
        let calls: Vec<_> = shards
            .map(|shard| {
                let (f, (sender, receiver)) = (f.clone(), mpsc::channel());
                let reply = move |result| drop(sender.send(result));
                call::post(&self.group, shard, move |shard| f(shard), reply);
                (shard, receiver)
            })
            .collect();
        let result = |(shard, receiver): (usize, mpsc::Receiver<Result<T, CallError>>)| {
            receiver.recv().unwrap_or(Err(CallError::Stopped { shard }))
        };
        calls.into_iter().map(result).collect()
    }

    /// The counters of all reactors. Waits for each to answer.
    ///
    /// # Errors
    ///
    /// [`CallError::OnReactorThread`]; there, use [`Shard::call_all`] with [`Reactor::stats`](sinew_reactor::Reactor::stats).
    pub fn stats(&self) -> Result<ReactorsStats, CallError> {
        if IS_OF_REACTOR.get() {
            return Err(CallError::OnReactorThread);
        }
        let each = self.call_all(|shard| shard.reactor().stats());
        let tally = self.group.tally();
        Ok(ReactorsStats {
            each: each.into_iter().map(Result::ok).collect(),
            ended: tally.ended,
            restarts: tally.restarts,
        })
    }

    /// Stops all reactors: each stops accepting, drains its connections ([`Reactors::drain`](super::Reactors::drain)), and ends.
    /// Returns at once. Called again, it has no further effect.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if all have ended.
    pub fn stop(&self) -> Result<(), NotRunning> {
        let is_running = self.group.is_running();
        self.group.stop();
        if is_running { Ok(()) } else { Err(NotRunning) }
    }

    /// Stops all reactors without a drain, or ends a drain that has begun.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] if all have ended.
    pub fn stop_now(&self) -> Result<(), NotRunning> {
        let is_running = self.group.is_running();
        self.group.force();
        if is_running { Ok(()) } else { Err(NotRunning) }
    }
}

impl fmt::Debug for ReactorsHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactorsHandle").field("count", &self.count()).finish_non_exhaustive()
    }
}
