//! Tests of the thread pool.

use std::{
    collections::HashSet,
    panic::panic_any,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::kit::{Bomb, Log, Trail, builder, reactor, turn, turn_until};
use sinew_reactor::Failure;

#[test]
fn the_value_of_a_job_is_delivered_to_the_loop() {
    let reactor = reactor();
    let here = thread::current().id();
    let there = reactor.run_until(reactor.defer_to_thread(|| thread::current().id())).unwrap();
    assert_ne!(there.unwrap(), here);
}

#[test]
fn a_panic_fails_the_job_and_is_logged_once() {
    let lines = Log::of(|| {
        let reactor = builder().pool_threads_max(1).build().unwrap();
        let failed = reactor.run_until(reactor.defer_to_thread(|| panic!("in a job"))).unwrap();
        assert_eq!(failed, Err::<(), _>(Failure::Panicked("in a job".to_owned())));
        // Also logged if nothing awaits it; the thread keeps running.
        reactor.defer_to_thread(|| panic!("in another")).detach();
        // Runs after it, on the only thread.
        let settled = Trail::default();
        reactor.defer_to_thread(|| ()).then({
            let settled = settled.clone();
            move |_, _| settled.push("settled")
        });
        turn_until(&reactor, || settled.len() == 1);
        turn(&reactor);
    });
    let line = |message| format!("ERROR message=a job in a thread panicked panic=\"{message}\"");
    assert_eq!(
        HashSet::<_>::from_iter(lines),
        HashSet::from([line("in a job"), line("in another")])
    );
}

#[test]
fn a_panic_payload_that_panics_in_its_drop_does_not_kill_the_thread() {
    let reactor = builder().pool_threads_max(1).build().unwrap();
    for _ in 0..3 {
        let job = reactor.defer_to_thread(|| panic_any(Bomb));
        let failed = reactor.run_until(job).unwrap();
        let message = "a panic without a message".to_owned();
        assert_eq!(failed, Err::<(), _>(Failure::Panicked(message)));
    }
}

#[test]
fn jobs_run_in_parallel_up_to_the_limit() {
    const THREADS: usize = 4;
    let reactor = builder().pool_threads_max(THREADS).build().unwrap();
    // The barrier opens only with all of them at once, in every round.
    let barrier = Arc::new(Barrier::new(THREADS));
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let left = Trail::default();
    for _ in 0..100 {
        for _ in 0..THREADS {
            let (barrier, seen, left) = (barrier.clone(), seen.clone(), left.clone());
            let job = reactor.defer_to_thread(move || {
                barrier.wait();
                seen.lock().unwrap().insert(thread::current().id());
            });
            job.then(move |_, _| left.push("done"));
        }
    }
    turn_until(&reactor, || left.len() == 100 * THREADS);
    assert_eq!(seen.lock().unwrap().len(), THREADS);
}

#[test]
fn a_job_never_waits_while_a_thread_is_free() {
    // The first job ends only when the second runs.
    for _ in 0..200 {
        let reactor = builder().pool_threads_max(2).build().unwrap();
        let (sender, receiver) = mpsc::channel();
        let first = reactor.defer_to_thread(move || receiver.recv().unwrap());
        reactor.defer_to_thread(move || sender.send(()).unwrap()).detach();
        reactor.run_until(first).unwrap().unwrap();
    }
}

/// Blocking all threads of one pool does not block the other.
#[test]
fn jobs_and_lookups_do_not_wait_for_each_other() {
    let builder = builder().pool_threads_max(1).lookup_threads_max(1).lookup_queue_max(1);
    let reactor = builder.pool_grace(Duration::ZERO).build().unwrap();
    let block = || {
        let (go, gate) = mpsc::channel::<()>();
        (go, move || _ = gate.recv())
    };
    let (go, wait) = block();
    let busy = reactor.defer_to_thread(wait);
    let name = || thread::current().name().unwrap().to_owned();
    let looked_up = reactor.run_until(reactor.defer_to_lookup_thread(name)).unwrap();
    assert_eq!(looked_up.unwrap(), "sinew-lookup-1");
    assert_eq!(busy.take(), Some(Err(Failure::Abandoned)), "the run has ended");
    drop(go);

    let (go, wait) = block();
    let busy = reactor.defer_to_lookup_thread(wait);
    let waiting = reactor.defer_to_lookup_thread(|| ());
    let refused = reactor.defer_to_lookup_thread(|| ());
    assert_eq!(refused.take(), Some(Err(Failure::Overloaded { limit: 1 })));
    let worked = reactor.run_until(reactor.defer_to_thread(name)).unwrap();
    assert_eq!(worked.unwrap(), "sinew-pool-1");
    drop((go, busy, waiting));
}

/// A lookup has no side effects, and may block for long.
#[test]
fn the_end_of_a_run_does_not_wait_for_lookups() {
    let reactor = builder().pool_grace(Duration::MAX).build().unwrap();
    let (go, gate) = mpsc::channel::<()>();
    let lookup = reactor.defer_to_lookup_thread(move || gate.recv());
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty(), "{log:?}");
    assert_eq!(lookup.take(), Some(Err(Failure::Abandoned)));
    drop(go);
}

