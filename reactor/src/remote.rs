//! From other threads to the loop: [`Remote`], and the queues behind it. The only part that more than one thread touches.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::{Reactor, engine::Notify, error::RemoteError, process::Home, wake::WakeFlag};

pub(crate) type RemoteCall = Box<dyn FnOnce(&Reactor) + Send>;

/// Names a task: the slot and how often tasks have been made, so that a late wake-up does not meet a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId {
    pub(crate) slot: usize,
    pub(crate) serial: u64,
}

/// What the loop and other threads share. No locks: two lock-free queues and a flag.
pub(crate) struct Shared {
    calls: Sender<RemoteCall>,
    calls_waiting: AtomicUsize,
    calls_max: usize,
    woken: Sender<TaskId>,
    /// As `calls_waiting`.
    woken_waiting: AtomicUsize,
    flag: WakeFlag,
    notify: Arc<dyn Notify>,
    home: Home,
    ended: AtomicBool,
}

/// The loop's end of the queues.
pub(crate) struct Inbox {
    pub(crate) calls: Receiver<RemoteCall>,
    pub(crate) woken: Receiver<TaskId>,
}

impl Shared {
    pub(crate) fn new(notify: Arc<dyn Notify>, home: Home, calls_max: usize) -> (Arc<Self>, Inbox) {
        let (calls, calls_end) = unbounded();
        let (woken, woken_end) = unbounded();
        let shared = Self {
            calls,
            calls_waiting: AtomicUsize::new(0),
            calls_max,
            woken,
            woken_waiting: AtomicUsize::new(0),
            flag: WakeFlag::new(),
            notify,
            home,
            ended: AtomicBool::new(false),
        };
        (Arc::new(shared), Inbox { calls: calls_end, woken: woken_end })
    }

    /// Puts a call into the queue, whatever its length: for answers that the loop itself has asked for. `false` if the
    /// reactor is gone.
    pub(crate) fn push(&self, call: RemoteCall) -> bool {
        self.calls_waiting.fetch_add(1, Ordering::Relaxed);
        self.send(call)
    }

    /// As `push`, if there is room.
    fn try_push(&self, call: RemoteCall) -> Result<(), RemoteError> {
        let limit = self.calls_max;
        if self.calls_waiting.fetch_add(1, Ordering::Relaxed) >= limit {
            self.taken();
            return Err(RemoteError::Full { limit });
        }
        if self.send(call) { Ok(()) } else { Err(RemoteError::Ended) }
    }

    fn send(&self, call: RemoteCall) -> bool {
        self.flag.post(|| self.calls.send(call).is_ok(), || self.wake())
    }

    pub(crate) fn push_woken(&self, task: TaskId) {
        self.woken_waiting.fetch_add(1, Ordering::Relaxed);
        self.flag.post(|| self.woken.send(task).is_ok(), || self.wake());
    }

    /// How many calls are in the queue, or about to be. Counted before they are, so that who finds none here has none: to ask
    /// a queue costs ten times as much.
    pub(crate) fn calls_waiting(&self) -> usize {
        self.calls_waiting.load(Ordering::Relaxed)
    }

