//! The flags between the loop and other threads: who has to wake whom, and who is in the queue already. They move no
//! data.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Whether the loop sleeps.
///
/// The loop says that it is about to sleep and then looks at the queues once more; a sender puts its item into a queue
/// and then looks whether the loop sleeps. Both sides write before they read, sequentially consistent, so at least one
/// of them sees the other: nothing is lost. Whoever takes the flag down wakes, so one sleep is ended by one wake-up,
/// however many senders there are, and a loop that is awake is never disturbed.
///
/// Each side is one function, [`sleep`](Self::sleep) and [`post`](Self::post), so that the order of its steps is written
/// once: what the loop runs is what loom tries below.
#[derive(Debug)]
pub(crate) struct WakeFlag {
    asleep: AtomicBool,
}

impl WakeFlag {
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// The loop's side: `wait`s, and is woken by whoever posts meanwhile. `wait` is told whether something is in the queues
    /// already, in which case nobody will wake it and it must not block.
    pub(crate) fn sleep<R>(
        &self,
        has_any: impl FnOnce() -> bool,
        wait: impl FnOnce(bool) -> R,
    ) -> R {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let waited = wait(has_any());
        self.asleep.store(false, Ordering::Relaxed);
        waited
    }

    /// A sender's side: puts something into a queue, and wakes the loop if it sleeps. `put` says whether there was anybody
    /// to take it.
    pub(crate) fn post(&self, put: impl FnOnce() -> bool, wake: impl FnOnce()) -> bool {
        let was_put = put();
        if was_put && self.must_wake() {
            wake();
        }
        was_put
    }

    fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        // A swap would do, but would also write where it finds nothing to take down, which loom cannot put in order.
        self.asleep.load(Ordering::Relaxed)
            && self
                .asleep
                .compare_exchange(true, false, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

/// Whether a task is in the queue of the woken, so that it is there once however often it is woken.
///
/// Both sides swap. A waker that finds the flag up leaves it to the poll that is to come, so that poll must see all that
/// the waker did before: a plain store in `take_up` would not (it reads nothing, and so orders nothing).
#[derive(Debug)]
pub(crate) struct QueuedFlag {
    queued: AtomicBool,
}

impl QueuedFlag {
    pub(crate) fn new() -> Self {
        Self { queued: AtomicBool::new(false) }
    }

    /// The task is woken: whether the caller has to queue it.
    pub(crate) fn must_queue(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// The loop has taken the task out of the queue, and polls it after this.
    pub(crate) fn take_up(&self) {
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

    /// Every order in which the threads can run, as far as it takes no more than three switches that nobody asked for: more
    /// find nothing new, and take minutes.
    fn model(test: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(test);
    }

    /// Two senders and a loop that sleeps until it has seen both items. A lost wake-up is a loop that spins for ever before
    /// the bell, which loom reports; a wake-up too many is counted.
    #[test]
    fn nothing_is_lost_and_nobody_is_woken_twice() {
        model(|| {
            let flag = Arc::new(WakeFlag::new());
            let queue = Arc::new(AtomicUsize::new(0));
            // As an eventfd: rung by adding to it, heard by taking it down to nothing.
            let bell = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (flag, queue, bell) = (flag.clone(), queue.clone(), bell.clone());
                    loom::thread::spawn(move || {
                        let mut rings = 0;
                        let put = || {
                            queue.fetch_add(1, Ordering::Release);
                            true
                        };
                        flag.post(put, || {
                            rings += 1;
                            bell.fetch_add(1, Ordering::Release);
                        });
                        rings
                    })
                })
                .collect();
            let (mut seen, mut naps) = (0, 0);
            while seen < 2 {
                seen += queue.swap(0, Ordering::Acquire);
                if seen == 2 {
                    break;
                }
                naps += 1;
                let has_any = || queue.load(Ordering::Acquire) > 0;
                flag.sleep(has_any, |has_any| {
                    while !has_any && bell.swap(0, Ordering::Acquire) == 0 {
                        loom::thread::yield_now();
                    }
                });
            }
            let rings: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
            assert!(rings <= naps, "{rings} wake-ups for {naps} naps");
        });
    }

    /// Two wakers, each with news, and a task in the queue already. What a waker has left is seen by the poll that it
    /// relied on, or it queues the task once more.
    #[test]
    fn a_poll_sees_the_news_of_every_waker_that_did_not_queue() {
        model(|| {
            let flag = Arc::new(QueuedFlag::new());
            let queued = Arc::new(AtomicUsize::new(0));
            let news = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
            assert!(flag.must_queue());
            let wakers: Vec<_> = (0..2)
                .map(|n| {
                    let (flag, queued, news) = (flag.clone(), queued.clone(), news.clone());
                    loom::thread::spawn(move || {
                        news[n].store(true, Ordering::Relaxed);
                        if flag.must_queue() {
                            queued.fetch_add(1, Ordering::Release);
                        }
                    })
                })
                .collect();
            let heard = |flag: &QueuedFlag| {
                flag.take_up();
                news.iter().filter(|news| news.load(Ordering::Relaxed)).count()
            };
            let first = heard(&flag);
            for waker in wakers {
                waker.join().unwrap();
            }
            let again = queued.load(Ordering::Acquire);
            assert!(again <= 2);
            assert!(first == 2 || again >= 1, "a wake-up was lost");
        });
    }
}
