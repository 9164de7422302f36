//! Calls from other threads to the loop: [`Remote`], and the queues behind it. The only part that more than one thread
//! uses.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{
    Reactor, Token, engine::Notify, error::RemoteError, process::ForkEpoch, wake::WakeFlag,
};

pub(crate) type RemoteCall = Box<dyn FnOnce(&Reactor) + Send>;

/// Identifies a task: its slot and a serial number, so that a late wakeup never reaches another task in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) slot: usize,
    pub(crate) serial: u64,
}

/// State shared by the loop and other threads. No locks: two lock-free queues and a flag. Aligned, so that two reactors,
/// each on a thread of its own, never write to one cache line.
#[repr(align(128))]
pub(crate) struct Shared {
    calls: Sender<RemoteCall>,
    calls_queued: AtomicUsize,
    calls_max: usize,
    woken: Sender<TaskId>,
    /// As `calls_queued`.
    woken_queued: AtomicUsize,
    flag: WakeFlag,
    notify: Arc<dyn Notify>,
    fork_epoch: ForkEpoch,
    ended: AtomicBool,
}

/// The receivers of the queues, owned by the loop.
pub(crate) struct Inbox {
    pub(crate) calls: Receiver<RemoteCall>,
    pub(crate) woken: Receiver<TaskId>,
}

impl Shared {
    pub(crate) fn new(
        notify: Arc<dyn Notify>,
        fork_epoch: ForkEpoch,
        calls_max: usize,
    ) -> (Arc<Self>, Inbox) {
        let (calls, calls_end) = unbounded();
        let (woken, woken_end) = unbounded();
        let shared = Self {
            calls,
            calls_queued: AtomicUsize::new(0),
            calls_max,
            woken,
            woken_queued: AtomicUsize::new(0),
            flag: WakeFlag::new(),
            notify,
            fork_epoch,
            ended: AtomicBool::new(false),
        };
        (Arc::new(shared), Inbox { calls: calls_end, woken: woken_end })
    }

    /// Queues a call without a limit: for results that the loop itself has requested. `false` if the reactor is gone.
    pub(crate) fn push(&self, call: RemoteCall) -> bool {
        self.calls_queued.fetch_add(1, Ordering::Relaxed);
        self.send(call)
    }

    /// As `push`, within the limit.
    fn try_push(&self, call: RemoteCall) -> Result<(), RemoteError> {
        let limit = self.calls_max;
        if self.calls_queued.fetch_add(1, Ordering::Relaxed) >= limit {
            self.call_taken();
            return Err(RemoteError::Full { limit });
        }
        if self.send(call) { Ok(()) } else { Err(RemoteError::Ended) }
    }

    fn send(&self, call: RemoteCall) -> bool {
        self.flag.post(|| self.calls.send(call).is_ok(), || self.wake())
    }

    pub(crate) fn push_woken(&self, task: TaskId) {
        self.woken_queued.fetch_add(1, Ordering::Relaxed);
        self.flag.post(|| self.woken.send(task).is_ok(), || self.wake());
    }

    /// How many calls are in the queue or about to be. Counted before they are queued, so zero means that the queue is
    /// empty; asking the queue itself costs ten times as much.
    pub(crate) fn calls_queued(&self) -> usize {
        self.calls_queued.load(Ordering::Relaxed)
    }

    /// How many woken tasks are in the queue or about to be.
    pub(crate) fn woken_queued(&self) -> usize {
        self.woken_queued.load(Ordering::Relaxed)
    }

    pub(crate) fn has_any(&self) -> bool {
        self.calls_queued() > 0 || self.woken_queued() > 0
    }

    /// Runs `wait` with the flag raised; see [`WakeFlag::sleep`].
    pub(crate) fn sleep<R>(&self, wait: impl FnOnce(bool) -> R) -> R {
        self.flag.sleep(|| self.has_any(), wait)
    }

    /// Has other threads wake the loop from now on, until [`stay_awake`](Self::stay_awake). Returns `true` if something is
    /// queued already, for which no wakeup follows.
    #[cfg(unix)]
    pub(crate) fn expect_wakeup(&self) -> bool {
        self.flag.raise(|| self.has_any())
    }

    #[cfg(unix)]
    pub(crate) fn stay_awake(&self) {
        self.flag.lower();
    }

    /// A call was taken out of the queue.
    pub(crate) fn call_taken(&self) {
        self.calls_queued.fetch_sub(1, Ordering::Relaxed);
    }

