//! Tests that nothing leaks, and that drops run in the loop.

use std::{
    cell::RefCell, future::pending, os::unix::net::UnixStream, rc::Rc, sync::Arc, time::Duration,
};

use crate::kit::{Census, Marker, Puppet, Trail, reactor, reactors, turn};
use sinew_reactor::{Failure, Interest, Phase, Promise, Reactor, Signal};

const FAR: Duration = Duration::from_secs(3600);

/// Gives the reactor one of everything that it can hold, and returns the handles that a user would keep.
fn fill(reactor: &Reactor, census: &Census, threads: &Arc<()>) -> Vec<Box<dyn std::any::Any>> {
    let mut kept: Vec<Box<dyn std::any::Any>> = Vec::new();
    let one = census.one();
    reactor.call_soon(move |_| drop(one));
    let theirs = threads.clone();
    // Refused between two runs, and dropped.
    let _ = reactor.remote().call(move |_| drop(theirs));
    let one = census.one();
    kept.push(Box::new(reactor.call_later(FAR, move |_| drop(one))));
    let one = census.one();
    kept.push(Box::new(reactor.call_every(FAR, move |_| drop(one.one()))));
    let one = census.one();
    kept.push(Box::new(reactor.spawn(async move {
        let _one = one;
        pending::<()>().await;
    })));
    let one = census.one();
    kept.push(Box::new(reactor.timeout(FAR, async move {
        let _one = one;
    })));
    let one = census.one();
    let token = Puppet::enter(reactor, move |_, _| drop(one.one()));
    reactor.arm_timer(token, FAR);
    let (near, far) = UnixStream::pair().unwrap();
    let one = census.one();
    let puppet = Puppet::new(move |_, _| drop(one.one()));
    kept.push(Box::new(reactor.register(&mut &near, Interest::READ, puppet).unwrap()));
    kept.push(Box::new((near, far)));
    reactor.defer_drop(census.one());
    reactor.broadcast(Rc::new(census.one()));
    for phase in [Phase::BeforeShutdown, Phase::AfterShutdown] {
        let one = census.one();
        reactor.on(phase, move |_| drop(one));
    }
    let (promise, deferred) = reactor.promise::<Census, Failure>();
    let one = census.one();
    promise.on_cancel(move |_| drop(one));
    let one = census.one();
    deferred.then(move |_, result| drop((one, result)));
    promise.resolve(census.one());
    let theirs = threads.clone();
    reactor.defer_to_thread(move || theirs).detach();
    kept
}

#[test]
fn dropping_a_reactor_that_never_ran_frees_everything() {
    for reactor in reactors() {
        let (census, threads) = (Census::default(), Arc::new(()));
        let kept = fill(&reactor, &census, &threads);
        let one = census.one();
        reactor.on_signal(Signal::USR1, move |_| drop(one.one())).unwrap();
        reactor.local::<RefCell<Option<Census>>>().replace(Some(census.one()));
        assert!(census.alive() > 10);
        drop(reactor);
        // A future that was never given to the reactor belongs to its owner.
        assert_eq!(census.alive(), 1);
        drop(kept);
        assert_eq!((census.alive(), Arc::strong_count(&threads)), (0, 1));
    }
}

#[test]
fn after_a_run_nothing_is_left() {
    for reactor in reactors() {
        for _ in 0..2 {
            let (census, threads) = (Census::default(), Arc::new(()));
            let kept = fill(&reactor, &census, &threads);
            // During the run, too, and in its shutdown.
            let (of_run, other) = (census.one(), threads.clone());
            let in_run: Rc<RefCell<Vec<_>>> = Rc::default();
            let keep = in_run.clone();
            reactor.call_soon(move |reactor| {
                keep.borrow_mut().extend(fill(reactor, &of_run, &other));
                let late = of_run.one();
                Puppet::enter(reactor, move |reactor, method| {
                    if method == "shutdown" {
                        let late = late.one();
                        let token = Puppet::enter(reactor, move |_, _| drop(late.one()));
                        reactor.arm_timer(token, FAR);
                    }
                });
                reactor.stop().unwrap();
            });
            reactor.run().unwrap();
            let stats = reactor.stats();
            assert_eq!((stats.handlers, stats.timers, stats.tasks), (0, 0, 0));
            assert_eq!(census.alive(), 2, "the two futures that were not given to the reactor");
            drop((kept, in_run));
            assert_eq!((census.alive(), Arc::strong_count(&threads)), (0, 1));
        }
    }
}

