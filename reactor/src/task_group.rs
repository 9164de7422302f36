//! Structured concurrency: [`TaskGroup`] owns tasks, and waits for all of them.

use std::{
    cell::RefCell,
    fmt,
    future::{Future, poll_fn},
    panic::Location,
    rc::{Rc, Weak},
    task::{Poll, Waker},
};

use slab::Slab;

use crate::{Excerpt, Failure, Reactor, WeakReactor, task::RunningTask};

/// Tasks that belong together: none outlives the group.
///
/// - [`wait`](Self::wait) returns when all are done, or with the error of the first that failed.
/// - An error or a panic of one cancels the others; `wait` returns when the futures of all have been dropped. A panic
///   is [`Failure::Panicked`], converted to `E`.
/// - Dropping the group cancels them all.
/// - A task that is done leaves nothing behind, so a group may serve for as long as a program runs. Tasks inside of the
///   group add others by a [`spawner`](Self::spawner).
///
/// For the values of a few tasks no group is needed: await each [`Task`](crate::Task). Those that are not awaited
/// because an earlier one failed are dropped, and so cancelled.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{error::Error, time::Duration};
/// use sinew_reactor::{Reactor, TaskGroup};
///
/// let reactor = Reactor::simulated(7);
/// let handle = reactor.clone();
/// let failed = reactor.run_until(async move {
///     let mut group = TaskGroup::<Box<dyn Error>>::new(&handle);
///     let sleep = handle.sleep(Duration::from_secs(1));
///     group.spawn(async move {
///         sleep.await;
///         Err("the first to fail".into())
///     });
///     group.spawn(std::future::pending());
///     group.wait().await
/// })?;
/// assert_eq!(failed.unwrap_err().to_string(), "the first to fail");
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels its tasks; await `wait`"]
pub struct TaskGroup<E: From<Failure> + fmt::Display + 'static = Failure> {
    inner: Rc<Inner<E>>,
}

/// Adds tasks to a [`TaskGroup`], also from inside of its tasks. Cheap to clone; it does not keep the group alive.
pub struct TaskSpawner<E: From<Failure> + fmt::Display + 'static = Failure> {
    inner: Weak<Inner<E>>,
}

struct Inner<E: fmt::Display> {
    reactor: WeakReactor,
    state: RefCell<State<E>>,
}

struct State<E: fmt::Display> {
    /// The tasks whose futures exist; `None` for those that were cancelled.
    members: Slab<Option<RunningTask>>,
    error: Option<E>,
    waker: Option<Waker>,
    is_over: bool,
}

/// One task of a group. Dropped with the task's promise, however that ends.
struct Member<E: From<Failure> + fmt::Display + 'static> {
    group: Weak<Inner<E>>,
    key: usize,
}

impl<E: From<Failure> + fmt::Display + 'static> TaskGroup<E> {
    /// A group without tasks.
    pub fn new(reactor: &Reactor) -> Self {
        let state = State { members: Slab::new(), error: None, waker: None, is_over: false };
        let inner = Inner { reactor: reactor.downgrade(), state: RefCell::new(state) };
        Self { inner: Rc::new(inner) }
    }

    /// Adds a task. If one has failed since the last [`wait`](Self::wait), or the reactor is gone, the future is dropped
    /// without a poll: returns `false`.
    #[track_caller]
    pub fn spawn(&self, future: impl Future<Output = Result<(), E>> + 'static) -> bool {
        Inner::spawn(&self.inner, Location::caller(), future)
    }

    /// A handle that adds tasks to this group.
    #[must_use]
    pub fn spawner(&self) -> TaskSpawner<E> {
        TaskSpawner { inner: Rc::downgrade(&self.inner) }
    }

    /// Waits until no task is left. Then the group is empty and may be used again.
    ///
    /// Cancel safety: a dropped future of this loses nothing; the tasks run on, and an error is kept for the next call.
    ///
    /// # Errors
    ///
    /// That of the first task that failed. The others were cancelled; an error of one of them that came in the same turn
    /// is logged.
    pub async fn wait(&mut self) -> Result<(), E> {
        poll_fn(|context| {
            let mut state = self.inner.state.borrow_mut();
            if state.members.is_empty() {
                return Poll::Ready(state.error.take().map_or(Ok(()), Err));
            }
            drop(state);
            // A waker may run user code, so it is neither cloned nor dropped under the borrow.
            let waker = context.waker().clone();
            let old = self.inner.state.borrow_mut().waker.replace(waker);
            drop(old);
            Poll::Pending
        })
        .await
    }

    /// Cancels all tasks: the loop drops their futures. [`wait`](Self::wait) returns when that is done.
    pub fn cancel(&self) {
        self.inner.cancel();
    }

    /// The number of tasks that are not done.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.state.borrow().members.len()
    }

    /// Whether all tasks are done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<E: From<Failure> + fmt::Display + 'static> TaskSpawner<E> {
    /// As [`TaskGroup::spawn`]; also `false` once the group has been dropped.
    #[track_caller]
    pub fn spawn(&self, future: impl Future<Output = Result<(), E>> + 'static) -> bool {
        let at = Location::caller();
        self.inner.upgrade().is_some_and(|inner| Inner::spawn(&inner, at, future))
    }
}

