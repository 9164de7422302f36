//! Destinations that keep every attempt for as long as they may: the others are reached all the same.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_mail::queue::{
    Agents, Attempt, AttemptResult, DeliveryAgent, Fate, MemoryFiles, Queue, QueuedRecipient,
    SMTP_AGENT, Spool, Status,
};
use sinew_transports::reactor::{Deferred, Promise, Reactor};

use super::world::{config, envelope};

/// Delivers to `fast.example`, and keeps all other attempts.
#[derive(Clone, Default)]
struct Tarpits {
    open: Rc<RefCell<Vec<Promise<AttemptResult>>>>,
    delivered: Rc<RefCell<usize>>,
}

impl DeliveryAgent for Tarpits {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.address().domain().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        if attempt.recipients()[0].address().domain() == "fast.example" {
            *self.delivered.borrow_mut() += 1;
            let fate = Fate::Delivered(Status::new(2, 0, 0, "taken"));
            return Deferred::ready_on(reactor, AttemptResult::same(&attempt, fate));
        }
        let (promise, deferred) = reactor.promise();
        self.open.borrow_mut().push(promise);
        deferred
    }
}

#[test]
fn tarpits_do_not_hold_all_places() {
    crate::watchdog::watch_this_test();
    let (reactor, tarpits) = (Reactor::simulated(0), Tarpits::default());
    let agents = Agents::default().with(SMTP_AGENT, tarpits.clone());
    let config = config().deliveries_max(10).retry_max(Duration::from_secs(15 * 60));
    let opening = Queue::open(&reactor, Spool::on(MemoryFiles::default()), config, agents);
    let advance = |seconds| reactor.advance(Duration::from_secs(seconds)).unwrap();
    advance(1);
    let queue = opening.take().unwrap().unwrap();
    let submit = |address: &str| {
        let submitted = queue.submit(envelope(&[address]), "Subject: x\r\n\r\n".to_owned());
        advance(1);
        submitted.take().unwrap().unwrap()
    };
    for number in 0..10 {
        submit(&format!("x@tarpit{number}.example"));
    }
    assert_eq!(tarpits.open.borrow().len(), 10, "all places are taken, and nobody knows better");
    submit("x@fast.example");
    assert_eq!(*tarpits.delivered.borrow(), 0);
    advance(60);
    assert_eq!(*tarpits.delivered.borrow(), 1, "by now they are known as slow");
    // They are given up after an hour, and tried again: never more than half of ten at once.
    for minute in 0..300 {
        advance(60);
        submit("x@fast.example");
        assert_eq!(*tarpits.delivered.borrow(), 2 + minute, "{minute}");
        assert!(queue.stats().active <= 10);
    }
    assert!(tarpits.open.borrow().len() > 15, "they are tried, too");
    let awaited = tarpits.open.borrow().iter().filter(|promise| promise.is_awaited()).count();
    assert!((1..=5).contains(&awaited), "{awaited} are open");
}
