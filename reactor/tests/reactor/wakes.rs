//! Tests of wakeups: another thread wakes the loop at every moment of its way to sleep. A lost wakeup makes the loop
//! sleep on.

use std::{
    future::poll_fn,
    hint,
    sync::{Arc, Mutex, mpsc},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use crate::kit::reactors;
use sinew_reactor::{Deferred, Promise, Reactor};

/// How often the loop is woken in each way. The delay of the answer varies, so that it meets the loop awake, asleep,
/// and about to sleep.
const TIMES: u32 = 5_000;

/// The time after which a loop that missed its wakeup wakes up.
const FAR: Duration = Duration::from_secs(120);

fn delay(number: u32) {
    for _ in 0..number % 1_000 * 4 {
        hint::spin_loop();
    }
}

/// Runs `f` on a loop that has nothing else to do, and fails if a wakeup is lost.
fn run_without_lost_wakeups(reactor: &Reactor, f: impl Future<Output = ()> + 'static) {
    reactor.call_later(FAR, |_| panic!("a wakeup was lost"));
    reactor.run_until(f).unwrap();
    assert_eq!(reactor.stats().panics, 0, "a wakeup was lost");
}

/// A thread that answers each number sent to it, after a varying delay, until the sender is dropped.
fn answering(answer: impl Fn(u32) + Send + 'static) -> mpsc::Sender<u32> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for number in receiver {
            delay(number);
            answer(number);
        }
    });
    sender
}

#[test]
fn a_call_wakes_the_loop() {
    for reactor in reactors() {
        let remote = reactor.remote();
        type Waiting = std::cell::RefCell<Option<Promise<u32>>>;
        let sender = answering(move |number| {
            let call = move |reactor: &Reactor| {
                reactor.local::<Waiting>().take().expect("a promise is waiting").resolve(number);
            };
            remote.call(call).unwrap();
        });
        let clone = reactor.downgrade();
        run_without_lost_wakeups(&reactor, async move {
            for number in 0..TIMES {
                let reactor = clone.upgrade().unwrap();
                let (promise, deferred) = reactor.promise();
                reactor.local::<Waiting>().replace(Some(promise));
                sender.send(number).unwrap();
                assert_eq!(deferred.await, Ok(number));
            }
        });
    }
}

#[test]
fn a_waker_wakes_the_loop() {
    for reactor in reactors() {
        let shared = Arc::new(Mutex::new((0, None::<Waker>)));
        let theirs = shared.clone();
        let sender = answering(move |number| {
            let mut shared = theirs.lock().unwrap();
            shared.0 = number + 1;
            shared.1.take().into_iter().for_each(Waker::wake);
        });
        run_without_lost_wakeups(&reactor, async move {
            for number in 0..TIMES {
                sender.send(number).unwrap();
                poll_fn(|context| {
                    let mut shared = shared.lock().unwrap();
                    shared.1 = Some(context.waker().clone());
                    if shared.0 > number { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
        });
    }
}

#[test]
fn a_job_wakes_the_loop() {
    for reactor in reactors() {
        let clone = reactor.downgrade();
        run_without_lost_wakeups(&reactor, async move {
            for number in 0..TIMES {
                let job: Deferred<u32> = clone.upgrade().unwrap().defer_to_thread(move || {
                    delay(number);
                    number
                });
                assert_eq!(job.await, Ok(number));
            }
        });
    }
}
