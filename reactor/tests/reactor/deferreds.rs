//! Tests of `Promise` and `Deferred`.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::kit::{Census, Log, Marker, Trail, reactor, turn};
use sinew_reactor::{Deferred, Failure, Promise, Reactor};

#[derive(Debug, PartialEq, thiserror::Error)]
enum Trouble {
    #[error("brewing")]
    Brewing,
    #[error(transparent)]
    Failed(#[from] Failure),
}

type Pair<T> = (Promise<T, Trouble>, Deferred<T, Trouble>);

fn pair<T: 'static>(reactor: &Reactor) -> Pair<T> {
    reactor.promise()
}

fn report<T: std::fmt::Debug + 'static>(deferred: Deferred<T, Trouble>, trail: &Trail) {
    let trail = trail.clone();
    deferred.then(move |_, result| trail.push(format!("{result:?}")));
}

#[test]
fn a_callback_is_called_by_the_loop_before_or_after_the_result() {
    let reactor = reactor();
    let trail = Trail::default();
    let (promise, deferred) = pair(&reactor);
    report(deferred, &trail);
    assert!(promise.is_pending());
    promise.resolve(1);
    let (promise, deferred) = pair(&reactor);
    promise.resolve(2);
    assert!(deferred.is_settled());
    report(deferred, &trail);
    let (promise, deferred) = pair::<i32>(&reactor);
    promise.reject(Trouble::Brewing);
    report(deferred, &trail);
    assert_eq!(trail.len(), 0);
    turn(&reactor);
    assert_eq!(trail.take(), ["Ok(1)", "Ok(2)", "Err(Brewing)"]);
}

/// Any kind of result, however it came about.
#[test]
fn a_callback_is_called_for_a_result_available_from_the_start() {
    let reactor = reactor();
    let trail = Trail::default();
    report(Deferred::ready_on(&reactor, 1), &trail);
    report(Deferred::<i32, _>::failed_on(&reactor, Trouble::Brewing), &trail);
    let (_promise, deferred) = pair::<i32>(&reactor);
    deferred.cancel();
    report(deferred, &trail);
    let (promise, deferred) = pair::<i32>(&reactor);
    drop(promise);
    report(deferred.map(|result| result), &trail);
    turn(&reactor);
    turn(&reactor);
    let expected = [
        "Ok(1)",
        "Err(Brewing)",
        "Err(Failed(cancelled))",
        "Err(Failed(abandoned without a result))",
    ];
    assert_eq!(trail.take(), expected);
}

#[test]
fn a_callback_that_can_never_be_called_is_logged_with_its_location() {
    type Attach = fn(Deferred<i32, Trouble>);
    let attach_fns: [Attach; 2] = [
        |deferred| deferred.then(|_, _| unreachable!()),
        |deferred| {
            let mapped: Deferred<i32, Trouble> = deferred.map(|_| unreachable!());
            drop(mapped);
        },
    ];
    for attach in attach_fns {
        let (reactor, orphan) = (reactor(), reactor().downgrade());
        let pending = orphan.promise().1;
        let (promise, settled) = orphan.promise();
        promise.resolve(1);
        let taken = Deferred::ready_on(&reactor, 1);
        assert_eq!(taken.take(), Some(Ok(1)));
        for (deferred, why) in [
            (pending, "its reactor was dropped"),
            (settled, "its reactor was dropped"),
            (taken, "its result was taken before"),
        ] {
            let log = Log::of(|| {
                attach(deferred);
                turn(&reactor);
            });
            assert_eq!(log.len(), 1, "{log:?}");
            assert!(
                log[0].contains("will never be called at=reactor/tests/reactor/deferreds.rs:"),
                "{log:?}"
            );
            assert!(log[0].starts_with("ERROR") && log[0].contains(why), "{log:?}");
        }
    }
}

#[test]
fn a_promise_knows_whether_it_is_awaited() {
    let reactor = reactor();
    let (promise, deferred) = pair::<i32>(&reactor);
    assert!(promise.is_awaited());
    let canceller = deferred.canceller();
    deferred.then(|_, _| ());
    assert!(promise.is_awaited(), "the callback awaits it");
    canceller.cancel();
    assert!(!promise.is_awaited());
    let (promise, deferred) = pair::<i32>(&reactor);
    deferred.detach();
    assert!(!promise.is_awaited() && promise.is_pending(), "detached, not cancelled");
    let (promise, deferred) = pair::<i32>(&reactor);
    drop(deferred);
    assert!(!promise.is_awaited() && !promise.is_pending(), "cancelled");
}

#[test]
fn a_deferred_can_be_awaited() {
    let reactor = reactor();
    let (promise, deferred) = pair(&reactor);
    reactor.call_soon(|reactor| reactor.call_soon(|_| promise.resolve(1)));
    assert_eq!(reactor.run_until(deferred).unwrap(), Ok(1));
    assert_eq!(reactor.run_until(Deferred::<_, Trouble>::ready_on(&reactor, 2)).unwrap(), Ok(2));
}

