//! Tests of futures on the loop.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::kit::{Bomb, Census, Log, Marker, Trail, reactor, reactors, turn, turn_until};
use sinew_reactor::{Failure, TimedOut};

const MS: Duration = Duration::from_millis(1);
const FAR: Duration = Duration::from_secs(3600);

#[test]
fn a_task_runs_and_returns_a_value() {
    let reactor = reactor();
    let task = reactor.spawn(async { 42 });
    assert!(!task.is_done());
    assert_eq!(reactor.stats().tasks, 1);
    turn(&reactor);
    assert!(task.is_done());
    assert_eq!(reactor.stats().tasks, 0);
    assert_eq!(reactor.run_until(task).unwrap(), Ok(42));
}

#[test]
fn dropping_the_handle_does_not_stop_the_task() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    let sleep = reactor.sleep(MS);
    reactor
        .spawn(async move {
            sleep.await;
            log.push("done");
        })
        .detach();
    turn_until(&reactor, || trail.len() == 1);
}

#[test]
fn tasks_await_each_other() {
    let reactor = reactor();
    let inner = reactor.spawn(ready(20));
    let sleep = reactor.sleep(MS);
    let outer = reactor.spawn(async move {
        sleep.await;
        inner.await.unwrap() + 22
    });
    assert_eq!(reactor.run_until(outer).unwrap(), Ok(42));
}

#[test]
fn a_cancelled_task_is_dropped_by_the_loop() {
    let reactor = reactor();
    let trail = Trail::default();
    let marker = Marker(trail.clone(), "dropped");
    let task = reactor.spawn(async move {
        let _marker = marker;
        pending::<()>().await;
    });
    turn(&reactor);
    task.cancel();
    task.cancel();
    assert_eq!(trail.len(), 0);
    assert!(task.is_done());
    turn(&reactor);
    assert_eq!(trail.take(), ["dropped"]);
    assert_eq!(reactor.run_until(task).unwrap(), Err(Failure::Cancelled));
}

#[test]
fn dropping_the_handle_cancels_the_task_and_those_that_it_owns() {
    let reactor = reactor();
    let census = Census::default();
    let (outer, inner, own) = (census.one(), census.one(), reactor.clone());
    let task = reactor.spawn(async move {
        let _outer = outer;
        let nested = own.spawn(async move {
            let _inner = inner;
            pending::<()>().await;
        });
        drop(own);
        nested.await
    });
    turn(&reactor);
    turn(&reactor);
    assert_eq!((census.alive(), reactor.stats().tasks), (2, 2));
    drop(task);
    assert_eq!(census.alive(), 2, "the loop drops the future");
    turn(&reactor);
    turn(&reactor);
    assert_eq!((census.alive(), reactor.stats().tasks), (0, 0));
}

#[test]
fn a_task_lives_on_if_it_is_detached_or_has_a_callback() {
    let reactor = reactor();
    let trail = Trail::default();
    let run = |what| {
        let trail = trail.clone();
        reactor.spawn(async move { trail.push(what) })
    };
    run("detached").detach();
    let done = trail.mark("called");
    run("with a callback").then(move |reactor, _| done(reactor));
    drop(run("dropped"));
    turn(&reactor);
    turn(&reactor);
    assert_eq!(trail.take(), ["detached", "with a callback", "called"]);
}

#[test]
fn a_task_may_cancel_itself() {
    let reactor = reactor();
    let census = Census::default();
    let (one, own) = (census.one(), Rc::new(RefCell::new(None::<sinew_reactor::Task<()>>)));
    let handle = own.clone();
    *own.borrow_mut() = Some(reactor.spawn(async move {
        let _one = one;
        handle.borrow().as_ref().unwrap().cancel();
        pending::<()>().await;
    }));
    turn(&reactor);
    turn(&reactor);
    assert_eq!((census.alive(), reactor.stats().tasks), (0, 0));
    drop(own);
}

