//! Tests of `TaskGroup`: an error, a panic or a drop ends the other tasks, and nothing is left.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending},
    pin::pin,
    rc::Rc,
    task::{Context, Waker},
    time::Duration,
};

use crate::kit::{Census, Log, Trail};
use sinew_reactor::{Failure, Reactor, TaskGroup};

#[derive(Debug, PartialEq, thiserror::Error)]
enum Trouble {
    #[error("brewing {0}")]
    Brewing(u8),
    #[error(transparent)]
    Failed(#[from] Failure),
}

fn group(reactor: &Reactor) -> TaskGroup<Trouble> {
    TaskGroup::new(reactor)
}

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Runs `wait` of a group to its end.
fn wait(reactor: &Reactor, mut group: TaskGroup<Trouble>) -> Result<(), Trouble> {
    reactor
        .run_until(async move {
            let waited = group.wait().await;
            assert!(group.is_empty());
            waited
        })
        .unwrap()
}

#[test]
fn waiting_returns_when_all_tasks_are_done() {
    let reactor = Reactor::simulated(0);
    let group = group(&reactor);
    let done = Rc::new(Cell::new(0));
    for n in 0..10 {
        let (sleep, done) = (reactor.sleep(secs(n)), done.clone());
        assert!(group.spawn(async move {
            sleep.await;
            done.set(done.get() + 1);
            Ok(())
        }));
    }
    assert_eq!(group.len(), 10);
    assert_eq!(wait(&reactor, group), Ok(()));
    assert_eq!(done.get(), 10);
    assert_eq!(reactor.age(), secs(9));
    assert_eq!(reactor.stats().tasks, 0);
}

#[test]
fn an_empty_group_has_nothing_to_wait_for() {
    let reactor = Reactor::simulated(0);
    assert_eq!(wait(&reactor, group(&reactor)), Ok(()));
}

#[test]
fn an_error_or_a_panic_cancels_the_others_before_the_wait_returns() {
    type Fail = fn() -> Result<(), Trouble>;
    let ways: [(Fail, Trouble); 2] = [
        (|| Err(Trouble::Brewing(1)), Trouble::Brewing(1)),
        (|| panic!("boo"), Trouble::Failed(Failure::Panicked("boo".to_owned()))),
    ];
    for (fail, expected) in ways {
        let (reactor, census) = (Reactor::simulated(0), Census::default());
        let mut group = group(&reactor);
        for _ in 0..3 {
            let one = census.one();
            group.spawn(async move {
                let _one = one;
                pending().await
            });
        }
        let sleep = reactor.sleep(secs(1));
        group.spawn(async move {
            sleep.await;
            fail()
        });
        let check = census.clone();
        let waited = reactor
            .run_until(async move {
                let waited = group.wait().await;
                assert_eq!(check.alive(), 1, "their futures have been dropped");
                assert_eq!(group.wait().await, Ok(()), "the error is taken once");
                assert!(group.spawn(async { Ok(()) }), "it may be used again");
                assert_eq!(group.wait().await, Ok(()));
                waited
            })
            .unwrap();
        assert_eq!(waited, Err(expected));
        assert_eq!(reactor.age(), secs(1));
    }
}

#[test]
fn after_an_error_nothing_is_added_until_it_is_taken() {
    let (reactor, census) = (Reactor::simulated(0), Census::default());
    let group = group(&reactor);
    group.spawn(async { Err(Trouble::Brewing(1)) });
    reactor.advance(secs(1)).unwrap();
    let one = census.one();
    let added = group.spawn(async move {
        drop(one);
        unreachable!("it is not polled")
    });
    assert!(!added);
    reactor.advance(secs(1)).unwrap();
    assert_eq!(census.alive(), 0, "the loop drops it");
    assert_eq!(wait(&reactor, group), Err(Trouble::Brewing(1)));
}

#[test]
fn dropping_or_cancelling_a_group_ends_its_tasks() {
    let ways: [fn(TaskGroup<Trouble>, &Reactor); 3] = [
        |group, _| drop(group),
        |group, reactor| {
            group.cancel();
            assert_eq!(wait(reactor, group), Ok(()));
        },
        // In a task that is dropped.
        |mut group, reactor| {
            let task = reactor.spawn(async move { group.wait().await });
            reactor.advance(secs(1)).unwrap();
            drop(task);
        },
    ];
    for end in ways {
        let (reactor, census) = (Reactor::simulated(0), Census::default());
        let group = group(&reactor);
        let spawner = group.spawner();
        for _ in 0..3 {
            let one = census.one();
            assert!(spawner.spawn(async move {
                let _one = one;
                pending().await
            }));
        }
        reactor.advance(secs(1)).unwrap();
        assert_eq!((census.alive(), group.len()), (3, 3));
        end(group, &reactor);
        reactor.advance(secs(1)).unwrap();
        assert_eq!((census.alive(), reactor.stats().tasks), (0, 0));
        assert!(!spawner.spawn(async { unreachable!() }), "the group is gone");
        assert!(reactor.leak_report().is_empty());
    }
}

#[test]
fn a_task_adds_tasks_to_its_own_group() {
    let reactor = Reactor::simulated(0);
    let (group, trail) = (group(&reactor), Trail::default());
    let (spawner, log, handle) = (group.spawner(), trail.clone(), reactor.clone());
    group.spawn(async move {
        for n in 0..3_u64 {
            let (log, sleep) = (log.clone(), handle.sleep(secs(3 - n)));
            spawner.spawn(async move {
                sleep.await;
                log.push(n.to_string());
                Ok(())
            });
        }
        Ok(())
    });
    assert_eq!(wait(&reactor, group), Ok(()));
    assert_eq!(trail.take(), ["2", "1", "0"]);
}

#[test]
fn a_dropped_wait_loses_nothing() {
    let reactor = Reactor::simulated(0);
    let mut group = group(&reactor);
    let sleep = reactor.sleep(secs(1));
    group.spawn(async move {
        sleep.await;
        Err(Trouble::Brewing(1))
    });
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(group.wait()).poll(&mut context).is_pending());
    reactor.advance(secs(2)).unwrap();
    assert_eq!(wait(&reactor, group), Err(Trouble::Brewing(1)));
}