impl<E: From<Failure> + fmt::Display + 'static> Inner<E> {
    fn spawn(
        this: &Rc<Self>,
        at: &'static Location<'static>,
        future: impl Future<Output = Result<(), E>> + 'static,
    ) -> bool {
        let Some(reactor) = this.reactor.upgrade() else { return false };
        let state = this.state.borrow();
        if state.is_over || state.error.is_some() {
            drop(state);
            reactor.defer_drop(future);
            return false;
        }
        drop(state);
        let (deferred, running) = reactor.spawn_at(at, future).into_parts();
        let key = this.state.borrow_mut().members.insert(Some(running));
        let member = Member { group: Rc::downgrade(this), key };
        deferred.then(move |_, result| member.ended(result));
        true
    }

    fn cancel(&self) {
        let mut state = self.state.borrow_mut();
        let running: Vec<_> =
            state.members.iter_mut().filter_map(|(_, member)| member.take()).collect();
        drop(state);
        drop(running);
    }

    fn failed(&self, error: E) {
        let mut state = self.state.borrow_mut();
        if state.error.is_none() && !state.is_over {
            state.error = Some(error);
            drop(state);
            return self.cancel();
        }
        drop(state);
        let error = error.to_string();
        tracing::error!(error = %Excerpt::new(&error), "another task of a group has failed, too");
    }
}

impl<E: From<Failure> + fmt::Display + 'static> Member<E> {
    fn ended(self, result: Result<Result<(), E>, Failure>) {
        let Some(group) = self.group.upgrade() else { return };
        match result {
            Ok(Err(error)) => group.failed(error),
            Err(failure @ Failure::Panicked(_)) => group.failed(failure.into()),
            // Any other failure says that the future was dropped.
            Ok(Ok(())) | Err(_) => {}
        }
    }
}

impl<E: From<Failure> + fmt::Display + 'static> Drop for Member<E> {
    fn drop(&mut self) {
        let Some(group) = self.group.upgrade() else { return };
        let mut state = group.state.borrow_mut();
        let running = state.members.try_remove(self.key);
        let waker = if state.members.is_empty() { state.waker.take() } else { None };
        drop(state);
        drop(running);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl<E: From<Failure> + fmt::Display + 'static> Drop for TaskGroup<E> {
    fn drop(&mut self) {
        let mut state = self.inner.state.borrow_mut();
        state.is_over = true;
        let (error, waker) = (state.error.take(), state.waker.take());
        drop(state);
        drop(waker);
        self.inner.cancel();
        if let Some(error) = error {
            let error = error.to_string();
            tracing::error!(error = %Excerpt::new(&error), "a task of a group has failed, and nothing waited for it");
        }
    }
}

impl<E: From<Failure> + fmt::Display + 'static> Clone for TaskSpawner<E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<E: From<Failure> + fmt::Display + 'static> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<E: From<Failure> + fmt::Display + 'static> fmt::Debug for TaskSpawner<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpawner").field("in_use", &(self.inner.strong_count() > 0)).finish()
    }
}