#[test]
fn a_result_is_taken_once() {
    let reactor = reactor();
    let (promise, deferred) = pair(&reactor);
    assert_eq!(deferred.take(), None);
    promise.resolve(1);
    assert_eq!(deferred.take(), Some(Ok(1)));
    assert_eq!(deferred.take(), None);
    // A callback attached later is not called, and is dropped.
    let census = Census::default();
    let one = census.one();
    deferred.then(move |_, _| unreachable!("{}", one.alive()));
    turn(&reactor);
    assert_eq!(census.alive(), 0);
}

#[test]
fn dropping_a_promise_abandons_its_deferred() {
    let reactor = reactor();
    let trail = Trail::default();
    let (promise, deferred) = pair::<()>(&reactor);
    report(deferred, &trail);
    drop(promise);
    turn(&reactor);
    assert_eq!(trail.take(), ["Err(Failed(abandoned without a result))"]);
}

#[test]
fn a_cancellation_reaches_both_ends() {
    let reactor = reactor();
    let trail = Trail::default();
    let (promise, deferred) = pair::<()>(&reactor);
    promise.on_cancel(trail.mark("replaced"));
    promise.on_cancel(trail.mark("cancelled"));
    deferred.cancel();
    deferred.cancel();
    assert!(!promise.is_pending());
    assert!(deferred.is_settled());
    assert_eq!(trail.len(), 0);
    report(deferred, &trail);
    turn(&reactor);
    assert_eq!(trail.take(), ["cancelled", "Err(Failed(cancelled))"]);
    // An `on_cancel` that is set late is called, too.
    promise.on_cancel(trail.mark("late"));
    turn(&reactor);
    assert_eq!(trail.take(), ["late"]);
    promise.resolve(());
    turn(&reactor);
    assert_eq!(trail.len(), 0);
}

#[test]
fn dropping_a_deferred_cancels_it_unless_something_else_waits_or_it_is_detached() {
    type Give = fn(Deferred<i32, Trouble>, &Reactor);
    let ways: [(&str, Give, bool); 9] = [
        ("dropped", |deferred, _| drop(deferred), true),
        ("polled and dropped", |deferred, _| drop(polled(deferred)), true),
        ("mapped and dropped", |deferred, _| drop(deferred.map(|result| result)), true),
        (
            "timed out",
            |deferred, reactor| {
                reactor.spawn(reactor.timeout(Duration::ZERO, deferred)).detach();
            },
            true,
        ),
        (
            "in a task whose handle was dropped",
            |deferred, reactor| drop(reactor.spawn(deferred)),
            true,
        ),
        ("a callback", |deferred, _| deferred.then(|_, _| ()), false),
        ("detached", |deferred, _| deferred.detach(), false),
        (
            "mapped and detached",
            |deferred, _| deferred.map(|result: Result<i32, Trouble>| result).detach(),
            false,
        ),
        ("in a detached task", |deferred, reactor| reactor.spawn(deferred).detach(), false),
    ];
    for (way, give, cancels) in ways {
        let reactor = Reactor::simulated(0);
        let trail = Trail::default();
        let (promise, deferred) = pair::<i32>(&reactor);
        promise.on_cancel(trail.mark("cancelled"));
        give(deferred, &reactor);
        assert_eq!(trail.len(), 0, "{way}: only the loop calls");
        for _ in 0..5 {
            turn(&reactor);
        }
        assert_eq!(trail.take().len(), usize::from(cancels), "{way}");
        assert_eq!(promise.is_pending(), !cancels, "{way}");
    }
}

/// A deferred with a waker.
fn polled<T: 'static>(deferred: Deferred<T, Trouble>) -> Deferred<T, Trouble> {
    let mut deferred = deferred;
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(&mut deferred).poll(&mut context).is_pending());
    deferred
}

#[test]
fn a_cancellation_after_the_result_has_no_effect() {
    let reactor = reactor();
    let trail = Trail::default();
    let (promise, deferred) = pair(&reactor);
    promise.on_cancel(trail.mark("cancelled"));
    promise.resolve(1);
    deferred.cancel();
    report(deferred, &trail);
    turn(&reactor);
    assert_eq!(trail.take(), ["Ok(1)"]);
}

