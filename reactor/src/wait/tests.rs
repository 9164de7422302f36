//! Waits that fail, on an engine with injected faults. Real engines are tested in `tests/reactor/waits.rs`.

use std::{cell::RefCell, rc::Rc, sync::Arc, thread};

use super::*;
use crate::{
    Reactor, RegisterError,
    engine::{Descriptor, DescriptorId, Notify, Poller},
    handler::{Interest, Token},
};

/// An engine whose waits fail with the given errors and then go to a real engine.
struct Failing(Box<dyn Poller>, Rc<RefCell<Vec<io::ErrorKind>>>);

impl Poller for Failing {
    fn is_edge_triggered(&self) -> bool {
        self.0.is_edge_triggered()
    }
    fn register(
        &mut self,
        source: Descriptor<'_>,
        token: Token,
        interest: Interest,
    ) -> Result<(), RegisterError> {
        self.0.register(source, token, interest)
    }
    fn set_interest(&mut self, id: DescriptorId, token: Token, interest: Interest) {
        self.0.set_interest(id, token, interest);
    }
    fn deregister(&mut self, id: DescriptorId, token: Token, closing: bool) -> io::Result<()> {
        self.0.deregister(id, token, closing)
    }
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        match self.1.borrow_mut().pop() {
            Some(error) => Err(error.into()),
            None => self.0.wait(timeout, events),
        }
    }
    fn call(&self) -> &'static str {
        "wait"
    }
    fn notifier(&self) -> Arc<dyn Notify> {
        self.0.notifier()
    }
}

/// A reactor whose next waits fail with `errors`, the last of them first.
fn failing(
    wait_retry: Duration,
    errors: &[io::ErrorKind],
) -> (Reactor, impl Fn() -> usize + use<>) {
    let builder = Reactor::builder().stop_signals(false).wait_retry(wait_retry);
    let reactor = builder.build().unwrap();
    let left = Rc::new(RefCell::new(errors.to_vec()));
    let mut poller = reactor.inner.poller.borrow_mut();
    let real = std::mem::replace(&mut *poller, crate::Engine::Simulated.open().unwrap());
    *poller = Box::new(Failing(real, left.clone()));
    drop(poller);
    (reactor, move || left.borrow().len())
}

const FOR_THE_MOMENT: [io::ErrorKind; 2] = [io::ErrorKind::OutOfMemory, io::ErrorKind::WouldBlock];

#[test]
fn transient_failures_do_not_end_the_loop() {
    let (reactor, left) = failing(Duration::MAX, &FOR_THE_MOMENT.repeat(2));
    reactor.call_every(Duration::from_millis(1), move |reactor| {
        if left() == 0 {
            reactor.stop().unwrap();
        }
    });
    reactor.run().unwrap();
    assert!(reactor.inner.wait_failures.failing.get().is_none());
}

#[test]
fn calls_from_other_threads_run_while_waits_fail() {
    let (reactor, left) = failing(Duration::MAX, &FOR_THE_MOMENT.repeat(1_000));
    let remote = reactor.remote();
    let thread = thread::spawn(move || {
        let (sender, receiver) = std::sync::mpsc::channel();
        for _ in 0..100 {
            let sender = sender.clone();
            remote.call(move |_| sender.send(()).unwrap()).unwrap();
            receiver.recv().unwrap();
        }
        remote.stop().unwrap();
    });
    reactor.run().unwrap();
    thread.join().unwrap();
    assert!(left() > 0);
}

#[test]
fn a_call_from_another_thread_ends_a_backoff() {
    let (reactor, _) = failing(Duration::MAX, &[]);
    let remote = reactor.remote();
    let (begin, begins) = std::sync::mpsc::channel();
    let thread = thread::spawn(move || {
        for () in begins {
            remote.call(|_| ()).unwrap();
        }
    });
    for round in 0..100 {
        begin.send(()).unwrap();
        assert!(reactor.inner.back_off(Duration::from_secs(60)), "round {round} was not ended");
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    drop(begin);
    thread.join().unwrap();
}

#[test]
fn a_persistent_failure_ends_the_loop_and_names_the_call() {
    for error in FOR_THE_MOMENT {
        let (reactor, left) = failing(Duration::from_millis(5), &[error; 1_000]);
        let ended = reactor.run().unwrap_err();
        let RunError::Wait(failed) = &ended else { panic!("{ended:?}") };
        assert_eq!((failed.call(), failed.cause().kind()), ("wait", error));
        assert!(ended.to_string().contains("wait failed: "), "{ended}");
        assert!(format!("{ended:?}").starts_with(&ended.to_string()), "{ended:?}");
        assert!(left() > 900, "it backs off");
    }
}

#[test]
fn any_other_error_ends_the_loop_at_once() {
    let (reactor, left) = failing(Duration::MAX, &[io::ErrorKind::InvalidInput; 3]);
    assert!(matches!(reactor.run(), Err(RunError::Wait(_))));
    // One ends the loop, another the wait for the shutdown triggers.
    assert!(left() >= 1);
}
