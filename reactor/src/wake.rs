//! The flag between the loop and other threads: who has to wake whom. It moves no data.
//!
//! The loop says that it is about to sleep and then looks at the queues once more; a sender puts its item into a queue
//! and then looks whether the loop sleeps. Both sides write before they read, sequentially consistent, so at least one
//! of them sees the other: nothing is lost. Whoever takes the flag down wakes, so one sleep is ended by one wake-up,
//! however many senders there are, and a loop that is awake is never disturbed.

#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, Ordering, fence};

#[derive(Debug)]
pub(crate) struct WakeFlag {
    asleep: AtomicBool,
}

impl WakeFlag {
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicBool::new(false) }
    }

    /// The loop is about to sleep, and must look at its queues once more after this.
    pub(crate) fn going_to_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The loop is awake.
    pub(crate) fn woke_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Something was put into a queue: whether the caller has to wake the loop.
    pub(crate) fn must_wake(&self) -> bool {
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed)
    }
}

#[cfg(all(test, loom))]
mod tests {
    use super::*;
    use loom::sync::{Arc, atomic::AtomicUsize};

    /// Two senders and a loop that sleeps until it has seen both items. A lost wake-up is a deadlock, which loom
    /// reports as the loop spinning for ever; a wake-up too many is counted.
    #[test]
    fn nothing_is_lost_and_nobody_is_woken_twice() {
        loom::model(|| {
            let flag = Arc::new(WakeFlag::new());
            let queue = Arc::new(AtomicUsize::new(0));
            let bell = Arc::new((loom::sync::Mutex::new(0_usize), loom::sync::Condvar::new()));
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let (flag, queue, bell) = (flag.clone(), queue.clone(), bell.clone());
                    loom::thread::spawn(move || {
                        queue.fetch_add(1, Ordering::Release);
                        if flag.must_wake() {
                            *bell.0.lock().unwrap() += 1;
                            bell.1.notify_one();
                        }
                    })
                })
                .collect();
            let (mut seen, mut naps, mut rung) = (0, 0, 0);
            while seen < 2 {
                seen += queue.swap(0, Ordering::Acquire);
                if seen == 2 {
                    break;
                }
                flag.going_to_sleep();
                naps += 1;
                if queue.load(Ordering::Acquire) == 0 {
                    let mut rings = bell.0.lock().unwrap();
                    while *rings == rung {
                        rings = bell.1.wait(rings).unwrap();
                    }
                    rung = *rings;
                }
                flag.woke_up();
            }
            for sender in senders {
                sender.join().unwrap();
            }
            let rings = *bell.0.lock().unwrap();
            assert!(rings <= naps, "{rings} wake-ups for {naps} naps");
        });
    }
}
