//! A job on a thread of the pool that can be told to stop: [`BlockingService`], [`StopFlag`].

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt, mem,
    rc::Rc,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use sinew_reactor::{Deferred, DelayedCall, Failure, Promise, Reactor};

use crate::{Service, StartError, StopError};

/// A job that blocks, on a thread of the reactor's pool ([`Reactor::defer_to_thread`]). A handle: its clones are the same
/// service.
///
/// The job receives a [`StopFlag`], and has to look at it from time to time, or to wait with it: nothing can end a thread from
/// outside. When it returns by itself, it is not started again; an error or a panic is logged. [`stop`](Service::stop) sets the
/// flag, and waits for the job at most for [`stop_max`](Self::stop_max).
///
/// It holds one of the threads of the pool for as long as it runs
/// ([`Builder::pool_threads_max`](sinew_reactor::Builder::pool_threads_max)).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_application::{BlockingService, StopFlag};
///
/// let sweeper = BlockingService::new(|stop: &StopFlag| -> std::io::Result<()> {
///     while !stop.wait(Duration::from_secs(60)) {
///         for file in std::fs::read_dir("spool")? {
///             if stop.is_set() {
///                 break;
///             }
///             let _ = file?;
///         }
///     }
///     Ok(())
/// });
/// # drop(sweeper);
/// ```
#[derive(Clone)]
pub struct BlockingService {
    stop_max: Duration,
    inner: Rc<Inner>,
}

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

type Job = dyn Fn(&StopFlag) -> Ended + Send + Sync;

struct Inner {
    job: Arc<Job>,
    /// That of the job that runs.
    flag: RefCell<Option<StopFlag>>,
    runs: Cell<u64>,
    /// Promises of `stop`, and when they give up.
    stopping: RefCell<Vec<(Promise<(), StopError>, DelayedCall)>>,
}

/// Tells a job of a [`BlockingService`] that it is to stop. `Send + Sync`; its clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<(Mutex<bool>, Condvar)>);

impl StopFlag {
    /// Whether the job is to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks for this time, or until the job is to stop. Returns whether it is.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        let (is_set, changed) = &*self.0;
        let guard = is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(guard, time, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn set(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

impl BlockingService {
    /// Runs `job` from the start on.
    pub fn new<E: Into<Box<dyn Error + Send + Sync>>>(
        job: impl Fn(&StopFlag) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            job: Arc::new(move |flag: &StopFlag| job(flag).map_err(Into::into)),
            flag: RefCell::default(),
            runs: Cell::new(0),
            stopping: RefCell::default(),
        };
        Self { stop_max: Duration::from_secs(10), inner: Rc::new(inner) }
    }

    /// How long a stop waits for the job to return; then it fails, and the thread is left to itself. Default 10 s.
    #[must_use]
    pub const fn stop_max(mut self, time: Duration) -> Self {
        self.stop_max = time;
        self
    }

    /// Whether the job runs, or waits for a thread.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.flag.borrow().is_some()
    }
}

impl Service for BlockingService {
    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if self.is_running() {
            return Err(StartError::AlreadyStarted);
        }
        let flag = StopFlag::default();
        self.inner.flag.replace(Some(flag.clone()));
        let run = self.inner.runs.get() + 1;
        self.inner.runs.set(run);
        let (inner, job) = (self.inner.clone(), self.inner.job.clone());
        reactor.defer_to_thread(move || job(&flag)).then(move |_, result| {
            // A job that was given up may return while the next one runs.
            if inner.runs.get() == run {
                inner.has_ended(result);
            }
        });
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let Some(flag) = self.inner.flag.borrow().clone() else {
            promise.resolve(());
            return stopped;
        };
        flag.set();
        let (inner, limit) = (self.inner.clone(), self.stop_max);
        let timer = reactor.call_later(limit, move |_| inner.give_up(limit));
        self.inner.stopping.borrow_mut().push((promise, timer));
        stopped
    }
}

impl Inner {
    fn has_ended(&self, result: Result<Ended, Failure>) {
        let was_stopped = self.flag.take().is_some_and(|flag| flag.is_set());
        let failure = match result {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(StopError::other(error)),
            Err(failure) => Some(StopError::from(failure)),
        };
        match &failure {
            Some(error) if !was_stopped => {
                tracing::error!(%error, "a job of a service has failed; it is not started again");
            }
            None if !was_stopped => tracing::info!("a job of a service has ended by itself"),
            _ => {}
        }
        for (promise, timer) in mem::take(&mut *self.stopping.borrow_mut()) {
            timer.cancel();
            promise.settle(failure.clone().map_or(Ok(()), Err));
        }
    }

    fn give_up(&self, limit: Duration) {
        // The next start is another run.
        self.flag.take();
        for (promise, timer) in mem::take(&mut *self.stopping.borrow_mut()) {
            timer.cancel();
            let what = format!("its job has not returned {limit:?} after it was told to stop");
            promise.reject(StopError::other(what));
        }
    }
}

impl fmt::Debug for BlockingService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingService")
            .field("running", &self.is_running())
            .finish_non_exhaustive()
    }
}
