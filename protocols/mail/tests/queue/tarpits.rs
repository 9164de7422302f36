//! Destinations that keep every attempt for as long as they may: the others are reached all the same.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::queue::{
    Agents, Attempt, AttemptResult, DeliveryAgent, Fate, MemoryFiles, Queue, QueuedRecipient,
    SMTP_AGENT, Spool, Status,
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::world::{config, envelope};

/// Delivers to `fast.example`, to `slow.example` after 70 seconds, and keeps all other attempts.
#[derive(Clone, Default)]
struct Tarpits {
    open: Rc<RefCell<Vec<Promise<AttemptResult>>>>,
    delivered: Rc<RefCell<usize>>,
}

impl Tarpits {
    fn awaited(&self) -> usize {
        self.open.borrow().iter().filter(|promise| promise.is_awaited()).count()
    }
}

impl DeliveryAgent for Tarpits {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.address().domain().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let (promise, deferred) = reactor.promise();
        let wait = match attempt.recipients()[0].address().domain() {
            "fast.example" => 0,
            "slow.example" => 70,
            _ => {
                self.open.borrow_mut().push(promise);
                return deferred;
            }
        };
        let stays = attempt.recipients()[0].address().local() == "stays";
        let delivered = Rc::clone(&self.delivered);
        reactor.call_later(Duration::from_secs(wait), move |_| {
            *delivered.borrow_mut() += usize::from(!stays);
            let fate = match stays {
                true => Fate::Delayed(Status::new(4, 0, 0, "later")),
                false => Fate::Delivered(Status::new(2, 0, 0, "taken")),
            };
            promise.resolve(AttemptResult::same(&attempt, fate));
        });
        deferred
    }
}

/// A queue with ten places that delivers to them.
struct World {
    reactor: Reactor,
    tarpits: Tarpits,
    queue: Queue,
}

impl World {
    fn new() -> Self {
        let (reactor, tarpits) = (Reactor::simulated(0), Tarpits::default());
        let agents = Agents::default().with(SMTP_AGENT, tarpits.clone());
        let config = config().deliveries_max(10).retry_max(Duration::from_secs(15 * 60));
        let opening = Queue::open(&reactor, Spool::on(MemoryFiles::default()), config, agents);
        reactor.advance(Duration::from_secs(1)).unwrap();
        Self { reactor, tarpits, queue: opening.take().unwrap().unwrap() }
    }

    fn advance(&self, seconds: u64) {
        self.reactor.advance(Duration::from_secs(seconds)).unwrap();
    }

    /// Takes a second.
    fn submit(&self, address: &str) {
        let message = "Subject: x\r\n\r\n".to_owned();
        let submitted = self.queue.submit(envelope(&[address]), message);
        self.advance(1);
        submitted.take().unwrap().unwrap();
    }
}

#[test]
fn tarpits_do_not_hold_all_places() {
    crate::watchdog::watch_this_test();
    let world = World::new();
    for number in 0..10 {
        world.submit(&format!("x@tarpit{number}.example"));
    }
    assert_eq!(
        world.tarpits.open.borrow().len(),
        10,
        "all places are taken, and nobody knows better"
    );
    world.submit("x@fast.example");
    assert_eq!(*world.tarpits.delivered.borrow(), 0);
    world.advance(60);
    assert_eq!(*world.tarpits.delivered.borrow(), 1, "by now they are known as slow");
    // They are given up after an hour, and tried again: never more than half of ten at once.
    for minute in 0..300 {
        world.advance(60);
        world.submit("x@fast.example");
        assert_eq!(*world.tarpits.delivered.borrow(), 2 + minute, "{minute}");
        assert!(world.queue.stats().active <= 10);
    }
    assert!(world.tarpits.open.borrow().len() > 15, "they are tried, too");
    let awaited = world.tarpits.awaited();
    assert!((1..=5).contains(&awaited), "{awaited} are open");
}

/// A destination that was slow once, and takes mail all the same, does not wait for tarpits: not for one with many messages, and not for
/// many.
#[test]
fn tarpits_do_not_hold_the_places_of_those_that_are_slow() {
    crate::watchdog::watch_this_test();
    for (destinations, messages) in [(1, 40), (40, 1), (8, 8)] {
        let world = World::new();
        // As long as there is mail for it, it is known to be slow.
        world.submit("stays@slow.example");
        for _ in 0..messages {
            (0..destinations).for_each(|number| world.submit(&format!("x@tarpit{number}.example")));
        }
        // All are known by now.
        world.advance(3 * 3600);
        for count in 1..30 {
            world.submit("x@slow.example");
            world.advance(100);
            let delivered = *world.tarpits.delivered.borrow();
            assert_eq!(delivered, count, "{destinations} tarpits with {messages} messages each");
            world.advance(700);
            let active = world.queue.stats().active;
            assert!(active <= 15 && world.tarpits.awaited() <= 5, "{active} attempts go on");
        }
        assert!(world.tarpits.open.borrow().len() > 10, "they are tried, too");
    }
}