    /// A woken task was taken out of the queue.
    pub(crate) fn woken_taken(&self) {
        self.woken_queued.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn set_ended(&self, ended: bool) {
        self.ended.store(ended, Ordering::Release);
    }

    fn wake(&self) {
        // In a child of fork(2) this would wake the parent's loop.
        if !self.fork_epoch.is_in_child()
            && let Err(error) = self.notify.notify()
        {
            tracing::error!(%error, "cannot wake the reactor");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("calls_queued", &self.calls_queued)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// A handle for other threads: `Send + Sync`, cheap to clone. Everything else of a reactor stays on its thread.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_reactor::Reactor;
///
/// let reactor = Reactor::new()?;
/// let remote = reactor.remote();
/// let thread = std::thread::spawn(move || remote.stop());
/// reactor.run()?;
/// thread.join().expect("the thread does not panic")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Remote {
    shared: Arc<Shared>,
}

impl Remote {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Has the loop call `f`, in its next turn. Calls of one thread run in the order in which they were made. A sleeping
    /// loop is woken; calls made while it is awake cost no system call. Calls made before the first run are kept for it.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Ended`] if the call would never run: the reactor is gone, or its run has ended.
    /// [`RemoteError::Full`] if too many calls are queued. [`RemoteError::InChild`] in a child of fork(2).
    pub fn call(&self, f: impl FnOnce(&Reactor) + Send + 'static) -> Result<(), RemoteError> {
        if self.shared.ended.load(Ordering::Acquire) {
            return Err(RemoteError::Ended);
        }
        if self.shared.fork_epoch.is_in_child() {
            return Err(RemoteError::InChild);
        }
        self.shared.try_push(Box::new(f))
    }

    /// For authors of transports: as [`Reactor::reschedule`], from another thread. Does not count towards the limit of
    /// queued calls, so ask for each handler once until it has been called.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Ended`] and [`RemoteError::InChild`], as [`call`](Self::call).
    pub fn reschedule(&self, token: Token) -> Result<(), RemoteError> {
        if self.shared.ended.load(Ordering::Acquire) {
            return Err(RemoteError::Ended);
        }
        if self.shared.fork_epoch.is_in_child() {
            return Err(RemoteError::InChild);
        }
        let is_queued = self.shared.push(Box::new(move |reactor| reactor.reschedule(token)));
        if is_queued { Ok(()) } else { Err(RemoteError::Ended) }
    }

    /// Asks the reactor to stop, as [`Reactor::stop`] does.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn stop(&self) -> Result<(), RemoteError> {
        self.call(|reactor| {
            let _ = reactor.stop();
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{io, thread};

    use super::*;

    #[test]
    fn two_reactors_share_no_cache_line() {
        assert_eq!(align_of::<Shared>(), 128);
    }

    #[derive(Default)]
    struct CountingNotifier(AtomicUsize);

    impl Notify for CountingNotifier {
        fn notify(&self) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn a_sleep_is_ended_by_one_notification_and_an_awake_loop_gets_none() {
        let notifier = Arc::<CountingNotifier>::default();
        let (shared, inbox) = Shared::new(notifier.clone(), ForkEpoch::untracked(), usize::MAX);
        let call_from_many = |threads: usize| {
            let senders = (0..threads).map(|_| {
                let remote = Remote::new(shared.clone());
                thread::spawn(move || (0..100).for_each(|_| remote.call(|_| ()).unwrap()))
            });
            senders.collect::<Vec<_>>().into_iter().for_each(|sender| sender.join().unwrap());
            notifier.0.swap(0, Ordering::SeqCst)
        };
        assert_eq!(call_from_many(4), 0);
        for _ in 0..100 {
            inbox.calls.try_iter().for_each(|_| shared.call_taken());
            shared.sleep(|has_any| {
                assert!(!has_any);
                assert_eq!(call_from_many(2), 1);
            });
            assert_eq!(call_from_many(1), 0);
        }
        shared.sleep(|has_any| assert!(has_any, "a call queued earlier sends no wakeup"));
    }

    /// Regression: this race loses a wakeup once in a million sleeps. Here it happens every time.
    #[test]
    fn a_call_queued_right_after_the_loop_checked_its_queues_wakes_it() {
        let notifier = Arc::<CountingNotifier>::default();
        let (shared, _inbox) = Shared::new(notifier.clone(), ForkEpoch::untracked(), usize::MAX);
        let remote = Remote::new(shared.clone());
        let check = || {
            let has_any = shared.has_any();
            // Too late to be seen by the check, so it has to wake the loop.
            remote.call(|_| ()).unwrap();
            has_any
        };
        shared.flag.sleep(check, |has_any| {
            assert!(!has_any);
            assert_eq!(notifier.0.load(Ordering::SeqCst), 1, "the call has woken the loop");
        });
    }

    /// The same race by repetition. A counter stands in for the kernel, so that a sleep takes no time.
    #[test]
    fn no_wakeup_is_lost_among_many() {
        [(1, 100_000), (4, 25_000)].into_iter().for_each(|(threads, each)| wake(threads, each));
    }

    /// `threads` threads make `each` calls each; a thread makes the next when its last one has been received.
    fn wake(threads: usize, each: usize) {
        let calls = threads * each;
        let notifier = Arc::<CountingNotifier>::default();
        let (shared, inbox) = Shared::new(notifier.clone(), ForkEpoch::untracked(), usize::MAX);
        let remote = Remote::new(shared.clone());
        let (made, received) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let caller = |_| {
            let (remote, made, received) = (remote.clone(), made.clone(), received.clone());
            thread::spawn(move || {
                for n in 0..each {
                    // A varying delay, so that the call hits every moment of the way to sleep.
                    (0..n % 128).for_each(|_| std::hint::spin_loop());
                    let number = made.fetch_add(1, Ordering::Relaxed) + 1;
                    remote.call(|_| ()).unwrap();
                    while received.load(Ordering::Acquire) < number {
                        thread::yield_now();
                    }
                }
            })
        };
        let callers: Vec<_> = (0..threads).map(caller).collect();
        while received.load(Ordering::Relaxed) < calls {
            while inbox.calls.try_recv().is_ok() {
                shared.call_taken();
                received.fetch_add(1, Ordering::Release);
            }
            shared.sleep(|has_any| {
                let is_over = || received.load(Ordering::Relaxed) == calls;
                let mut checks = 0_u32;
                while !has_any && notifier.0.swap(0, Ordering::Acquire) == 0 && !is_over() {
                    checks += 1;
                    assert!(checks < 20_000_000, "a wakeup was lost");
                    thread::yield_now();
                }
            });
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
}
