//! The thread pool: for blocking calls, such as those on files ([`Reactor::defer_to_thread`]), and, on separate threads
//! so that blocking jobs never delay connection attempts, for name lookups ([`Reactor::defer_to_lookup_thread`]).

use std::{
    any::Any,
    cell::{Cell, RefCell},
    io, mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use slab::Slab;

use crate::{
    Deferred, Excerpt, Failure, PoolReport, Promise, Reactor,
    builder::Settings,
    guard::{Panicked, contain},
};

/// A job. It decrements the count of jobs before it delivers its result, so that the receiver of the result finds the
/// thread free.
type Job = Box<dyn FnOnce(&AtomicUsize) + Send>;

/// Longest simulated duration of a job.
const SIMULATED_JOB_MAX: Duration = Duration::from_millis(10);

/// The purpose of a job, which decides on which threads it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Work,
    Lookup,
}

/// The thread pool of a reactor.
pub(crate) struct Pool {
    work: Lane,
    lookups: Lane,
    /// The promises of the jobs in progress; they cannot leave the loop's thread, so a job carries an index.
    promises: RefCell<Slab<(u64, Box<dyn Any>)>>,
    serial: Cell<u64>,
}

/// The jobs of one purpose, and their threads. Threads are started while there are more jobs than threads, and end with
/// the run of the reactor.
struct Lane {
    /// The prefix of the thread names.
    name: &'static str,
    threads_max: usize,
    queue_max: usize,
    running: RefCell<Option<Threads>>,
    /// Jobs of a simulated reactor that have not run yet.
    simulated: Cell<usize>,
}

struct Threads {
    name: &'static str,
    queue: Sender<Job>,
    waiting: Receiver<Job>,
    /// Jobs queued or running.
    jobs: Arc<AtomicUsize>,
    count: usize,
    /// Every thread holds a sender; the channel disconnects when the last thread has ended.
    ended: Receiver<()>,
    alive: Sender<()>,
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            work: Lane::new("sinew-pool", settings.pool_threads_max, settings.pool_queue_max),
            lookups: Lane::new(
                "sinew-lookup",
                settings.lookup_threads_max,
                settings.lookup_queue_max,
            ),
            promises: RefCell::default(),
            serial: Cell::new(0),
        }
    }

    const fn lane(&self, purpose: Purpose) -> &Lane {
        match purpose {
            Purpose::Work => &self.work,
            Purpose::Lookup => &self.lookups,
        }
    }

    /// Jobs without a result yet.
    pub(crate) fn jobs(&self) -> usize {
        self.promises.borrow().len()
    }

    /// The state of the threads for work and for lookups.
    pub(crate) fn report(&self) -> (PoolReport, PoolReport) {
        (self.work.report(), self.lookups.report())
    }

    /// Timers that stand for jobs.
    pub(crate) fn simulated(&self) -> usize {
        self.work.simulated.get() + self.lookups.simulated.get()
    }

    /// In a child of fork(2), which has no copy of the threads: not even the queues are touched, since a thread may
    /// have been modifying one.
    fn abandon(&self) -> Vec<Box<dyn Any>> {
        for lane in [&self.work, &self.lookups] {
            mem::forget(lane.running.take());
        }
        self.take_promises()
    }

    /// Ends the threads: running jobs get `grace`; queued ones are returned with all promises, to be dropped. Lookups
    /// are not waited for: they have no side effects, and a resolver that does not answer may block them for long.
    fn stop(&self, grace: Duration) -> Vec<Box<dyn Any>> {
        let mut undone = self.lookups.stop(Duration::ZERO);
        undone.extend(self.work.stop(grace));
        undone.extend(self.take_promises());
        undone
    }

    fn take_promises(&self) -> Vec<Box<dyn Any>> {
        let promises = mem::take(&mut *self.promises.borrow_mut());
        promises.into_iter().map(|(_, (_, promise))| promise).collect()
    }
}

impl Lane {
    fn new(name: &'static str, threads_max: usize, queue_max: usize) -> Self {
        Self {
            name,
            threads_max: threads_max.max(1),
            queue_max,
            running: RefCell::default(),
            simulated: Cell::new(0),
        }
    }

