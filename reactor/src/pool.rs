//! The thread pool: for calls that block, such as those on files ([`Reactor::defer_to_thread`]), and on threads of their own,
//! so that the others never keep anybody from connecting, lookups of names ([`Reactor::defer_to_lookup_thread`]).

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
    Deferred, Excerpt, Failure, Promise, Reactor,
    builder::Settings,
    guard::{Panicked, contain},
};

/// A job. It takes itself off the count of jobs before it says that it is done, so that whoever hears of that finds the
/// thread free.
type Job = Box<dyn FnOnce(&AtomicUsize) + Send>;

/// Longest time that a job takes in a simulation, until its value is there.
const SIMULATED_JOB_MAX: Duration = Duration::from_millis(10);

/// What a job is for, and so on which threads it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Work,
    Lookup,
}

/// See the head of this file.
pub(crate) struct Pool {
    work: Lane,
    lookups: Lane,
    /// The promises of the jobs under way; they cannot leave the loop's thread, so a job carries its number.
    promises: RefCell<Slab<(u64, Box<dyn Any>)>>,
    serial: Cell<u64>,
}

/// The jobs of one use, and their threads. These are started when there are more jobs than threads, and end with the run of
/// the reactor.
struct Lane {
    /// What its threads are called.
    name: &'static str,
    threads_max: usize,
    queue_max: usize,
    running: RefCell<Option<Threads>>,
    /// Jobs of a simulated reactor that wait for their moment.
    simulated: Cell<usize>,
}

struct Threads {
    name: &'static str,
    queue: Sender<Job>,
    waiting: Receiver<Job>,
    /// Jobs that wait or run.
    jobs: Arc<AtomicUsize>,
    count: usize,
    /// Every thread holds a sender; the channel is cut when the last has ended.
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

    /// Jobs whose value is still to come.
    pub(crate) fn jobs(&self) -> usize {
        self.promises.borrow().len()
    }

    /// Timers that stand for jobs.
    pub(crate) fn simulated(&self) -> usize {
        self.work.simulated.get() + self.lookups.simulated.get()
    }

    /// In a child of fork(2), which has a copy of all but the threads: not even a queue is looked at, for one of them may have
    /// been in the midst of it.
    fn leave_behind(&self) -> Vec<Box<dyn Any>> {
        for lane in [&self.work, &self.lookups] {
            mem::forget(lane.running.take());
        }
        self.take_promises()
    }

    /// Ends the threads: jobs that run are given `grace`, those that wait are handed back with all promises, to be dropped.
    /// Lookups leave nothing half done, and a system that does not answer may hold them for long: they are not waited for.
    fn stop(&self, grace: Duration) -> Vec<Box<dyn Any>> {
        let mut useless = self.lookups.stop(Duration::ZERO);
        useless.extend(self.work.stop(grace));
        useless.extend(self.take_promises());
        useless
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

    /// Why a further job is not taken, with so many here.
    fn refuses(&self, jobs: usize) -> Option<Failure> {
        let is_full = jobs >= self.threads_max.saturating_add(self.queue_max);
        is_full.then_some(Failure::Overloaded { limit: self.queue_max })
    }

    /// TimeSource the job back if it cannot be taken.
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
        // The receiver lives beside the sender, so this cannot fail.
        let _ = threads.queue.send(job);
        Ok(())
    }

    /// Ends the threads: jobs that run are given `grace`, those that wait are handed back.
    fn stop(&self, grace: Duration) -> Vec<Box<dyn Any>> {
        let mut useless: Vec<Box<dyn Any>> = Vec::new();
        if let Some(threads) = self.running.take() {
            let Threads { queue, waiting, ended, alive, .. } = threads;
            useless.extend(waiting.try_iter().map(|job| Box::new(job) as Box<dyn Any>));
            drop((queue, waiting, alive));
            // Who asks for no grace means to leave them behind, and need not be told.
            if !grace.is_zero() && ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!(?grace, "jobs still run in threads; the reactor leaves them behind");
            }
        }
        self.simulated.set(0);
        useless
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
    /// Runs `f` on a thread of the pool, for work that blocks or takes long, and brings its value back to the loop.
    ///
    /// The pool has up to [`Builder::pool_threads_max`](crate::Builder::pool_threads_max) threads, started on demand. A
    /// job that is cancelled while it waits does not run; one that has begun cannot be stopped, and
    /// [`Deferred::cancel`] only turns away its value. The end of the run drops jobs that wait, and waits for those that run
    /// at most for [`Builder::pool_grace`](crate::Builder::pool_grace).
    ///
    /// # Errors
    ///
    /// The deferred fails with [`Failure::Panicked`] if `f` did, [`Failure::Overloaded`] if
    /// [`Builder::pool_queue_max`](crate::Builder::pool_queue_max) jobs wait, [`Failure::NoThread`] if there is no thread for
    /// it, and [`Failure::Abandoned`] if the run ends first.
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

    /// As [`defer_to_thread`](Self::defer_to_thread), for lookups of names, on threads that are theirs alone: however many other
    /// jobs block, they go on, and the other way round. This is where names are looked up that connections are made to.
    ///
    /// There are up to [`Builder::lookup_threads_max`](crate::Builder::lookup_threads_max) threads. The end of the run does not
    /// wait for those that are busy.
    ///
    /// # Errors
    ///
    /// As [`defer_to_thread`](Self::defer_to_thread), with [`Builder::lookup_queue_max`](crate::Builder::lookup_queue_max) as its
    /// limit.
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
            // If the reactor is gone the value is dropped here, and that is user code.
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

    /// On a simulated reactor there are no threads: the job runs from the loop, after a time drawn from the seed.
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

    /// Settles the promise; there is no value if the job was cancelled before it ran.
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

    /// Ends the pool with the run; what is left of it is dropped by the loop.
    pub(crate) fn stop_pool(&self) {
        let pool = &self.inner.pool;
        let useless = match self.inner.is_forked_copy() {
            false => pool.stop(self.inner.settings.pool_grace),
            true => pool.leave_behind(),
        };
        self.inner.deferred_drops.borrow_mut().extend(useless);
        // The wait was nobody's callback.
        self.start_callback_timer();
    }

    /// The promise of a job; `None` if it belongs to an earlier run of the reactor.
    fn job_promise<T: 'static>(&self, slot: usize, serial: u64) -> Option<Box<Promise<T>>> {
        let mut promises = self.inner.pool.promises.borrow_mut();
        promises.get(slot).filter(|(number, _)| *number == serial)?;
        promises.remove(slot).1.downcast().ok()
    }
}
