//! The thread pool that handles requests, and its queue. No handler runs while the lock is held.

use std::{
    collections::{HashMap, VecDeque},
    fmt, io, mem,
    net::Shutdown,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    Address, BaseServer, CloseError, Request,
    accept::{serve_request, shut_down},
    lock::lock,
    socket::WeakSocket,
};

#[derive(Clone)]
pub(super) struct Threads {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// A job was queued, or the pool is closing.
    job: Condvar,
    /// The last thread has ended.
    ended: Condvar,
    max: usize,
    idle: Duration,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Busy threads, by their numbers, with their connections.
    active: HashMap<usize, Option<WeakSocket>>,
    /// Threads that wait for a job, including those that have just been notified of one.
    idle: usize,
    /// The current number of threads.
    threads: usize,
    /// Threads started so far, for their names.
    named: usize,
    handles: Vec<JoinHandle<()>>,
    closing: bool,
}

struct Job {
    server: BaseServer,
    request: Request,
    client_address: Address,
}

impl Threads {
    pub(super) fn new(max: usize, idle: Duration) -> Self {
        let shared = Shared {
            state: Mutex::default(),
            job: Condvar::new(),
            ended: Condvar::new(),
            max,
            idle,
        };
        Self { shared: Arc::new(shared) }
    }

    pub(super) fn active(&self) -> usize {
        lock(&self.shared.state).active.len()
    }

    pub(super) fn queued(&self) -> usize {
        lock(&self.shared.state).queue.len()
    }

    /// Queues a request for an idle or new thread. Fails if there is no thread at all and none can be started.
    pub(super) fn take(
        &self,
        server: &BaseServer,
        request: &Request,
        client_address: &Address,
    ) -> io::Result<()> {
        let mut state = lock(&self.shared.state);
        if state.closing {
            return Err(io::Error::other("the server is closed"));
        }
        state.queue.push_back(Job {
            server: server.clone(),
            request: request.clone(),
            client_address: client_address.clone(),
        });
        if state.queue.len() <= state.idle {
            self.shared.job.notify_one();
            return Ok(());
        }
        if state.threads == self.shared.max {
            return Ok(());
        }
        let Err(error) = self.start_thread(&mut state) else { return Ok(()) };
        if state.threads > 0 {
            tracing::warn!(%error, "cannot start another thread; the request stays queued");
            return Ok(());
        }
        let job = state.queue.pop_back();
        drop(state);
        drop(job);
        Err(error)
    }

    fn start_thread(&self, state: &mut State) -> io::Result<()> {
        let number = state.named + 1;
        let this = self.clone();
        let work = move || this.work(number);
        let handle = thread::Builder::new().name(format!("Thread-{number}")).spawn(work)?;
        state.named = number;
        state.threads += 1;
        state.handles.retain(|handle| !handle.is_finished());
        state.handles.push(handle);
        Ok(())
    }

    /// The main function of a thread.
    fn work(&self, number: usize) {
        while let Some(job) = self.next_job(number) {
            let server = job.server.clone();
            serve_request(&job.server, job.request, &job.client_address);
            lock(&self.shared.state).active.remove(&number);
            server.core.serving.room_made();
        }
    }

    fn next_job(&self, number: usize) -> Option<Job> {
        let mut state = lock(&self.shared.state);
        let mut timed_out = false;
        loop {
            if let Some(job) = state.queue.pop_front() {
                let connection = match &job.request {
                    Request::Stream(socket) => Some(socket.downgrade()),
                    Request::Datagram(_) => None,
                };
                state.active.insert(number, connection);
                return Some(job);
            }
            if state.closing || timed_out {
                state.threads -= 1;
                if state.threads == 0 {
                    self.shared.ended.notify_all();
                }
                return None;
            }
            state.idle += 1;
            let waited = self.shared.job.wait_timeout(state, self.shared.idle);
            let (back, wait) = waited.unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            timed_out = wait.timed_out();
        }
    }

    /// Ends the threads after all queued requests are done. If that takes longer than `timeout`, shuts down their
    /// connections, and waits the same time again.
    pub(super) fn finish(&self, timeout: Duration) -> Result<(), CloseError> {
        let mut state = lock(&self.shared.state);
        state.closing = true;
        self.shared.job.notify_all();
        let own = thread::current().id();
        if state.handles.iter().any(|handle| handle.thread().id() == own) {
            return Err(CloseError::OwnThread);
        }
        state = self.wait_for_end(state, timeout);
        if state.threads > 0 {
            let queue = mem::take(&mut state.queue);
            let connections: Vec<_> =
                state.active.values().flatten().filter_map(WeakSocket::upgrade).collect();
            drop(state);
            // The next calls of the handlers on them fail.
            connections.iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
            drop(connections);
            end_all(queue);
            state = self.wait_for_end(lock(&self.shared.state), timeout);
        }
        let (handlers, handles) = (state.threads, mem::take(&mut state.handles));
        drop(state);
        if handlers > 0 {
            return Err(CloseError::StillRunning { handlers, waited: timeout.saturating_mul(2) });
        }
        // They cannot panic, and have only to return.
        handles.into_iter().for_each(|handle| drop(handle.join()));
        Ok(())
    }

    fn wait_for_end<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Duration,
    ) -> MutexGuard<'a, State> {
        let waited =
            self.shared.ended.wait_timeout_while(state, timeout, |state| state.threads > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Abandons the busy threads, and drops the queued requests.
    pub(super) fn abandon(&self) {
        let mut state = lock(&self.shared.state);
        state.closing = true;
        state.handles.clear();
        let queue = mem::take(&mut state.queue);
        drop(state);
        self.shared.job.notify_all();
        end_all(queue);
    }
}

fn end_all(queue: VecDeque<Job>) {
    queue.into_iter().for_each(|job| shut_down(&job.server, job.request));
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.shared.state);
        f.debug_struct("Threads")
            .field("threads", &state.threads)
            .field("active", &state.active.len())
            .field("queued", &state.queue.len())
            .finish()
    }
}