#[test]
fn a_panic_fails_the_task_and_is_logged_once() {
    let (first, second) = (line!() + 3, line!() + 7);
    let log = Log::of(|| {
        let reactor = reactor();
        let task = reactor.spawn(async { panic!("in a task") });
        turn(&reactor);
        let failed = reactor.run_until(task).unwrap();
        assert_eq!(failed, Err::<(), _>(Failure::Panicked("in a task".to_owned())));
        reactor.spawn(async { panic!("in another") }).detach();
        turn(&reactor);
    });
    let line = |line: u32, panic| {
        let what = format!("a task spawned at reactor/tests/reactor/tasks.rs:{line}:");
        (format!("ERROR message=a callback panicked what=\"{what}"), format!("panic=\"{panic}\""))
    };
    let expected = [line(first, "in a task"), line(second, "in another")];
    assert_eq!(log.len(), 2);
    for (log, (start, end)) in log.iter().zip(expected) {
        assert!(log.starts_with(&start) && log.ends_with(&end), "{log}");
    }
}

#[test]
fn a_panic_in_the_drop_of_a_future_is_caught() {
    let reactor = reactor();
    let bomb = Bomb;
    let task = reactor.spawn(async move {
        let _bomb = bomb;
        pending::<()>().await;
    });
    turn(&reactor);
    task.cancel();
    let log = Log::of(|| turn(&reactor));
    assert_eq!(log.len(), 1);
    assert!(log[0].contains("the drop of a task"), "{log:?}");
    assert_eq!(reactor.stats().tasks, 0);
}

/// A value that is awaited by a task and set by another thread.
#[derive(Default)]
struct SharedValue {
    value: Option<u32>,
    waker: Option<Waker>,
}

#[test]
fn other_threads_wake_a_sleeping_loop() {
    for reactor in reactors() {
        let values: Vec<_> =
            (0..500).map(|_| Arc::new(Mutex::new(SharedValue::default()))).collect();
        let theirs = values.clone();
        let producer = thread::spawn(move || {
            for (n, shared) in (0..).zip(theirs) {
                let mut shared = shared.lock().unwrap();
                shared.value = Some(n);
                if let Some(waker) = shared.waker.take() {
                    waker.wake();
                }
            }
        });
        let read = reactor.run_until(async move {
            let mut read = Vec::new();
            for shared in values {
                let value = poll_fn(|context| {
                    let mut shared = shared.lock().unwrap();
                    shared.waker = Some(context.waker().clone());
                    shared.value.map_or(Poll::Pending, Poll::Ready)
                });
                read.push(value.await);
            }
            read
        });
        producer.join().unwrap();
        assert!(read.unwrap().into_iter().eq(0..500));
    }
}

#[test]
fn a_waker_outlives_its_task_and_its_reactor() {
    let reactor = reactor();
    let kept = Rc::new(Cell::new(None));
    let slot = kept.clone();
    reactor
        .spawn(poll_fn(move |context| {
            slot.set(Some(context.waker().clone()));
            Poll::Ready(())
        }))
        .detach();
    turn(&reactor);
    let waker = kept.take().unwrap();
    waker.wake_by_ref();
    turn(&reactor);
    // Its slot has another task by now, which must not be woken.
    let polls = Trail::default();
    let log = polls.clone();
    reactor
        .spawn(poll_fn(move |_| {
            log.push("polled");
            Poll::<()>::Pending
        }))
        .detach();
    turn(&reactor);
    waker.wake_by_ref();
    turn(&reactor);
    assert_eq!(polls.take(), ["polled"]);
    drop(reactor);
    waker.wake();
}

#[test]
fn a_sleep_is_never_early_and_yields_at_least_once() {
    let reactor = reactor();
    for delay in [Duration::ZERO, Duration::from_micros(1), MS, Duration::from_micros(1_500)] {
        let due = Instant::now() + delay;
        let turns = reactor.stats().turns;
        reactor.run_until(reactor.sleep(delay)).unwrap();
        assert!(Instant::now() >= due);
        assert!(reactor.stats().turns > turns);
    }
    let polls = Trail::default();
    let (log, handle) = (polls.clone(), reactor.downgrade());
    reactor
        .spawn(async move {
            loop {
                log.push("polled");
                handle.upgrade().unwrap().sleep(Duration::ZERO).await;
            }
        })
        .detach();
    turn(&reactor);
    assert_eq!(polls.len(), 1);
    turn(&reactor);
    assert_eq!(polls.len(), 2);
}