#[test]
fn an_unhandled_error_is_logged_once() {
    type Act = fn(&Reactor);
    let ways: [(&str, Act, &[&str]); 10] = [
        (
            "dropped after",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                promise.reject(Trouble::Brewing);
                drop(deferred);
            },
            &["brewing"],
        ),
        (
            "detached before",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                deferred.detach();
                promise.reject(Trouble::Brewing);
            },
            &["brewing"],
        ),
        (
            "dropped before",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                drop(deferred);
                promise.reject(Trouble::Brewing);
            },
            &[],
        ),
        (
            "polled before",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                let mut deferred = Box::pin(deferred);
                let mut context = Context::from_waker(Waker::noop());
                assert!(deferred.as_mut().poll(&mut context).is_pending());
                promise.reject(Trouble::Brewing);
            },
            &["brewing"],
        ),
        (
            "taken",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                promise.reject(Trouble::Brewing);
                assert!(deferred.take().is_some());
            },
            &[],
        ),
        (
            "a callback",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                deferred.then(|_, result| assert!(result.is_err()));
                promise.reject(Trouble::Brewing);
            },
            &[],
        ),
        (
            "cancelled",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                deferred.cancel();
                promise.reject(Trouble::Brewing);
            },
            &[],
        ),
        ("abandoned", |reactor| drop(pair::<()>(reactor)), &[]),
        (
            "no error",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                promise.resolve(());
                drop(deferred);
            },
            &[],
        ),
        (
            "not handled when the reactor ends",
            |reactor| {
                let (promise, deferred) = pair::<()>(reactor);
                promise.reject(Trouble::Brewing);
                reactor.defer_drop(deferred);
            },
            &["brewing"],
        ),
    ];
    for (way, act, expected) in ways {
        let log = Log::of(|| {
            let reactor = reactor();
            act(&reactor);
            turn(&reactor);
            turn(&reactor);
        });
        let expected: Vec<_> = expected
            .iter()
            .map(|error| {
                format!(
                    "ERROR message=a deferred failed, and its error was never handled error={error}"
                )
            })
            .collect();
        assert_eq!(log, expected, "{way}");
    }
}

#[test]
fn values_and_closures_are_dropped_by_the_loop() {
    let reactor = reactor();
    let trail = Trail::default();
    let marker = |what| Marker(trail.clone(), what);
    let (promise, deferred) = pair(&reactor);
    drop(deferred);
    promise.resolve(marker("dropped deferred"));
    let (promise, deferred) = pair(&reactor);
    deferred.detach();
    promise.resolve(marker("detached deferred"));
    let (promise, deferred) = pair(&reactor);
    deferred.cancel();
    promise.resolve(marker("after a cancellation"));
    let (promise, deferred) = pair(&reactor);
    for _ in 0..2 {
        let canceller = marker("canceller");
        promise.on_cancel(move |_| drop(canceller));
    }
    promise.resolve(());
    assert_eq!(trail.len(), 0);
    turn(&reactor);
    turn(&reactor);
    assert_eq!(trail.len(), 5);
    drop(deferred);
}

#[test]
fn promises_and_deferreds_outlive_the_reactor() {
    let reactor = reactor();
    let (promise, deferred) = pair(&reactor);
    let (other_promise, other) = pair::<()>(&reactor);
    drop(reactor);
    promise.resolve(1);
    assert_eq!(deferred.take(), Some(Ok(1)));
    other.cancel();
    other_promise.on_cancel(|_| unreachable!());
    other.then(|_, _| unreachable!());
}

#[test]
fn only_the_last_waker_is_woken_and_none_is_used_under_a_borrow() {
    /// Counts its wakeups.
    struct CountingWaker(Arc<AtomicUsize>);
    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let reactor = reactor();
    let (promise, deferred) = pair::<()>(&reactor);
    let counts = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let mut deferred = pin!(deferred);
    for count in &counts {
        let waker = Waker::from(Arc::new(CountingWaker(count.clone())));
        assert_eq!(deferred.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    }
    promise.resolve(());
    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::Relaxed)), [0, 1]);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(deferred.as_mut().poll(&mut context), Poll::Ready(Ok(())));
}

#[test]
fn a_result_can_be_mapped() {
    let reactor = reactor();
    let (promise, deferred) = pair::<i32>(&reactor);
    let mapped: Deferred<String, Trouble> = deferred.map(|number| Ok(number?.to_string()));
    promise.resolve(7);
    assert!(!mapped.is_settled(), "the loop calls the closure");
    assert_eq!(reactor.run_until(mapped).unwrap().unwrap(), "7");

    // Cancelling the mapped deferred cancels the original.
    let (promise, deferred) = pair::<i32>(&reactor);
    let mapped: Deferred<i32, Trouble> = deferred.map(|number| number);
    mapped.cancel();
    turn(&reactor);
    turn(&reactor);
    assert!(!promise.is_pending() && mapped.is_settled());
}

#[test]
fn a_deferred_that_was_moved_can_be_cancelled() {
    let reactor = reactor();
    let (promise, deferred) = pair::<i32>(&reactor);
    let canceller = deferred.canceller();
    let trail = Trail::default();
    report(deferred, &trail);
    canceller.cancel();
    assert!(!promise.is_pending());
    turn(&reactor);
    assert_eq!(trail.len(), 1);
    drop(promise);
    // There is nothing left to cancel.
    canceller.cancel();
}

#[test]
fn a_promise_follows_another_deferred_both_ways() {
    let reactor = reactor();
    let (promise, deferred) = pair(&reactor);
    let (other, followed) = pair(&reactor);
    promise.follow(followed);
    other.resolve(1);
    turn(&reactor);
    assert_eq!(deferred.take(), Some(Ok(1)));

    let (promise, deferred) = pair::<i32>(&reactor);
    let (other, followed) = pair(&reactor);
    promise.follow(followed);
    drop(deferred);
    turn(&reactor);
    assert!(!other.is_pending(), "it is cancelled with the one that follows");
}
