//! Futures on the loop: [`Reactor::spawn`], [`Task`], [`Reactor::sleep`] and [`Reactor::timeout`].
//!
//! A task is a slot with a boxed future, and a waker that puts the slot's id into a queue of woken tasks: one for wakeups from the
//! running loop itself, one for those from other threads. The loop polls woken tasks in phase 3.

use std::{
    fmt,
    future::{Future, poll_fn},
    mem,
    panic::Location,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use slab::Slab;

use crate::{
    Deferred, Failure, Promise, Reactor, TimedOut, WeakReactor,
    handler::TimerKey,
    local_wakeups::LocalWakeups,
    remote::{Shared, TaskId},
    timer::{Sleeper, TimerPayload},
    wake::QueuedFlag,
};

/// A spawned future with its promise, type-erased.
pub(crate) trait Job {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;
    /// The future panicked, which has been logged.
    fn fail(&mut self, failure: Failure);
    /// Nobody waits for the value any more: frees the place for it.
    fn forget_result(&mut self);
}

struct Spawned<F: Future<Output: 'static>> {
    future: Pin<Box<F>>,
    promise: Option<Promise<F::Output>>,
}

impl<F: Future<Output: 'static>> Job for Spawned<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let value = std::task::ready!(self.future.as_mut().poll(context));
        if let Some(promise) = self.promise.take() {
            promise.resolve(value);
        }
        Poll::Ready(())
    }

    fn fail(&mut self, failure: Failure) {
        if let Some(promise) = self.promise.take() {
            promise.reject_quietly(failure);
        }
    }

    fn forget_result(&mut self) {
        if let Some(promise) = self.promise.take() {
            promise.discard();
        }
    }
}

/// All tasks of a reactor.
#[derive(Default)]
pub(crate) struct Tasks {
    slots: Slab<Slot>,
    serial: u64,
}

struct Slot {
    /// Where it was spawned.
    at: &'static Location<'static>,
    /// Taken out while it is polled.
    job: Option<Box<dyn Job>>,
    waker: Arc<TaskWaker>,
}

struct TaskWaker {
    id: TaskId,
    queued: QueuedFlag,
    /// Set and read on the loop's thread only; it is here because it takes no space.
    cancelled: AtomicBool,
    shared: Arc<Shared>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.must_queue() && !LocalWakeups::push(&self.shared, self.id) {
            self.shared.push_woken(self.id);
        }
    }
}

impl Tasks {
    fn insert(
        &mut self,
        job: Box<dyn Job>,
        at: &'static Location<'static>,
        shared: &Arc<Shared>,
    ) -> Arc<TaskWaker> {
        self.serial += 1;
        let entry = self.slots.vacant_entry();
        let id = TaskId { slot: entry.key(), serial: self.serial };
        let waker = Arc::new(TaskWaker {
            id,
            queued: QueuedFlag::new(),
            cancelled: AtomicBool::new(false),
            shared: shared.clone(),
        });
        entry.insert(Slot { at, job: Some(job), waker: waker.clone() });
        waker
    }

    fn get(&mut self, id: TaskId) -> Option<&mut Slot> {
        self.slots.get_mut(id.slot).filter(|slot| slot.waker.id == id)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Where the tasks that are not done were spawned, oldest first.
    pub(crate) fn places(&self) -> Vec<&'static Location<'static>> {
        let mut slots: Vec<_> =
            self.slots.iter().map(|(_, slot)| (slot.waker.id.serial, slot.at)).collect();
        slots.sort_unstable_by_key(|(serial, _)| *serial);
        slots.into_iter().map(|(_, at)| at).collect()
    }

    /// Empties the table; the caller drops the futures when nothing is borrowed.
    pub(crate) fn take_all(&mut self) -> Vec<Box<dyn Job>> {
        mem::take(&mut self.slots).into_iter().filter_map(|(_, slot)| slot.job).collect()
    }
}

impl Reactor {
    /// Runs a future on the loop. It need not be `Send`; it is first polled when the loop runs its tasks, in this turn
    /// or the next. A poll that holds up the loop is reported with the place of this call
    /// ([`Builder::slow_callback`](crate::Builder::slow_callback)).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sinew_reactor::Reactor;
    ///
    /// let reactor = Reactor::new()?;
    /// let clone = reactor.clone();
    /// let answer = reactor.run_until(async move {
    ///     clone.sleep(Duration::from_millis(1)).await;
    ///     clone.defer_to_thread(|| 42).await
    /// })?;
    /// assert_eq!(answer, Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        self.spawn_at(Location::caller(), future)
    }