#[test]
fn jobs_beyond_the_queue_are_refused() {
    let reactor = builder().pool_threads_max(2).pool_queue_max(1).build().unwrap();
    let gate = Arc::new(Barrier::new(3));
    let jobs: Vec<_> = (0..2)
        .map(|_| {
            let gate = gate.clone();
            reactor.defer_to_thread(move || _ = gate.wait())
        })
        .collect();
    let waiting = reactor.defer_to_thread(|| 1);
    let refused = reactor.defer_to_thread(|| 2);
    assert_eq!(refused.take(), Some(Err(Failure::Overloaded { limit: 1 })));
    gate.wait();
    assert_eq!(reactor.run_until(waiting).unwrap(), Ok(1));
    drop(jobs);
}

#[test]
fn a_refused_job_is_dropped_by_the_loop() {
    let reactor = builder().pool_threads_max(1).pool_queue_max(0).build().unwrap();
    let gate = Arc::new(Barrier::new(2));
    let theirs = gate.clone();
    reactor.defer_to_thread(move || _ = theirs.wait()).detach();
    let alive = Arc::new(());
    let kept = alive.clone();
    let refused = reactor.defer_to_thread(move || drop(kept));
    assert!(refused.is_settled());
    assert_eq!(Arc::strong_count(&alive), 2);
    turn(&reactor);
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(refused.take(), Some(Err(Failure::Overloaded { limit: 0 })));
    gate.wait();
}

#[test]
fn a_job_cancelled_in_the_queue_does_not_run() {
    let reactor = builder().pool_threads_max(1).build().unwrap();
    let (go, gate) = mpsc::channel::<()>();
    let first = reactor.defer_to_thread(move || gate.recv().unwrap());
    let ran = Arc::new(AtomicBool::new(false));
    let flag = ran.clone();
    let second = reactor.defer_to_thread(move || flag.store(true, Ordering::SeqCst));
    second.cancel();
    assert_eq!(second.take(), Some(Err(Failure::Cancelled)));
    turn(&reactor);
    go.send(()).unwrap();
    let third = reactor.defer_to_thread(|| ());
    reactor.run_until(third).unwrap().unwrap();
    assert!(first.is_settled());
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn the_end_of_a_run_drops_queued_jobs() {
    let reactor = builder().pool_threads_max(1).build().unwrap();
    let (began, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let ran = Arc::new(AtomicUsize::new(0));
    let alive = Arc::new(());
    let first = reactor.defer_to_thread(move || {
        began.send(()).unwrap();
        gate.recv().unwrap();
        1
    });
    let jobs: Vec<_> = (0..10)
        .map(|_| {
            let (ran, kept) = (ran.clone(), alive.clone());
            reactor.defer_to_thread(move || {
                drop(kept);
                ran.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    begun.recv().unwrap();
    // The running job ends after the pool was stopped: when the queued jobs have been dropped.
    let freed = alive.clone();
    drop(alive);
    let opener = thread::spawn(move || {
        while Arc::strong_count(&freed) > 11 {
            thread::yield_now();
        }
        go.send(()).unwrap();
    });
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    opener.join().unwrap();
    assert_eq!(first.take(), Some(Err(Failure::Abandoned)));
    for job in jobs {
        assert_eq!(job.take(), Some(Err(Failure::Abandoned)));
    }
    // The next run has a pool of its own, and the result of the old job is discarded.
    assert_eq!(reactor.run_until(reactor.defer_to_thread(|| 2)).unwrap(), Ok(2));
}

#[test]
fn the_end_of_a_run_abandons_a_long_job() {
    let reactor = builder().pool_grace(Duration::from_millis(1)).build().unwrap();
    let (began, begun) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let (end, ended) = mpsc::channel();
    let job = reactor.defer_to_thread(move || {
        began.send(()).unwrap();
        gate.recv().unwrap();
        end.send(()).unwrap();
    });
    begun.recv().unwrap();
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    let log = Log::of(|| reactor.run().unwrap());
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("abandoning them"), "{log:?}");
    assert_eq!(job.take(), Some(Err(Failure::Abandoned)));
    go.send(()).unwrap();
    ended.recv().unwrap();
    // Its result may arrive now or never, and is discarded.
    assert_eq!(reactor.run_until(reactor.defer_to_thread(|| 3)).unwrap(), Ok(3));
}

#[test]
fn a_value_without_a_receiver_is_dropped_by_the_loop() {
    struct Value(mpsc::Sender<thread::ThreadId>);
    impl Drop for Value {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }
    let reactor = reactor();
    let (sender, receiver) = mpsc::channel();
    reactor.defer_to_thread(move || Value(sender)).detach();
    let mut by = None;
    turn_until(&reactor, || {
        by = receiver.try_recv().ok();
        by.is_some()
    });
    assert_eq!(by, Some(thread::current().id()));
}
