//! Wakeup flags between the loop and other threads: who must wake the loop, and which tasks are queued already. They
//! carry no data.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether the loop sleeps.
///
/// The loop raises the flag before it sleeps and then checks the queues once more; a sender puts its item into a queue
/// and then checks the flag. Both sides write before they read, sequentially consistent, so at least one of them sees
/// the other: no wakeup is lost. The sender that clears the flag wakes the loop, so one sleep is ended by one wakeup,
/// however many senders there are, and no wakeup is sent to a loop that is awake.
///
/// Each side is one function, [`sleep`](Self::sleep) and [`post`](Self::post), so that the order of its steps is written
/// once and the loom tests below check the code that the loop runs.
#[derive(Debug)]
pub(crate) struct WakeFlag {
    asleep: AtomicBool,
}

impl WakeFlag {
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// The loop's side: runs `wait`, which any sender that posts meanwhile wakes. `wait` receives `true` if an item is
    /// queued already: then no wakeup follows and it must not block.
    pub(crate) fn sleep<R>(
        &self,
        has_any: impl FnOnce() -> bool,
        wait: impl FnOnce(bool) -> R,
    ) -> R {
        let waited = wait(self.raise(has_any));
        self.lower();
        waited
    }

    /// The first half of [`sleep`](Self::sleep), for a loop that another loop waits for. Returns `true` if an item is queued
    /// already: then no wakeup follows.
    pub(crate) fn raise(&self, has_any: impl FnOnce() -> bool) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        has_any()
    }

    /// The loop is awake.
    pub(crate) fn lower(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// A sender's side: queues an item by `put`, and wakes the loop if it sleeps. `put` returns `false` if the receiver
    /// is gone.
    pub(crate) fn post(&self, put: impl FnOnce() -> bool, wake: impl FnOnce()) -> bool {
        let was_put = put();
        if was_put && self.must_wake() {
            wake();
        }
        was_put
    }

    fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        // A swap would do, but it also writes when the flag is clear, and loom cannot order that.
        self.asleep.load(Ordering::Relaxed)
            && self
                .asleep
                .compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Whether a task is in the queue of woken tasks, so that it is queued once however often it is woken.
///
/// Both sides swap. A waker that finds the flag set relies on the coming poll, so that poll must see everything that
/// the waker wrote before: a plain store in `clear` would not ensure that (it reads nothing, and so orders nothing).
#[derive(Debug)]
pub(crate) struct QueuedFlag {
    queued: AtomicBool,
}

impl QueuedFlag {
    pub(crate) fn new() -> Self {
        Self { queued: AtomicBool::new(false) }
    }

    /// The task is woken. Returns whether the caller must queue it.
    pub(crate) fn must_queue(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// The loop has taken the task out of the queue and polls it after this call.
    pub(crate) fn clear(&self) {
        self.queued.swap(false, Ordering::AcqRel);
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    };

    /// Checks every interleaving with at most three preemptions. More find nothing new and take minutes.
    fn model(test: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(test);
    }

    /// Two senders and a loop that sleeps until it has seen both items. A lost wakeup makes the loop spin forever,
    /// which loom reports; a superfluous wakeup is counted.
    #[test]
    fn no_wakeup_is_lost_or_sent_twice() {
        model(|| {
            let flag = Arc::new(WakeFlag::new());
            let queue = Arc::new(AtomicUsize::new(0));
            // Models an eventfd: a wakeup adds to it, the sleeper resets it to zero.
            let eventfd = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (flag, queue, eventfd) = (flag.clone(), queue.clone(), eventfd.clone());
                    loom::thread::spawn(move || {
                        let mut wakeups = 0;
                        let put = || {
                            queue.fetch_add(1, Ordering::Release);
                            true
                        };
                        flag.post(put, || {
                            wakeups += 1;
                            eventfd.fetch_add(1, Ordering::Release);
                        });
                        wakeups
                    })
                })
                .collect();
            let (mut seen, mut sleeps) = (0, 0);
            while seen < 2 {
                seen += queue.swap(0, Ordering::Acquire);
                if seen == 2 {
                    break;
                }
                sleeps += 1;
                let has_any = || queue.load(Ordering::Acquire) > 0;
                flag.sleep(has_any, |has_any| {
                    while !has_any && eventfd.swap(0, Ordering::Acquire) == 0 {
                        loom::thread::yield_now();
                    }
                });
            }
            let wakeups: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
            assert!(wakeups <= sleeps, "{wakeups} wakeups for {sleeps} sleeps");
        });
    }

    /// The whole way of a wakeup from another thread, in the order of `TaskWaker` and `Shared::push_woken`: the loop sleeps
    /// until the task is queued, and its polls see what both wakers wrote.
    #[test]
    fn a_task_that_is_woken_from_other_threads_is_polled() {
        model(|| {
            let (asleep, queued) = (Arc::new(WakeFlag::new()), Arc::new(QueuedFlag::new()));
            let counted = Arc::new(AtomicUsize::new(0));
            let queue = Arc::new(AtomicUsize::new(0));
            let eventfd = Arc::new(AtomicUsize::new(0));
            let data = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            let wakers: Vec<_> = (0..2)
                .map(|n| {
                    let (asleep, queued) = (asleep.clone(), queued.clone());
                    let (counted, queue) = (counted.clone(), queue.clone());
                    let (eventfd, data) = (eventfd.clone(), data.clone());
                    loom::thread::spawn(move || {
                        data[n].store(true, Ordering::Relaxed);
                        if queued.must_queue() {
                            counted.fetch_add(1, Ordering::Relaxed);
                            let put = || {
                                queue.fetch_add(1, Ordering::Release);
                                true
                            };
                            asleep.post(put, || _ = eventfd.fetch_add(1, Ordering::Release));
                        }
                    })
                })
                .collect();
            loop {
                if queue.load(Ordering::Acquire) > 0 {
                    queue.fetch_sub(1, Ordering::Acquire);
                    counted.fetch_sub(1, Ordering::Relaxed);
                    queued.clear();
                    // The poll.
                    if data.iter().all(|data| data.load(Ordering::Relaxed)) {
                        break;
                    }
                }
                asleep.sleep(
                    || counted.load(Ordering::Relaxed) > 0,
                    |has_any| {
                        if has_any {
                            // Counted, and perhaps not in the queue yet.
                            return loom::thread::yield_now();
                        }
                        while eventfd.swap(0, Ordering::Acquire) == 0 {
                            loom::thread::yield_now();
                        }
                    },
                );
            }
            wakers.into_iter().for_each(|waker| waker.join().unwrap());
        });
    }

    /// Two wakers, each with new data, and a task that is queued already. The poll sees what a waker wrote, or the
    /// waker queues the task once more.
    #[test]
    fn a_poll_sees_the_data_of_every_waker_that_did_not_queue() {
        model(|| {
            let flag = Arc::new(QueuedFlag::new());
            let queued = Arc::new(AtomicUsize::new(0));
            let data = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            assert!(flag.must_queue());
            let wakers: Vec<_> = (0..2)
                .map(|n| {
                    let (flag, queued, data) = (flag.clone(), queued.clone(), data.clone());
                    loom::thread::spawn(move || {
                        data[n].store(true, Ordering::Relaxed);
                        if flag.must_queue() {
                            queued.fetch_add(1, Ordering::Release);
                        }
                    })
                })
                .collect();
            let poll = |flag: &QueuedFlag| {
                flag.clear();
                data.iter().filter(|data| data.load(Ordering::Relaxed)).count()
            };
            let first = poll(&flag);
            for waker in wakers {
                waker.join().unwrap();
            }
            let requeued = queued.load(Ordering::Acquire);
            assert!(requeued <= 2);
            assert!(first == 2 || requeued >= 1, "a wakeup was lost");
        });
    }
}