    /// As [`spawn`](Self::spawn), for libraries that spawn a future of their user's: reports name `at` as the place.
    pub fn spawn_at<F>(&self, at: &'static Location<'static>, future: F) -> Task<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        let (promise, deferred) = self.promise();
        let job = Spawned { future: Box::pin(future), promise: Some(promise) };
        let waker = self.inner.tasks.borrow_mut().insert(Box::new(job), at, &self.inner.shared);
        waker.wake_by_ref();
        let running = RunningTask { id: waker.id, reactor: Some(self.downgrade()) };
        Task { deferred, running }
    }

    /// Polls a woken task, or drops it if it was cancelled (phase 3).
    pub(crate) fn run_task(&self, id: TaskId) {
        let (job, waker, at) = {
            let mut tasks = self.inner.tasks.borrow_mut();
            let Some(slot) = tasks.get(id) else { return };
            slot.waker.queued.clear();
            let Some(job) = slot.job.take() else { return };
            let at = slot.at;
            if slot.waker.cancelled.load(Ordering::Relaxed) {
                tasks.slots.remove(id.slot);
                drop(tasks);
                self.drop_job(job, at);
                return;
            }
            (job, slot.waker.clone(), at)
        };
        let mut job = job;
        let waker = Waker::from(waker);
        let what = || format!("a task spawned at {at}");
        let outcome = self.guard(what, || job.poll(&mut Context::from_waker(&waker)));
        match outcome {
            Ok(Poll::Pending) => {
                // The end of the reactor may have emptied the table meanwhile.
                if let Some(slot) = self.inner.tasks.borrow_mut().get(id) {
                    slot.job = Some(job);
                    return;
                }
            }
            Ok(Poll::Ready(())) => {}
            Err(panic) => job.fail(Failure::Panicked(panic.message)),
        }
        let mut tasks = self.inner.tasks.borrow_mut();
        if tasks.get(id).is_some() {
            tasks.slots.remove(id.slot);
        }
        drop(tasks);
        self.drop_job(job, at);
    }

    fn drop_job(&self, job: Box<dyn Job>, at: &Location<'_>) {
        let _ = self.guard(|| format!("the drop of a task spawned at {at}"), move || drop(job));
    }

    /// Frees the place for the value of a task, unless the task is being polled.
    fn forget_result(&self, id: TaskId) {
        let mut tasks = self.inner.tasks.borrow_mut();
        if let Some(job) = tasks.get(id).and_then(|slot| slot.job.as_mut()) {
            job.forget_result();
        }
    }

    /// Has the loop drop a task's future.
    pub(crate) fn cancel_task(&self, id: TaskId) {
        if let Some(slot) = self.inner.tasks.borrow_mut().get(id) {
            slot.waker.cancelled.store(true, Ordering::Relaxed);
            slot.waker.wake_by_ref();
        }
    }

    /// A future that is ready no earlier than `delay` from now, rounded up to a tick of a millisecond, and not in the
    /// turn in which it is first polled.
    pub fn sleep(&self, delay: Duration) -> Sleep {
        let deadline = self.inner.clock.tick_after(delay);
        Sleep { reactor: self.downgrade(), deadline, key: None }
    }

    /// Limits how long a future may take, from now. The future is dropped when its time is up.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if the future did not complete in time.
    pub fn timeout<F: Future>(
        &self,
        after: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, TimedOut>> + use<F> {
        let sleep = self.sleep(after);
        async move {
            let (mut sleep, mut future) = (pin!(sleep), pin!(future));
            poll_fn(|context| {
                if let Poll::Ready(value) = future.as_mut().poll(context) {
                    return Poll::Ready(Ok(value));
                }
                sleep.as_mut().poll(context).map(|()| Err(TimedOut { after }))
            })
            .await
        }
    }
}

