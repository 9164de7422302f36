//! Messages between reactors: their order, their bound, their end.

use std::{
    cell::RefCell,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use sinew::{
    prelude::*,
    transports::reactors::{MailboxError, Mailboxes, NotSent, RunningReactors, Shard},
};

use super::kit::quiet;

/// What the reactors have received.
type Received<M> = Arc<Mutex<Vec<(usize, M)>>>;

/// Reactors that put down what they receive.
fn receiving<M: Send + 'static>(
    reactors: usize,
    capacity: usize,
) -> (RunningReactors, Mailboxes<M>, Received<M>) {
    let (mailboxes, received) = (Mailboxes::new(capacity), Received::default());
    let all = received.clone();
    let running = quiet(reactors)
        .receive(&mailboxes, move |shard: &Shard| {
            let (index, all) = (shard.index(), all.clone());
            move |_: &Reactor, message| {
                all.lock().expect("nobody panics").push((index, message));
            }
        })
        .start()
        .expect("they start");
    (running, mailboxes, received)
}

fn wait_for<M>(received: &Received<M>, len: usize) {
    while received.lock().expect("nobody panics").len() < len {
        thread::yield_now();
    }
}

/// The order that is promised: that of each thread, to each reactor.
#[test]
fn messages_of_a_thread_to_a_reactor_keep_their_order() {
    const EACH: u32 = 3_000;
    let (reactors, mailboxes, received) = receiving::<(u32, u32)>(2, 100_000);
    let senders: Vec<_> = (0..3)
        .map(|sender| {
            let mailboxes = mailboxes.clone();
            thread::spawn(move || {
                for n in 0..EACH {
                    for shard in 0..2 {
                        mailboxes.send(shard, (sender, n)).expect("there is room");
                    }
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().expect("it does not panic"));
    wait_for(&received, 2 * 3 * EACH as usize);
    drop(reactors);
    let received = received.lock().expect("nobody panics");
    for shard in 0..2 {
        for sender in 0..3 {
            let from_it = received
                .iter()
                .filter(|(at, (from, _))| (*at, *from) == (shard, sender))
                .map(|(_, (_, n))| *n);
            assert!(from_it.eq(0..EACH), "those of thread {sender} to reactor {shard}");
        }
    }
}

/// A message to itself comes in the next turn, in order with the others, and not in the middle of a callback.
#[test]
fn a_reactor_sends_to_itself_and_to_the_others() {
    thread_local! {
        static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }
    let mailboxes = Mailboxes::<&str>::new(8);
    let reactors = quiet(2)
        .receive(&mailboxes, |_: &Shard| {
            |_: &Reactor, word| LOG.with_borrow_mut(|log| log.push(word))
        })
        .start()
        .expect("they start");
    let sending = mailboxes.clone();
    let own = reactors.call(1, move |shard| {
        sending.send(1, "a").expect("there is room");
        sending.send(1, "b").expect("there is room");
        assert_eq!(sending.send_to_others(shard.index(), &"c").len(), 0);
        LOG.with_borrow(Vec::len)
    });
    assert_eq!(own, Ok(0), "nothing is received inside of the callback that sends");
    let log = |_: &Shard| LOG.with_borrow(Vec::clone);
    while reactors.call_all(log) != [Ok(vec!["c"]), Ok(vec!["a", "b"])] {
        thread::yield_now();
    }
}

#[test]
fn a_full_mailbox_returns_the_message() {
    let (reactors, mailboxes, received) = receiving::<u32>(2, 2);
    assert_eq!(mailboxes.capacity(), 2);
    // Its loop is held, so it takes nothing.
    let (go, may_go) = mpsc::channel::<()>();
    let (arrived, has_arrived) = mpsc::channel();
    let remote = reactors.remote(1).expect("it runs");
    let held = remote.call(move |_| {
        arrived.send(()).expect("somebody waits");
        let _ = may_go.recv();
    });
    held.expect("it runs");
    has_arrived.recv().expect("it is called");
    assert_eq!([1, 2].map(|n| mailboxes.send(1, n).is_ok()), [true, true]);
    let full = NotSent::Full { shard: 1, limit: 2 };
    assert!(mailboxes.send(1, 3) == Err(MailboxError { message: 3, reason: full }));
    assert!(mailboxes.send_to_others(0, &4) == [MailboxError { message: 4, reason: full }]);
    mailboxes.send(0, 5).expect("the other has room");
    go.send(()).expect("it waits");
    wait_for(&received, 3);
    mailboxes.send(1, 6).expect("there is room again");
    wait_for(&received, 4);
    let mut all = received.lock().expect("nobody panics").clone();
    all.sort();
    assert_eq!(all, [(0, 5), (1, 1), (1, 2), (1, 6)]);
}

/// More than one turn takes.
#[test]
fn a_flood_takes_several_turns() {
    let (reactors, mailboxes, received) = receiving::<usize>(1, 10_000);
    let (turns, sending) = (reactors.call(0, |shard| shard.reactor().stats().turns), mailboxes);
    let sent = reactors.call(0, move |_| {
        (0..10_000).for_each(|n| sending.send(0, n).expect("there is room"));
    });
    sent.expect("it runs");
    wait_for(&received, 10_000);
    let after = reactors.call(0, |shard| shard.reactor().stats().turns);
    assert!(after.expect("it runs") - turns.expect("it runs") > 9, "at most 1,024 in a turn");
    let received = received.lock().expect("nobody panics");
    assert!(received.iter().map(|(_, n)| *n).eq(0..10_000));
}

#[test]
fn a_panic_concerns_one_message() {
    let mailboxes = Mailboxes::<u32>::new(8);
    let reactors = quiet(1)
        .receive(&mailboxes, |shard: &Shard| {
            let sum = shard.local::<std::cell::Cell<u32>>();
            move |_: &Reactor, n| {
                assert_ne!(n, 2, "not this one");
                sum.set(sum.get() + n);
            }
        })
        .start()
        .expect("they start");
    (1..4).for_each(|n| mailboxes.send(0, n).expect("there is room"));
    while reactors.call(0, |shard| shard.local::<std::cell::Cell<u32>>().get()) != Ok(4) {
        thread::yield_now();
    }
}

#[test]
fn nobody_receives_before_the_start_and_after_the_end() {
    let mailboxes = Mailboxes::<u32>::new(8);
    let refusal = |shard| mailboxes.send(shard, 7).expect_err("nobody receives").reason;
    assert_eq!(refusal(0), NotSent::Stopped { shard: 0 });
    let planned = quiet(2).receive(&mailboxes, |_: &Shard| |_: &Reactor, _: u32| ());
    assert_eq!(refusal(1), NotSent::Stopped { shard: 1 });
    assert_eq!(refusal(2), NotSent::NoSuchShard { shard: 2, shards: 2 });
    let reactors = planned.start().expect("they start");
    mailboxes.send(1, 7).expect("it runs");
    drop(reactors);
    assert_eq!(refusal(1), NotSent::Stopped { shard: 1 });
}

/// Messages that are in the mailbox when its reactor ends are dropped there.
#[test]
fn what_is_left_is_dropped_with_the_reactor() {
    struct Counted(mpsc::Sender<()>);

    impl Drop for Counted {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }

    let (dropped, drops) = mpsc::channel();
    let mailboxes = Mailboxes::<Counted>::new(8);
    let reactors = quiet(1)
        .receive(&mailboxes, |_: &Shard| |_: &Reactor, _: Counted| ())
        .start()
        .expect("they start");
    let sending = mailboxes.clone();
    // In the last turn: nothing is taken after it.
    let stopped = reactors.call(0, move |shard| {
        shard.fail("the end");
        (0..3).for_each(|_| assert!(sending.send(0, Counted(dropped.clone())).is_ok()));
    });
    stopped.expect("it runs");
    assert!(reactors.join().is_err());
    assert_eq!(drops.iter().count(), 3);
}