    fn report(&self) -> PoolReport {
        let running = self.running.borrow();
        let (threads, jobs) = running.as_ref().map_or((0, self.simulated.get()), |threads| {
            (threads.count, threads.jobs.load(Ordering::Acquire))
        });
        PoolReport {
            threads,
            threads_max: self.threads_max,
            jobs,
            queued: running.as_ref().map_or(0, |threads| threads.waiting.len()),
            queue_max: self.queue_max,
        }
    }

    /// The reason to refuse another job, with `jobs` queued or running.
    fn refuses(&self, jobs: usize) -> Option<Failure> {
        let is_full = jobs >= self.threads_max.saturating_add(self.queue_max);
        is_full.then_some(Failure::Overloaded { limit: self.queue_max })
    }

    /// Returns the job if it is refused.
    fn submit(&self, job: Job) -> Result<(), (Failure, Job)> {
        let mut running = self.running.borrow_mut();
        let threads = running.get_or_insert_with(|| Threads::new(self.name));
        let jobs = threads.jobs.load(Ordering::Acquire);
        if let Some(failure) = self.refuses(jobs) {
            return Err((failure, job));
        }
        if threads.count <= jobs
            && threads.count < self.threads_max
            && let Err(error) = threads.start()
            && threads.count == 0
        {
            return Err((Failure::NoThread(error.to_string()), job));
        }
        threads.jobs.fetch_add(1, Ordering::AcqRel);
        // The receiver is stored beside the sender, so this cannot fail.
        let _ = threads.queue.send(job);
        Ok(())
    }

    /// Ends the threads: running jobs get `grace`; queued ones are returned.
    fn stop(&self, grace: Duration) -> Vec<Box<dyn Any>> {
        let mut undone: Vec<Box<dyn Any>> = Vec::new();
        if let Some(threads) = self.running.take() {
            let Threads { queue, waiting, ended, alive, .. } = threads;
            undone.extend(waiting.try_iter().map(|job| Box::new(job) as Box<dyn Any>));
            drop((queue, waiting, alive));
            // With zero grace jobs are abandoned on purpose, without a warning.
            if !grace.is_zero() && ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!(?grace, "jobs are still running in threads; abandoning them");
            }
        }
        self.simulated.set(0);
        undone
    }
}

impl Threads {
    fn new(name: &'static str) -> Self {
        let (queue, waiting) = unbounded();
        let (alive, ended) = unbounded();
        Self { name, queue, waiting, jobs: Arc::default(), count: 0, ended, alive }
    }

    fn start(&mut self) -> io::Result<()> {
        let (waiting, jobs, alive) = (self.waiting.clone(), self.jobs.clone(), self.alive.clone());
        let name = format!("{}-{}", self.name, self.count + 1);
        thread::Builder::new().name(name).spawn(move || {
            let _alive = alive;
            waiting.iter().for_each(|job| job(&jobs));
        })?;
        self.count += 1;
        Ok(())
    }
}