/// A future that runs on the loop, and its result once it completes.
///
/// Dropping it [cancels](Self::cancel) the task; [`detach`](Self::detach) lets the task run on its own.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::{Failure, Reactor};
///
/// let reactor = Reactor::new()?;
/// let handle = reactor.clone();
/// reactor.run_until(async move {
///     let sleeper = handle.clone();
///     let quick = handle.spawn(async move {
///         sleeper.sleep(Duration::from_millis(1)).await;
///         "done"
///     });
///     let endless = handle.spawn(std::future::pending::<()>());
///     endless.cancel();
///     assert_eq!(quick.await, Ok("done"));
///     assert_eq!(endless.await, Err(Failure::Cancelled));
/// })?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels the task: await it, or let it run on its own with `detach`"]
pub struct Task<T: 'static> {
    pub(crate) deferred: Deferred<T>,
    pub(crate) running: RunningTask,
}

/// The future of a task, as the owner of its handle sees it: dropped by the loop when this is dropped.
pub(crate) struct RunningTask {
    pub(crate) id: TaskId,
    /// `None` once it is detached.
    reactor: Option<WeakReactor>,
}

impl RunningTask {
    fn cancel(&self) {
        if let Some(reactor) = self.reactor.as_ref().and_then(WeakReactor::upgrade) {
            reactor.cancel_task(self.id);
        }
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl<T: 'static> Task<T> {
    /// Stops the task: the loop drops its future, and awaiting this returns [`Failure::Cancelled`]. Dropping the
    /// handle does the same.
    pub fn cancel(&self) {
        self.deferred.cancel();
        self.running.cancel();
    }

    /// Lets the task run on its own, until it completes or the run of the reactor ends. Its value is dropped.
    pub fn detach(mut self) {
        if let Some(reactor) = self.running.reactor.take().and_then(|reactor| reactor.upgrade()) {
            reactor.forget_result(self.running.id);
        }
        self.deferred.detach();
    }

    /// Its result, and the owner of its future.
    pub(crate) fn into_parts(self) -> (Deferred<T>, RunningTask) {
        (self.deferred, self.running)
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.deferred.is_settled()
    }

    /// Takes the result, if it is available and has not been taken.
    #[must_use]
    pub fn take(&self) -> Option<Result<T, Failure>> {
        self.deferred.take()
    }

    /// Has the loop call `f` with the result, as [`Deferred::then`] does. The task runs on.
    #[track_caller]
    pub fn then(mut self, f: impl FnOnce(&Reactor, Result<T, Failure>) + 'static) {
        self.running.reactor = None;
        self.deferred.then(f);
    }
}

impl<T: 'static> Future for Task<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.deferred).poll(context)
    }
}

impl<T: 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.running.id).field("done", &self.is_done()).finish()
    }
}

/// The future of [`Reactor::sleep`]. Dropping it cancels its timer.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    reactor: WeakReactor,
    /// In ticks.
    deadline: u64,
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(reactor) = self.reactor.upgrade() else {
            return Poll::Pending;
        };
        let inner = &*reactor.inner;
        if let Some(key) = self.key {
            match inner.wheel.borrow().payload(key) {
                None if inner.clock.ticks() >= self.deadline => return Poll::Ready(()),
                Some(TimerPayload::Due(sleeper))
                    if sleeper.waker().is_some_and(|waker| waker.will_wake(context.waker())) =>
                {
                    return Poll::Pending;
                }
                // Polled by another task now, or the timer was dropped at the end of a run.
                _ => {}
            }
        }
        // A waker may run user code, so it is neither cloned nor dropped under the borrow.
        let payload = TimerPayload::Due(Box::new(Sleeper(context.waker().clone())));
        let old = self.key.and_then(|key| inner.wheel.borrow_mut().cancel(key));
        self.key = Some(inner.wheel.borrow_mut().insert(self.deadline, payload));
        drop(old);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let (Some(key), Some(reactor)) = (self.key, self.reactor.upgrade()) {
            let payload = reactor.inner.wheel.borrow_mut().cancel(key);
            drop(payload);
        }
    }
}
