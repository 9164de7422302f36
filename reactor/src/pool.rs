//! The thread pool behind [`Reactor::defer_to_thread`]: for calls that block, such as name resolution and files.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use slab::Slab;

use crate::{Deferred, Failure, Promise, Reactor, guard::panic_message};

type Work = Box<dyn FnOnce() + Send>;

/// Threads are started when work comes and none is idle, and end with the run of the reactor.
pub(crate) struct Pool {
    threads_max: usize,
    queue_max: usize,
    running: RefCell<Option<Threads>>,
    /// The promises of the jobs under way; they cannot leave the loop's thread, so a job carries its number.
    promises: RefCell<Slab<(u64, Box<dyn Any>)>>,
    serial: std::cell::Cell<u64>,
}

struct Threads {
    work: Sender<Work>,
    queue: Receiver<Work>,
    idle: Arc<AtomicUsize>,
    count: usize,
    /// Every thread holds a sender; the channel is cut when the last has ended.
    ended: Receiver<()>,
    alive: Sender<()>,
}

impl Pool {
    pub(crate) fn new(threads_max: usize, queue_max: usize) -> Self {
        Self {
            threads_max: threads_max.max(1),
            queue_max,
            running: RefCell::default(),
            promises: RefCell::default(),
            serial: std::cell::Cell::new(0),
        }
    }

    fn submit(&self, work: Work) -> Result<(), Failure> {
        let mut running = self.running.borrow_mut();
        let threads = running.get_or_insert_with(Threads::new);
        if threads.queue.len() >= self.queue_max {
            return Err(Failure::Overloaded { limit: self.queue_max });
        }
        if threads.count < self.threads_max
            && threads.idle.load(Ordering::Acquire) <= threads.queue.len()
            && let Err(error) = threads.start()
            && threads.count == 0
        {
            return Err(Failure::NoThread(error.to_string()));
        }
        // The receiver lives beside the sender, so this cannot fail.
        let _ = threads.work.send(work);
        Ok(())
    }

    /// Ends the threads: jobs that wait are dropped, those that run are given `grace`.
    pub(crate) fn stop(&self, grace: Duration) {
        let running = self.running.borrow_mut().take();
        if let Some(Threads { work, queue, ended, alive, .. }) = running {
            while queue.try_recv().is_ok() {}
            drop((work, queue, alive));
            if ended.recv_timeout(grace) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
                tracing::warn!(?grace, "jobs still run in threads; the reactor leaves them behind");
            }
        }
        let promises = std::mem::take(&mut *self.promises.borrow_mut());
        drop(promises);
    }
}

impl Threads {
    fn new() -> Self {
        let (work, queue) = unbounded();
        let (alive, ended) = unbounded();
        Self { work, queue, idle: Arc::default(), count: 0, ended, alive }
    }

    fn start(&mut self) -> std::io::Result<()> {
        let (queue, idle, alive) = (self.queue.clone(), self.idle.clone(), self.alive.clone());
        thread::Builder::new().name(format!("sinew-pool-{}", self.count + 1)).spawn(move || {
            let _alive = alive;
            loop {
                idle.fetch_add(1, Ordering::AcqRel);
                let work = queue.recv();
                idle.fetch_sub(1, Ordering::AcqRel);
                match work {
                    Ok(work) => work(),
                    Err(_) => return,
                }
            }
        })?;
        self.count += 1;
        Ok(())
    }
}

impl Reactor {
    /// Runs `f` on a thread of the pool, for work that blocks or takes long, and brings its value back to the loop.
    ///
    /// The pool has up to [`Builder::pool_threads_max`](crate::Builder::pool_threads_max) threads, started on demand. A
    /// job that has begun cannot be stopped: [`Deferred::cancel`] only turns away its value.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let reactor = sinew_reactor::Reactor::new()?;
    /// let lines = reactor.defer_to_thread(|| std::fs::read_to_string("Cargo.toml").map(|text| text.lines().count()));
    /// lines.then(|reactor, lines| {
    ///     assert!(lines.is_ok_and(|lines| lines.is_ok_and(|lines| lines > 3)));
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
        let (promise, deferred) = self.promise::<T, Failure>();
        let pool = &self.inner.pool;
        let serial = pool.serial.get();
        pool.serial.set(serial + 1);
        let slot = pool.promises.borrow_mut().insert((serial, Box::new(promise)));
        let shared = self.inner.shared.clone();
        let work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(f)).map_err(|panic| panic_message(&*panic));
            shared.push(Box::new(move |reactor| reactor.job_done(slot, serial, result)));
        });
        if let Err(failure) = pool.submit(work) {
            self.job_failed::<T>(slot, serial, failure);
        }
        deferred
    }

    fn job_done<T: 'static>(&self, slot: usize, serial: u64, result: Result<T, String>) {
        match result {
            Ok(value) => {
                if let Some(promise) = self.job_promise::<T>(slot, serial) {
                    promise.resolve(value);
                }
            }
            Err(message) => {
                tracing::error!(message, "a job in a thread panicked");
                self.job_failed::<T>(slot, serial, Failure::Panicked(message));
            }
        }
    }

    fn job_failed<T: 'static>(&self, slot: usize, serial: u64, failure: Failure) {
        if let Some(promise) = self.job_promise::<T>(slot, serial) {
            promise.reject(failure);
        }
    }

    /// The promise of a job; `None` if it belongs to an earlier run of the reactor.
    fn job_promise<T: 'static>(&self, slot: usize, serial: u64) -> Option<Box<Promise<T>>> {
        let mut promises = self.inner.pool.promises.borrow_mut();
        promises.get(slot).filter(|(number, _)| *number == serial)?;
        promises.remove(slot).1.downcast().ok()
    }
}
