//! Tests of custom handlers and sources, on every engine.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    rc::Rc,
};

use crate::kit::{Census, Puppet, Trail, reactors, turn, turn_until};
use sinew_reactor::{
    Engine, Handler, Interest, Reactor, Ready, RegisterError, Registration, Token,
};

/// A socket pair whose near end is non-blocking.
fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    (near, far)
}

/// Sends back what it receives.
struct Echo {
    stream: UnixStream,
    unsent: RefCell<VecDeque<u8>>,
    registration: RefCell<Option<Registration>>,
    ended: Cell<bool>,
}

impl Echo {
    fn begin(reactor: &Reactor, stream: UnixStream) -> Rc<Self> {
        let echo = Rc::new(Self {
            stream,
            unsent: RefCell::default(),
            registration: RefCell::default(),
            ended: Cell::default(),
        });
        let registration =
            reactor.register(&mut &echo.stream, Interest::READ, echo.clone()).unwrap();
        *echo.registration.borrow_mut() = Some(registration);
        echo
    }

    fn receive(&self) {
        let mut buffer = [0; 1000];
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return self.ended.set(true),
                Ok(n) => self.unsent.borrow_mut().extend(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn send(&self) {
        let mut unsent = self.unsent.borrow_mut();
        while !unsent.is_empty() {
            match (&self.stream).write(unsent.make_contiguous()) {
                Ok(n) => drop(unsent.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

impl Handler for Echo {
    fn ready(self: Rc<Self>, _: &Reactor, ready: Ready) {
        if ready.is_read() {
            self.receive();
        }
        self.send();
        let mut registration = self.registration.borrow_mut();
        let left = !self.unsent.borrow().is_empty();
        if self.ended.get() && !left {
            // The registration is dropped from inside the handler.
            registration.take();
        } else if let Some(registration) = &*registration {
            let write = if left { Interest::WRITE } else { Interest::NONE };
            let read = if self.ended.get() { Interest::NONE } else { Interest::READ };
            registration.set_interest(read | write);
        }
    }
}

#[test]
fn a_custom_source_sends_and_receives() {
    const LEN: usize = 1_000_000;
    for reactor in reactors() {
        let (near, mut far) = pair();
        let echo = Echo::begin(&reactor, near);
        let mut sender = far.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            let data: Vec<u8> = (0..LEN).map(|n| n as u8).collect();
            sender.write_all(&data).unwrap();
            sender.shutdown(std::net::Shutdown::Write).unwrap();
            data
        });
        let remote = reactor.remote();
        let receiving = std::thread::spawn(move || {
            let mut received = vec![0; LEN];
            far.read_exact(&mut received).unwrap();
            remote.stop().unwrap();
            received
        });
        reactor.run().unwrap();
        assert!(sending.join().unwrap() == receiving.join().unwrap());
        assert_eq!(Rc::strong_count(&echo), 1);
    }
}

#[test]
fn level_triggered_engines_report_only_the_interest() {
    for reactor in reactors() {
        let (near, mut far) = pair();
        let trail = Trail::default();
        let log = trail.clone();
        let puppet = Puppet::new(move |_, method| log.push(method));
        let registration = reactor.register(&mut &near, Interest::NONE, puppet).unwrap();
        far.write_all(b"x").unwrap();
        turn(&reactor);
        if reactor.is_edge_triggered() {
            assert_eq!(trail.take(), ["ready"], "reported once, whatever the interest");
            turn(&reactor);
            assert_eq!(trail.len(), 0);
        } else {
            assert_eq!(trail.len(), 0);
            for interest in [Interest::READ, Interest::WRITE, Interest::BOTH] {
                registration.set_interest(interest);
                turn(&reactor);
                turn(&reactor);
                assert_eq!(trail.take(), ["ready", "ready"]);
            }
            registration.set_interest(Interest::NONE);
            turn(&reactor);
            assert_eq!(trail.len(), 0);
        }
    }
}

#[test]
fn a_handler_gets_no_calls_after_its_registration() {
    for reactor in reactors() {
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let census = Census::default();
        let (trail, one) = (Trail::default(), census.one());
        let log = trail.clone();
        let puppet = Puppet::new(move |_, method| log.push(format!("{method} {}", one.alive())));
        let registration = reactor.register(&mut &near, Interest::BOTH, puppet).unwrap();
        let token = registration.token().unwrap();
        reactor.reschedule(token);
        reactor.flush_later(token);
        reactor.finalize_later(token);
        drop(registration);
        assert_eq!(census.alive(), 1, "dropped by the loop, not in the call");
        turn(&reactor);
        assert_eq!((trail.len(), census.alive()), (0, 0));
        // The source can be registered again.
        let puppet = Puppet::new(move |_, _| ());
        drop(reactor.register(&mut &near, Interest::BOTH, puppet).unwrap());
    }
}

/// Two handlers with an event each in one batch. The first to be called ends the other, and may register a third in its
/// slot.
fn batch(reactor: &Reactor, replace: bool) -> Vec<String> {
    let (trail, census) = (Trail::default(), Census::default());
    let streams: Rc<RefCell<Vec<_>>> = Rc::default();
    let registrations: Rc<RefCell<Vec<Option<Registration>>>> = Rc::default();
    for own in 0..2 {
        let (near, mut far) = pair();
        far.write_all(b"x").unwrap();
        let (log, one) = (trail.clone(), census.one());
        let (all, ends) = (registrations.clone(), streams.clone());
        let puppet = Puppet::new(move |reactor, method| {
            log.push(method);
            let _ = &one;
            let Some(other) = all.borrow_mut()[1 - own].take() else { return };
            let old = other.token().unwrap();
            drop(other);
            if replace {
                let (near, far) = pair();
                let log = log.clone();
                let third = Puppet::new(move |_, _| log.push("third"));
                let third = reactor.register(&mut &near, Interest::READ, third).unwrap();
                assert_ne!(third.token(), Some(old));
                all.borrow_mut().push(Some(third));
                ends.borrow_mut().push((near, far));
            }
        });
        let registration = reactor.register(&mut &near, Interest::READ, puppet).unwrap();
        registrations.borrow_mut().push(Some(registration));
        streams.borrow_mut().push((near, far));
    }
    turn(reactor);
    assert_eq!(census.alive(), 1);
    let calls = trail.take();
    if replace {
        // The third gets its own event, and not in this batch.
        streams.borrow_mut().last_mut().unwrap().1.write_all(b"x").unwrap();
        let mut later = Vec::new();
        turn_until(reactor, || {
            later.append(&mut trail.take());
            later.iter().any(|name| name == "third")
        });
    }
    registrations.take();
    calls
}

#[test]
fn an_event_of_a_handler_removed_in_its_batch_is_dropped() {
    for reactor in reactors() {
        assert_eq!(batch(&reactor, false), ["ready"]);
    }
}

#[test]
fn a_slot_reused_in_a_batch_does_not_get_the_stale_event() {
    for reactor in reactors() {
        assert_eq!(batch(&reactor, true), ["ready"]);
    }
}

#[test]
fn a_stale_token_matches_no_handler() {
    for reactor in reactors() {
        let trail = Trail::default();
        let old = Puppet::enter(&reactor, |_, _| unreachable!());
        reactor.deregister(old, false);
        let log = trail.clone();
        let new = Puppet::enter(&reactor, move |_, method| log.push(method));
        for token in [old, new] {
            reactor.reschedule(token);
            reactor.set_interest(token, Interest::BOTH);
        }
        reactor.deregister(old, true);
        reactor.bind(old, Puppet::new(|_, _| unreachable!()));
        turn(&reactor);
        assert_eq!(trail.take(), ["rescheduled"]);
    }
}

#[test]
fn a_handler_can_be_replaced() {
    for reactor in reactors() {
        let (trail, census) = (Trail::default(), Census::default());
        let one = census.one();
        let token = Puppet::enter(&reactor, move |_, _| drop(one.one()));
        let log = trail.clone();
        reactor.bind(token, Puppet::new(move |_, method| log.push(method)));
        reactor.reschedule(token);
        turn(&reactor);
        assert_eq!((trail.take(), census.alive()), (vec!["rescheduled".to_owned()], 0));
    }
}

#[test]
fn a_second_registration_is_refused_and_its_handler_dropped_by_the_loop() {
    for reactor in reactors() {
        let (near, _far) = pair();
        let first = reactor.register(&mut &near, Interest::READ, Puppet::new(|_, _| ())).unwrap();
        let census = Census::default();
        let one = census.one();
        let puppet = Puppet::new(move |_, _| drop(one.one()));
        let refused = reactor.register(&mut &near, Interest::READ, puppet);
        assert!(matches!(refused, Err(RegisterError::AlreadyRegistered { .. })), "{refused:?}");
        assert_eq!(census.alive(), 1);
        turn(&reactor);
        assert_eq!((census.alive(), reactor.stats().handlers), (0, 1));
        drop(first);
    }
}

#[test]
fn a_broadcast_reaches_all_handlers() {
    for reactor in reactors() {
        let trail = Trail::default();
        for name in ["one", "two"] {
            let log = trail.clone();
            Puppet::enter(&reactor, move |_, method| log.push(format!("{name} {method}")));
        }
        let log = trail.clone();
        reactor.call_soon(move |reactor| {
            reactor.broadcast(Rc::new(()));
            // A handler registered before the delivery receives it, too.
            Puppet::enter(reactor, move |_, method| log.push(format!("three {method}")));
        });
        turn(&reactor);
        turn(&reactor);
        assert_eq!(
            trail.take(),
            ["one message_received", "two message_received", "three message_received"]
        );
    }
}

#[test]
fn the_hang_up_of_a_peer_is_reported() {
    struct RecordsReady(Rc<Cell<Option<Ready>>>);
    impl Handler for RecordsReady {
        fn ready(self: Rc<Self>, _: &Reactor, ready: Ready) {
            self.0.set(Some(ready));
        }
    }
    for reactor in reactors() {
        let (near, far) = pair();
        let last = Rc::new(Cell::new(None));
        let handler = Rc::new(RecordsReady(last.clone()));
        let _registration = reactor.register(&mut &near, Interest::READ, handler).unwrap();
        turn(&reactor);
        drop(far);
        last.set(None);
        turn_until(&reactor, || last.get().is_some());
        let ready = last.get().unwrap();
        assert!(ready.is_read());
        // select(2) cannot report it.
        assert!(ready.is_read_closed() || reactor.engine() == Engine::Select);
    }
}

#[test]
fn a_registration_may_outlive_its_reactor() {
    for reactor in reactors() {
        let (near, _far) = pair();
        let registration =
            reactor.register(&mut &near, Interest::READ, Puppet::new(|_, _| ())).unwrap();
        let token: Option<Token> = registration.token();
        assert!(token.is_some());
        drop(reactor);
        registration.set_interest(Interest::BOTH);
        registration.deregister();
        assert_eq!(registration.token(), None);
    }
}