#[test]
fn errors_that_nothing_takes_are_logged() {
    let unheard = Log::of(|| {
        let reactor = Reactor::simulated(0);
        let group = group(&reactor);
        group.spawn(async { Err(Trouble::Brewing(1)) });
        reactor.advance(secs(1)).unwrap();
        drop(group);
    });
    let text = "ERROR message=a task of a group has failed, and nothing waited for it error=";
    assert_eq!(unheard, [format!("{text}brewing 1")]);

    let second = Log::of(|| {
        let reactor = Reactor::simulated(0);
        let group = group(&reactor);
        group.spawn(async { Err(Trouble::Brewing(1)) });
        group.spawn(async { Err(Trouble::Brewing(2)) });
        assert_eq!(wait(&reactor, group), Err(Trouble::Brewing(1)));
    });
    let text = "ERROR message=another task of a group has failed, too error=";
    assert_eq!(second, [format!("{text}brewing 2")]);
}

/// A group that serves for long holds nothing of the tasks that are done.
#[test]
fn a_task_that_is_done_leaves_nothing_behind() {
    let reactor = Reactor::simulated(0);
    let group = group(&reactor);
    for _ in 0..1_000 {
        group.spawn(async { Ok(()) });
        reactor.advance(Duration::from_millis(1)).unwrap();
    }
    assert!(group.is_empty());
    assert!(reactor.leak_report().is_empty());
}

#[test]
fn the_end_of_a_run_ends_the_tasks_of_a_group_that_outlives_it() {
    let reactor = crate::kit::reactor();
    let kept = Rc::new(RefCell::new(Some(group(&reactor))));
    kept.borrow().as_ref().unwrap().spawn(pending());
    reactor.run_until(async {}).unwrap();
    let group = kept.take().unwrap();
    assert!(group.is_empty());
    assert!(group.spawn(async { Ok(()) }));
    assert_eq!(wait(&reactor, group), Ok(()));
}