    /// The same of woken tasks.
    pub(crate) fn woken_waiting(&self) -> usize {
        self.woken_waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn has_any(&self) -> bool {
        self.calls_waiting() > 0 || self.woken_waiting() > 0
    }

    /// Has the loop `wait`, as [`WakeFlag::sleep`] says.
    pub(crate) fn sleep<R>(&self, wait: impl FnOnce(bool) -> R) -> R {
        self.flag.sleep(|| self.has_any(), wait)
    }

    /// A call was taken out of the queue.
    pub(crate) fn taken(&self) {
        self.calls_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// A woken task was taken out of the queue.
    pub(crate) fn woken_taken(&self) {
        self.woken_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn set_ended(&self, ended: bool) {
        self.ended.store(ended, Ordering::Release);
    }

    fn wake(&self) {
        // In a child of fork(2) this would wake the parent's loop.
        if !self.home.is_left()
            && let Err(error) = self.notify.notify()
        {
            tracing::error!(%error, "the reactor could not be woken");
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("calls_waiting", &self.calls_waiting)
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
    /// loop is woken; calls made while it is awake cost no system call. Calls made before the first run wait for it.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Ended`] if nobody would run it: the reactor is gone, or its run has ended.
    /// [`RemoteError::Full`] if too many calls are waiting. [`RemoteError::InChild`] in a child of fork(2).
    pub fn call(&self, f: impl FnOnce(&Reactor) + Send + 'static) -> Result<(), RemoteError> {
        if self.shared.ended.load(Ordering::Acquire) {
            return Err(RemoteError::Ended);
        }
        if self.shared.home.is_left() {
            return Err(RemoteError::InChild);
        }
        self.shared.try_push(Box::new(f))
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

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Notify for Counted {
        fn notify(&self) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    #[test]
    fn one_sleep_is_ended_by_one_notification_and_the_awake_get_none() {
        let counted = Arc::<Counted>::default();
        let (shared, inbox) = Shared::new(counted.clone(), Home::anywhere(), usize::MAX);
        let call_from_many = |threads: usize| {
            let senders = (0..threads).map(|_| {
                let remote = Remote::new(shared.clone());
                thread::spawn(move || (0..100).for_each(|_| remote.call(|_| ()).unwrap()))
            });
            senders.collect::<Vec<_>>().into_iter().for_each(|sender| sender.join().unwrap());
            counted.0.swap(0, Ordering::SeqCst)
        };
        assert_eq!(call_from_many(4), 0);
        for _ in 0..100 {
            inbox.calls.try_iter().for_each(|_| shared.taken());
            shared.sleep(|has_any| {
                assert!(!has_any);
                assert_eq!(call_from_many(2), 1);
            });
            assert_eq!(call_from_many(1), 0);
        }
        shared.sleep(|has_any| assert!(has_any, "what is there already wakes nobody"));
    }

    /// The fault that this is against loses a wake-up once in a million: here, every time.
    #[test]
    fn what_comes_right_before_the_loop_looks_at_its_queues_wakes_it() {
        let counted = Arc::<Counted>::default();
        let (shared, _inbox) = Shared::new(counted.clone(), Home::anywhere(), usize::MAX);
        let remote = Remote::new(shared.clone());
        let look = || {
            let has_any = shared.has_any();
            // Too late to be seen, so it has to wake.
            remote.call(|_| ()).unwrap();
            has_any
        };
        shared.flag.sleep(look, |has_any| {
            assert!(!has_any);
            assert_eq!(counted.0.load(Ordering::SeqCst), 1, "the call has woken the loop");
        });
    }

    /// The same by chance, as often as it takes: the kernel's part is played by a counter, so that a sleep takes no time.
    #[test]
    fn no_wake_up_is_lost_among_many() {
        [(1, 100_000), (4, 25_000)].into_iter().for_each(|(threads, each)| wake(threads, each));
    }

    /// So many threads call so often, each again when as many calls were heard as there had been.
    fn wake(threads: usize, each: usize) {
        let calls = threads * each;
        let bell = Arc::<Counted>::default();
        let (shared, inbox) = Shared::new(bell.clone(), Home::anywhere(), usize::MAX);
        let remote = Remote::new(shared.clone());
        let (made, heard) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let caller = |_| {
            let (remote, made, heard) = (remote.clone(), made.clone(), heard.clone());
            thread::spawn(move || {
                for n in 0..each {
                    // Ever later, and anew: so that it comes at every moment of the way to sleep.
                    (0..n % 128).for_each(|_| std::hint::spin_loop());
                    let number = made.fetch_add(1, Ordering::Relaxed) + 1;
                    remote.call(|_| ()).unwrap();
                    while heard.load(Ordering::Acquire) < number {
                        thread::yield_now();
                    }
                }
            })
        };
        let callers: Vec<_> = (0..threads).map(caller).collect();
        while heard.load(Ordering::Relaxed) < calls {
            while inbox.calls.try_recv().is_ok() {
                shared.taken();
                heard.fetch_add(1, Ordering::Release);
            }
            shared.sleep(|has_any| {
                let is_over = || heard.load(Ordering::Relaxed) == calls;
                let mut looks = 0_u32;
                while !has_any && bell.0.swap(0, Ordering::Acquire) == 0 && !is_over() {
                    looks += 1;
                    assert!(looks < 20_000_000, "a wake-up was lost");
                    thread::yield_now();
                }
            });
        }
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    }
}
