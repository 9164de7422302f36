//! Another thread wakes the loop at every moment of its way to sleep. A wake-up that is lost is a loop that sleeps on.

mod kit;

use std::{
    future::poll_fn,
    hint,
    sync::{Arc, Mutex, mpsc},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use kit::reactors;
use sinew_reactor::{Deferred, Promise, Reactor};

/// How often the loop is woken in each way. Answers come ever later, and begin anew: so they meet it awake, asleep, and on
/// its way there.
const TIMES: u32 = 5_000;

/// Before this a loop that sleeps on has no reason to wake.
const FAR: Duration = Duration::from_secs(120);

fn delay(number: u32) {
    for _ in 0..number % 1_000 * 4 {
        hint::spin_loop();
    }
}

/// Runs `f` on a loop that has nothing else to do.
fn never_sleeps_on(reactor: &Reactor, f: impl Future<Output = ()> + 'static) {
    reactor.call_later(FAR, |_| panic!("a wake-up was lost"));
    reactor.run_until(f).unwrap();
    assert_eq!(reactor.stats().panics, 0, "a wake-up was lost");
}

/// A thread that answers to numbers, until nobody asks any more.
fn answering(answer: impl Fn(u32) + Send + 'static) -> mpsc::Sender<u32> {
    let (ask, asked) = mpsc::channel();
    thread::spawn(move || {
        for number in asked {
            delay(number);
            answer(number);
        }
    });
    ask
}

#[test]
fn by_a_call() {
    for reactor in reactors() {
        let remote = reactor.remote();
        type Waiting = std::cell::RefCell<Option<Promise<u32>>>;
        let ask = answering(move |number| {
            let call = move |reactor: &Reactor| {
                reactor.local::<Waiting>().take().expect("somebody waits").resolve(number);
            };
            remote.call(call).unwrap();
        });
        let clone = reactor.downgrade();
        never_sleeps_on(&reactor, async move {
            for number in 0..TIMES {
                let reactor = clone.upgrade().unwrap();
                let (promise, deferred) = reactor.promise();
                reactor.local::<Waiting>().replace(Some(promise));
                ask.send(number).unwrap();
                assert_eq!(deferred.await, Ok(number));
            }
        });
    }
}

#[test]
fn by_a_waker() {
    for reactor in reactors() {
        let shared = Arc::new(Mutex::new((0, None::<Waker>)));
        let theirs = shared.clone();
        let ask = answering(move |number| {
            let mut shared = theirs.lock().unwrap();
            shared.0 = number + 1;
            shared.1.take().into_iter().for_each(Waker::wake);
        });
        never_sleeps_on(&reactor, async move {
            for number in 0..TIMES {
                ask.send(number).unwrap();
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
fn by_a_job() {
    for reactor in reactors() {
        let clone = reactor.downgrade();
        never_sleeps_on(&reactor, async move {
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
