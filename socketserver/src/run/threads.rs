//! Threads that handle requests, and the queue in front of them. No handler runs under the lock.

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
    /// There is a job, or the end.
    job: Condvar,
    /// The last thread has ended.
    ended: Condvar,
    max: usize,
    idle: Duration,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Those that are at work, by their numbers, and their connections.
    active: HashMap<usize, Option<WeakSocket>>,
    /// How many wait for a job, those included that a job has just been put in the queue for.
    idle: usize,
    /// How many there are.
    threads: usize,
    /// How many there have ever been, for their names.
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

    /// Takes a request, which waits if all threads are at work. Fails if there is no thread at all and none can be started.
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
            tracing::warn!(%error, "no further thread could be started; the request waits for one");
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

    /// The life of a thread.
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

    /// Ends them when they have done all that was taken: those that do not come to an end within `timeout` find their
    /// connections cut, and get as long once more.
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
            let cut: Vec<_> =
                state.active.values().flatten().filter_map(WeakSocket::upgrade).collect();
            drop(state);
            // What the handler does next fails, and that is its business.
            cut.iter().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
            drop(cut);
            end_all(queue);
            state = self.wait_for_end(lock(&self.shared.state), timeout);
        }
        let (handlers, handles) = (state.threads, mem::take(&mut state.handles));
        drop(state);
        if handlers > 0 {
            return Err(CloseError::StillRunning { handlers, waited: timeout.saturating_mul(2) });
        }
        // Nothing of theirs can panic; they have only to leave.
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

    /// Leaves those at work behind, and turns away what waits.
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
