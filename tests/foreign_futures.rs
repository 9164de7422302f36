//! Channels, locks and combinators of other crates in our tasks, in simulated time and across threads: those that the guide
//! recommends. What they cancel is cancelled.

#[path = "support/watchdog.rs"]
mod watchdog;

use std::{
    cell::{Cell, RefCell},
    future::pending,
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use async_broadcast::RecvError;
use async_lock::{Mutex, Semaphore};
use futures_lite::{FutureExt as _, StreamExt as _, future};
use futures_util::{FutureExt as _, stream::FuturesUnordered};
use sinew::{
    prelude::*,
    protocols::wire::Echo,
    sim::Network,
    testing::{assert_clean, task_test, task_test_on},
};
use watchdog::watch_this_test;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The sender waits as long as the channel is full. The values need not be `Send`.
#[test]
fn a_bounded_channel_holds_the_sender_back() {
    watch_this_test();
    task_test(|reactor| async move {
        let (sender, receiver) = async_channel::bounded::<Rc<u64>>(2);
        let sent = Rc::new(Cell::new(0));
        let count = sent.clone();
        let sending = reactor.spawn(async move {
            for n in 0..5 {
                sender.send(Rc::new(n)).await.unwrap();
                count.set(count.get() + 1);
            }
        });
        reactor.sleep(secs(1)).await;
        assert_eq!(sent.get(), 2, "the channel is full");
        for n in 0..5 {
            assert_eq!(*receiver.recv().await.unwrap(), n);
        }
        assert!(receiver.recv().await.is_err(), "the sender is gone");
        sending.await.unwrap();
    });
}

#[test]
fn a_broadcast_reaches_every_receiver() {
    watch_this_test();
    task_test(|reactor| async move {
        let (sender, first) = async_broadcast::broadcast(4);
        let receivers = [first.clone(), first];
        let tasks = receivers.map(|receiver| reactor.spawn(receiver.collect::<Vec<u8>>()));
        for n in 0..10 {
            sender.broadcast(n).await.unwrap();
        }
        drop(sender);
        for task in tasks {
            assert_eq!(task.await.unwrap(), (0..10).collect::<Vec<_>>());
        }
    });
}

/// A broadcast of one value that overflows: the receiver gets the latest, however many it has missed.
#[test]
fn a_watch_shows_the_latest_value() {
    watch_this_test();
    task_test(|reactor| async move {
        let (mut sender, mut receiver) = async_broadcast::broadcast(1);
        sender.set_overflow(true);
        for n in 0..10 {
            sender.try_broadcast(n).unwrap();
        }
        assert_eq!(receiver.recv().await, Err(RecvError::Overflowed(9)));
        assert_eq!(receiver.recv().await, Ok(9));
        let waiting = reactor.spawn(async move { receiver.next().await });
        reactor.sleep(secs(1)).await;
        (10..20).for_each(|n| assert!(sender.try_broadcast(n).is_ok()));
        assert_eq!(waiting.await, Ok(Some(19)), "as a stream it passes over what was missed");
    });
}

/// A oneshot channel is a promise.
#[test]
fn a_promise_is_a_oneshot_channel() {
    watch_this_test();
    task_test(|reactor| async move {
        let (promise, value) = reactor.promise::<u8, sinew::reactor::Failure>();
        let waiting = reactor.spawn(value);
        reactor.sleep(secs(1)).await;
        promise.resolve(7);
        assert_eq!(waiting.await.unwrap(), Ok(7));
    });
}

#[test]
fn a_semaphore_limits_how_many_run_at_once() {
    watch_this_test();
    task_test(|reactor| async move {
        let (semaphore, busy) = (Rc::new(Semaphore::new(3)), Rc::new(Cell::new(0)));
        let mut group = TaskGroup::<sinew::reactor::Failure>::new(&reactor);
        for _ in 0..10 {
            let (semaphore, busy, reactor) = (semaphore.clone(), busy.clone(), reactor.clone());
            group.spawn(async move {
                let _permit = semaphore.acquire().await;
                busy.set(busy.get() + 1);
                assert!(busy.get() <= 3);
                reactor.sleep(secs(1)).await;
                busy.set(busy.get() - 1);
                Ok(())
            });
        }
        group.wait().await.unwrap();
        assert_eq!(reactor.age(), secs(4), "ten in groups of three");
    });
}

/// Held across an `await`, where a `RefCell` must not be borrowed.
#[test]
fn a_mutex_is_held_across_an_await() {
    watch_this_test();
    task_test(|reactor| async move {
        let (log, mut group) = (Rc::new(Mutex::new(Vec::new())), TaskGroup::new(&reactor));
        for n in 0..3 {
            let (log, reactor) = (log.clone(), reactor.clone());
            group.spawn(async move {
                let mut log = log.lock().await;
                log.push((n, "begins"));
                reactor.sleep(secs(1)).await;
                log.push((n, "ends"));
                Ok::<_, sinew::reactor::Failure>(())
            });
        }
        group.wait().await.unwrap();
        let log = log.lock().await;
        assert!(log.chunks(2).all(|pair| pair[0].0 == pair[1].0), "{log:?}");
    });
}

#[test]
fn combinators_and_macros_of_other_crates_join_and_select() {
    watch_this_test();
    task_test(|reactor| async move {
        let sleep = |n: u64| {
            let sleep = reactor.sleep(secs(n));
            async move {
                sleep.await;
                n
            }
        };
        assert_eq!(future::zip(sleep(1), sleep(2)).await, (1, 2));
        assert_eq!(futures_util::join!(sleep(1), sleep(2), sleep(3)), (1, 2, 3));
        let tasks = [3, 1, 2].map(|n| reactor.spawn(sleep(n)));
        let joined = futures_util::future::join_all(tasks).await;
        assert_eq!(joined, [Ok(3), Ok(1), Ok(2)]);
        let tasks: FuturesUnordered<_> =
            [3, 1, 2].map(|n| reactor.spawn(sleep(n))).into_iter().collect();
        assert_eq!(tasks.collect::<Vec<_>>().await, [Ok(1), Ok(2), Ok(3)]);

        assert_eq!(sleep(2).or(sleep(1)).await, 1);
        assert_eq!(sleep(1).race(sleep(2)).await, 1);
        let mut ticks = Box::pin(futures_util::stream::unfold(0, |n| async move {
            Some((sleep_for(n).await, n + 1))
        }));
        let mut alarm = Box::pin(sleep(1).fuse());
        let chosen = futures_util::select! {
            alarm = alarm => alarm,
            tick = ticks.next().fuse() => tick.unwrap() + 100,
        };
        assert_eq!(chosen, 100);
        assert_eq!(reactor.age(), secs(2 + 3 + 3 + 3 + 1 + 1));
    });
}

async fn sleep_for(n: u64) -> u64 {
    future::yield_now().await;
    n
}

#[test]
fn a_timeout_ends_any_future() {
    watch_this_test();
    task_test(|reactor| async move {
        let (sender, receiver) = async_channel::bounded::<u8>(1);
        assert!(reactor.timeout(secs(5), receiver.recv()).await.is_err());
        assert_eq!(reactor.age(), secs(5));
        sender.send(1).await.unwrap();
        assert_eq!(
            reactor.timeout(secs(5), receiver.recv()).await.unwrap(),
            Ok(1),
            "nothing is lost"
        );
        let job = reactor.defer_to_thread(|| 6 * 7);
        assert_eq!(reactor.timeout(secs(5), job).await.unwrap(), Ok(42));
    });
}

/// The arm that loses is dropped, and what it waited for with it.
#[test]
fn the_losing_arm_of_a_select_leaves_nothing() {
    watch_this_test();
    let network = Network::new(7);
    let (server, client) = (network.host("server"), network.host("client"));
    let port = server.reactor().listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap();
    for millis in 0..150 {
        task_test_on(&network, &client, |reactor| async move {
            let connect = reactor.connect_tcp("server:7", |_: &Peer| Echo);
            let connected = async { connect.await.is_ok() };
            let sleep = reactor.sleep(Duration::from_millis(millis));
            match millis % 2 {
                0 => drop(
                    connected
                        .or(async {
                            sleep.await;
                            false
                        })
                        .await,
                ),
                _ => futures_util::select! {
                    _ = Box::pin(connected.fuse()) => (),
                    () = sleep.fuse() => (),
                },
            }
        });
        network.run_for(secs(10)).unwrap();
        assert_eq!(port.connections(), 0, "given up after {millis} ms");
        assert_clean(&client.reactor());
    }
}

/// Each value wakes the reactor, which has nothing else to do.
#[test]
fn a_future_that_is_woken_from_another_thread_wakes_the_reactor() {
    watch_this_test();
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let (sender, receiver) = async_channel::bounded::<usize>(1);
        let (back, echoed) = async_channel::bounded::<usize>(1);
        let thread = std::thread::spawn(move || {
            for n in 0..1_000 {
                sender.send_blocking(n).unwrap();
                assert_eq!(echoed.recv_blocking(), Ok(n));
            }
        });
        let received = reactor.run_until(async move {
            let mut received = 0;
            while let Ok(n) = receiver.recv().await {
                received += 1;
                back.send(n).await.unwrap();
            }
            received
        });
        assert_eq!(received.unwrap(), 1_000, "{engine}");
        thread.join().unwrap();
    }
}

/// A waker may be kept and used by any thread, also after the end of its task and of its reactor.
#[test]
fn a_waker_may_outlive_its_task_and_its_reactor() {
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let slot = kept.clone();
    let woken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = woken.clone();
    reactor
        .run_until(std::future::poll_fn(move |context| {
            if flag.load(std::sync::atomic::Ordering::Acquire) {
                return std::task::Poll::Ready(());
            }
            slot.replace(Some(context.waker().clone()));
            let (waker, flag) = (context.waker().clone(), flag.clone());
            std::thread::spawn(move || {
                flag.store(true, std::sync::atomic::Ordering::Release);
                waker.wake();
            });
            std::task::Poll::Pending
        }))
        .unwrap();
    let waker = kept.take().unwrap();
    waker.wake_by_ref();
    drop(reactor.spawn(pending::<()>()));
    drop(reactor);
    std::thread::spawn(move || waker.wake()).join().unwrap();
}