#[test]
fn a_handle_captured_by_its_own_timer_is_freed_by_the_run() {
    let reactor = reactor();
    let weak = reactor.downgrade();
    let own = reactor.clone();
    reactor.call_later(FAR, move |_| drop(own));
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    assert!(weak.upgrade().is_some());
    drop(reactor);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_handler_may_use_the_reactor_in_shutdown() {
    let reactor = reactor();
    let (census, trail) = (Census::default(), Trail::default());
    let (one, log) = (census.one(), trail.clone());
    Puppet::enter(&reactor, move |reactor, method| {
        log.push(method);
        assert!(reactor.run().is_err() && reactor.turn(None).is_err());
        let clone = reactor.clone();
        let _ = fill(&clone, &one, &Arc::new(()));
    });
    drop(reactor);
    assert_eq!(trail.take(), ["shutdown"]);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_reactor_cloned_in_its_teardown_still_works() {
    let reactor = reactor();
    let saved: Rc<RefCell<Option<Reactor>>> = Rc::default();
    let safe = saved.clone();
    Puppet::enter(&reactor, move |reactor, _| *safe.borrow_mut() = Some(reactor.clone()));
    drop(reactor);
    let reactor = saved.take().unwrap();
    let trail = Trail::default();
    reactor.call_soon(trail.mark("still here"));
    turn(&reactor);
    assert_eq!(trail.take(), ["still here"]);
}

/// Makes many kinds of calls when it is dropped.
struct CallsInDrop(sinew_reactor::WeakReactor, u32);

impl Drop for CallsInDrop {
    fn drop(&mut self) {
        let Some(reactor) = self.0.upgrade() else { return };
        let next = |n| Self(reactor.downgrade(), n);
        if self.1 == 0 {
            return;
        }
        let (a, b, c) = (next(self.1 - 1), next(self.1 - 1), next(self.1 - 1));
        reactor.call_soon(move |_| drop(a));
        reactor.call_later(FAR, move |_| drop(b));
        Puppet::enter(&reactor, move |_, _| _ = &c);
        reactor.spawn(pending::<()>()).detach();
        let _ = (reactor.stats(), reactor.local::<u8>(), reactor.stop(), reactor.turn(None));
    }
}

#[test]
fn drops_at_the_end_may_call_the_reactor() {
    for run in [false, true] {
        let reactor = reactor();
        let value = CallsInDrop(reactor.downgrade(), 4);
        reactor.call_later(FAR, move |_| drop(value));
        let value = CallsInDrop(reactor.downgrade(), 4);
        reactor
            .spawn(async move {
                let _value = value;
                pending::<()>().await;
            })
            .detach();
        reactor.defer_drop(CallsInDrop(reactor.downgrade(), 2));
        if run {
            reactor.call_soon(|reactor| reactor.stop().unwrap());
            reactor.run().unwrap();
            let stats = reactor.stats();
            assert_eq!((stats.handlers, stats.timers, stats.tasks), (0, 0, 0));
        }
        let weak = reactor.downgrade();
        drop(reactor);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn values_released_by_a_call_are_dropped_by_the_loop() {
    type Release = fn(&Reactor, Marker);
    let ways: [Release; 8] = [
        |reactor, marker| reactor.defer_drop(marker),
        |reactor, marker| _ = reactor.call_later(FAR, move |_| drop(marker)).cancel(),
        |reactor, marker| _ = reactor.call_every(FAR, move |_| _ = &marker).stop(),
        |reactor, marker| {
            reactor.deregister(Puppet::enter(reactor, move |_, _| _ = &marker), false);
        },
        |reactor, marker| {
            let token = Puppet::enter(reactor, move |_, _| _ = &marker);
            reactor.bind(token, Puppet::new(|_, _| ()));
        },
        |reactor, marker| {
            let task = reactor.spawn(async move {
                let _marker = marker;
                pending::<()>().await;
            });
            task.cancel();
        },
        |reactor, marker| {
            let refused = reactor.on_signal(Signal::from_raw(-1), move |_| _ = &marker);
            assert!(refused.is_err());
        },
        |reactor, marker| {
            let (promise, deferred): (Promise<Marker>, _) = reactor.promise();
            deferred.cancel();
            promise.resolve(marker);
        },
    ];
    for release in ways {
        let reactor = reactor();
        let trail = Trail::default();
        release(&reactor, Marker(trail.clone(), "dropped"));
        assert_eq!(trail.len(), 0);
        turn(&reactor);
        turn(&reactor);
        assert_eq!(trail.take(), ["dropped"]);
    }
}