impl Reactor {
    /// Runs `f` on a thread of the pool, for work that blocks or takes long, and delivers its value to the loop.
    ///
    /// The pool has up to [`Builder::pool_threads_max`](crate::Builder::pool_threads_max) threads, started on demand. A
    /// job that is cancelled while queued does not run; a running one cannot be stopped, and [`Deferred::cancel`] only
    /// discards its value. The end of the run drops queued jobs, and waits for running ones at most for
    /// [`Builder::pool_grace`](crate::Builder::pool_grace).
    ///
    /// # Errors
    ///
    /// The deferred fails with [`Failure::Panicked`] if `f` panicked, [`Failure::Overloaded`] if
    /// [`Builder::pool_queue_max`](crate::Builder::pool_queue_max) jobs are queued, [`Failure::NoThread`] if no thread
    /// could be started, and [`Failure::Abandoned`] if the run ends first.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let reactor = sinew_reactor::Reactor::new()?;
    /// reactor.defer_to_thread(|| std::fs::read_to_string("Cargo.toml")).then(|reactor, manifest| {
    ///     assert!(matches!(manifest, Ok(Ok(text)) if text.contains("[package]")));
    ///     let _ = reactor.stop();
    /// });
    /// # reactor.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn defer_to_thread<T, F>(&self, f: F) -> Deferred<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.defer(Purpose::Work, f)
    }

    /// As [`defer_to_thread`](Self::defer_to_thread), for name lookups, on separate threads: blocking jobs never delay
    /// lookups, nor lookups other jobs. Host names of connections are resolved here.
    ///
    /// There are up to [`Builder::lookup_threads_max`](crate::Builder::lookup_threads_max) threads. The end of the run
    /// does not wait for running lookups.
    ///
    /// # Errors
    ///
    /// As [`defer_to_thread`](Self::defer_to_thread), with the limit
    /// [`Builder::lookup_queue_max`](crate::Builder::lookup_queue_max).
    pub fn defer_to_lookup_thread<T, F>(&self, f: F) -> Deferred<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.defer(Purpose::Lookup, f)
    }

    fn defer<T, F>(&self, purpose: Purpose, f: F) -> Deferred<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (promise, deferred) = self.promise::<T, Failure>();
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = cancelled.clone();
        promise.on_cancel(move |_| flag.store(true, Ordering::Release));
        let pool = &self.inner.pool;
        let serial = pool.serial.get();
        pool.serial.set(serial + 1);
        let slot = pool.promises.borrow_mut().insert((serial, Box::new(promise)));
        let shared = self.inner.shared.clone();
        let job = Box::new(move |jobs: &AtomicUsize| {
            let result = contain(move || (!cancelled.load(Ordering::Acquire)).then(f));
            jobs.fetch_sub(1, Ordering::AcqRel);
            // If the reactor is gone, the value is dropped here, which may run user code.
            let call = Box::new(move |reactor: &Self| reactor.job_done(slot, serial, result));
            let _ = contain(move || shared.push(call));
        });
        let submitted = if self.inner.clock.is_virtual() {
            self.submit_simulated(purpose, job)
        } else {
            pool.lane(purpose).submit(job)
        };
        if let Err((failure, job)) = submitted {
            self.defer_drop(job);
            if let Some(promise) = self.job_promise::<T>(slot, serial) {
                promise.reject(failure);
            }
        }
        deferred
    }

    /// A simulated reactor has no threads: the job runs from the loop, after a time drawn from the seed.
    fn submit_simulated(&self, purpose: Purpose, job: Job) -> Result<(), (Failure, Job)> {
        let lane = self.inner.pool.lane(purpose);
        let waiting = lane.simulated.get();
        if let Some(failure) = lane.refuses(waiting) {
            return Err((failure, job));
        }
        lane.simulated.set(waiting + 1);
        let takes = self.inner.random.borrow_mut().u64(..=SIMULATED_JOB_MAX.as_millis() as u64);
        self.call_later(Duration::from_millis(takes), move |reactor| {
            let waiting = &reactor.inner.pool.lane(purpose).simulated;
            waiting.set(waiting.get().saturating_sub(1));
            job(&AtomicUsize::new(1));
        });
        Ok(())
    }

    /// Settles the promise. There is no value if the job was cancelled before it ran.
    fn job_done<T: 'static>(&self, slot: usize, serial: u64, result: Result<Option<T>, Panicked>) {
        let promise = self.job_promise::<T>(slot, serial);
        match (result, promise) {
            (Ok(Some(value)), Some(promise)) => promise.resolve(value),
            (Err(Panicked { message }), promise) => {
                tracing::error!(panic = ?Excerpt::new(&message), "a job in a thread panicked");
                if let Some(promise) = promise {
                    promise.reject_quietly(Failure::Panicked(message));
                }
            }
            _ => {}
        }
    }

    /// Ends the pool with the run; the loop drops what is left of it.
    pub(crate) fn stop_pool(&self) {
        let pool = &self.inner.pool;
        let undone = match self.inner.is_forked_copy() {
            false => pool.stop(self.inner.settings.pool_grace),
            true => pool.abandon(),
        };
        self.inner.deferred_drops.borrow_mut().extend(undone);
        // The wait must not count as part of a callback.
        self.start_callback_timer();
    }

    /// The promise of a job; `None` if it belongs to an earlier run of the reactor.
    fn job_promise<T: 'static>(&self, slot: usize, serial: u64) -> Option<Box<Promise<T>>> {
        let mut promises = self.inner.pool.promises.borrow_mut();
        promises.get(slot).filter(|(number, _)| *number == serial)?;
        promises.remove(slot).1.downcast().ok()
    }
}