#[test]
fn a_sleep_counts_from_its_creation() {
    let reactor = reactor();
    let short = reactor.sleep(MS);
    let order = Trail::default();
    let log = order.clone();
    let until = Instant::now() + 2 * MS;
    while Instant::now() < until {}
    let long = reactor.sleep(MS);
    reactor
        .spawn(async move {
            long.await;
            short.await;
            log.push("both");
        })
        .detach();
    turn_until(&reactor, || order.len() == 1);
}

#[test]
fn a_sleep_wakes_the_last_waker_that_polled_it() {
    struct CountingWaker(Mutex<u32>);
    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let reactor = reactor();
    let [first, second] = [(); 2].map(|()| Arc::new(CountingWaker(Mutex::new(0))));
    let mut sleep = pin!(reactor.sleep(MS));
    for counting in [&first, &first, &second] {
        let waker = Waker::from(counting.clone());
        assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(reactor.stats().timers, 1);
    }
    turn_until(&reactor, || *second.0.lock().unwrap() == 1);
    assert_eq!(*first.0.lock().unwrap(), 0);
    let mut context = Context::from_waker(Waker::noop());
    assert!(sleep.as_mut().poll(&mut context).is_ready());
    assert!(sleep.as_mut().poll(&mut context).is_ready());
}

#[test]
fn dropping_a_sleep_cancels_its_timer() {
    let reactor = reactor();
    {
        let mut sleep = pin!(reactor.sleep(FAR));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert_eq!(reactor.stats().timers, 1);
    }
    assert_eq!(reactor.stats().timers, 0);
}

#[test]
fn a_timeout_returns_the_value_or_the_time_it_waited() {
    let reactor = reactor();
    let census = Census::default();
    assert_eq!(reactor.run_until(reactor.timeout(FAR, ready(1))).unwrap(), Ok(1));
    let one = census.one();
    let never = async move {
        let _one = one;
        pending::<()>().await;
    };
    let waited = reactor.run_until(reactor.timeout(MS, never)).unwrap();
    assert_eq!(waited, Err(TimedOut { after: MS }));
    assert_eq!(census.alive(), 0);
    assert_eq!(reactor.stats().timers, 0);
}

#[test]
fn futures_can_be_raced() {
    let reactor = reactor();
    let (slow, quick) = (reactor.sleep(FAR), reactor.sleep(MS));
    let winner = reactor.run_until(async move {
        let (mut slow, mut quick) = (pin!(slow), pin!(quick));
        poll_fn(|context| {
            if slow.as_mut().poll(context).is_ready() {
                return Poll::Ready("slow");
            }
            quick.as_mut().poll(context).map(|()| "quick")
        })
        .await
    });
    assert_eq!(winner.unwrap(), "quick");
}

#[test]
fn tasks_are_dropped_at_the_end_of_a_run() {
    let reactor = reactor();
    let census = Census::default();
    let (one, handle) = (census.one(), reactor.clone());
    let task = reactor.spawn(async move {
        let _one = one;
        handle.sleep(FAR).await;
    });
    reactor.call_later(Duration::ZERO, |reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    assert_eq!(census.alive(), 0);
    assert_eq!(reactor.stats().tasks, 0);
    let mut task = pin!(task);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(task.as_mut().poll(&mut context), Poll::Ready(Err(Failure::Abandoned)));
}

#[test]
fn a_panic_in_a_foreign_waker_is_caught() {
    struct PanickingWaker;
    impl Wake for PanickingWaker {
        fn wake(self: Arc<Self>) {
            panic!("in a waker");
        }
    }
    let reactor = reactor();
    let mut sleep = pin!(reactor.sleep(Duration::ZERO));
    let waker = Waker::from(Arc::new(PanickingWaker));
    assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let log = Log::of(|| turn(&reactor));
    assert_eq!(log, ["ERROR message=a callback panicked what=\"a waker\" panic=\"in a waker\""]);
}
