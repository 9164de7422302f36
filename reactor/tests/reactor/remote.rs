//! Tests of calls from other threads.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use crate::kit::{reactor, reactors, turn};
use sinew_reactor::{Reactor, Remote, RemoteError};

/// The effects of remote calls, kept in the reactor, since a `Send` closure cannot carry an `Rc`.
type Seen = RefCell<Vec<(usize, usize)>>;

#[test]
fn a_remote_is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<Remote>();
}

#[test]
fn calls_of_each_thread_keep_their_order() {
    const THREADS: usize = 8;
    const CALLS: usize = 2_000;
    for reactor in reactors() {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let remote = reactor.remote();
                thread::spawn(move || {
                    for n in 0..CALLS {
                        let call = move |reactor: &Reactor| {
                            let seen = reactor.local::<Seen>();
                            seen.borrow_mut().push((thread, n));
                            if seen.borrow().len() == THREADS * CALLS {
                                reactor.stop().unwrap();
                            }
                        };
                        remote.call(call).unwrap();
                    }
                })
            })
            .collect();
        reactor.run().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let seen = reactor.local::<Seen>().take();
        for thread in 0..THREADS {
            let of_thread = seen.iter().filter(|(by, _)| *by == thread).map(|(_, n)| *n);
            assert!(of_thread.eq(0..CALLS));
        }
    }
}

#[test]
fn a_sleeping_loop_is_woken_by_each_call() {
    for reactor in reactors() {
        let (remote, (sender, receiver)) = (reactor.remote(), mpsc::channel());
        let caller = thread::spawn(move || {
            for _ in 0..1_000 {
                let sender = sender.clone();
                remote.call(move |_| sender.send(()).unwrap()).unwrap();
                // The loop has nothing to do until the next call, so it is asleep or about to sleep.
                receiver.recv().unwrap();
            }
            remote.stop().unwrap();
        });
        reactor.run().unwrap();
        caller.join().unwrap();
    }
}

#[test]
fn a_call_before_the_first_run_is_kept_for_it() {
    let reactor = reactor();
    reactor.remote().stop().unwrap();
    reactor.run().unwrap();
}

#[test]
fn a_full_queue_refuses_calls_until_a_turn() {
    let reactor = crate::kit::builder().remote_queue_max(2).build().unwrap();
    let remote = reactor.remote();
    for _ in 0..2 {
        for _ in 0..2 {
            remote.call(|_| ()).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(remote.call(|_| ()), Err(RemoteError::Full { limit: 2 }));
        }
        turn(&reactor);
    }
    assert_eq!(reactor.stats().calls, 4);
}

#[test]
fn calls_after_the_end_are_refused_and_dropped() {
    let reactor = reactor();
    let remote = reactor.remote();
    let run = || {
        reactor.call_soon(|reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
    };
    run();
    assert_eq!(remote.call(|_| ()), Err(RemoteError::Ended));
    assert_eq!(remote.stop(), Err(RemoteError::Ended));
    // Another run accepts calls again, and so does a turn.
    reactor.call_soon({
        let remote = remote.clone();
        move |_| remote.call(|reactor| drop(reactor.local::<Seen>())).unwrap()
    });
    run();
    assert_eq!(remote.call(|_| ()), Err(RemoteError::Ended));
    turn(&reactor);
    let dropped = Arc::new(());
    let kept = dropped.clone();
    remote.call(move |_| drop(kept)).unwrap();
    drop(reactor);
    assert_eq!(Arc::strong_count(&dropped), 1);
    assert_eq!(remote.call(|_| ()), Err(RemoteError::Ended));
    assert_eq!(remote.stop(), Err(RemoteError::Ended));
}

#[test]
fn no_call_is_lost_or_leaked_while_the_reactor_ends() {
    for _ in 0..50 {
        let reactor = reactor();
        let (alive, running) = (Arc::new(()), Arc::new(AtomicBool::new(true)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (remote, alive, running) = (reactor.remote(), alive.clone(), running.clone());
                thread::spawn(move || {
                    while running.load(Ordering::Relaxed) {
                        let kept = alive.clone();
                        if remote.call(move |_| drop(kept)) == Err(RemoteError::Ended) {
                            break;
                        }
                    }
                })
            })
            .collect();
        turn(&reactor);
        drop(reactor);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(Arc::strong_count(&alive), 1);
        running.store(false, Ordering::Relaxed);
    }
}

#[test]
fn a_turn_runs_only_the_calls_queued_at_its_start() {
    let reactor = reactor();
    let remote = reactor.remote();
    let ran = Arc::new(AtomicUsize::new(0));
    fn repeat(remote: Remote, ran: Arc<AtomicUsize>) -> impl FnOnce(&Reactor) + Send {
        move |_| {
            ran.fetch_add(1, Ordering::Relaxed);
            let call = repeat_boxed(remote.clone(), ran);
            remote.call(call).unwrap();
        }
    }
    fn repeat_boxed(remote: Remote, ran: Arc<AtomicUsize>) -> Box<dyn FnOnce(&Reactor) + Send> {
        Box::new(repeat(remote, ran))
    }
    remote.call(repeat(remote.clone(), ran.clone())).unwrap();
    for turns in 1..4 {
        turn(&reactor);
        assert_eq!(ran.load(Ordering::Relaxed), turns);
    }
}
