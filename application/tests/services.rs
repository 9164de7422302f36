//! Services on the virtual clock: order, failures, and children that come and go.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_application::{
    MultiService, ServerService, Service, StartError, StopError, TimerService,
};
use sinew_reactor::{Deferred, Failure, Reactor};
use sinew_transports::{
    ClientService, Peer, Protocol, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
};

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

type Log = Rc<RefCell<Vec<String>>>;

/// What a [`Recorded`] does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Privileged,
    Start,
    Stop,
    PanicInStart,
    PanicInStop,
}

/// Writes down what is asked of it. Its stop takes as many seconds.
struct Recorded {
    name: &'static str,
    log: Log,
    fault: Fault,
    stop_secs: u64,
}

impl Recorded {
    fn new(name: &'static str, log: &Log) -> Self {
        Self { name, log: log.clone(), fault: Fault::None, stop_secs: 0 }
    }

    fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn slow(mut self, secs: u64) -> Self {
        self.stop_secs = secs;
        self
    }

    fn note(&self, what: &str) {
        self.log.borrow_mut().push(format!("{what} {}", self.name));
    }
}

impl Service for Recorded {
    fn privileged_start(&self, _: &Reactor) -> Result<(), StartError> {
        self.note("prepare");
        match self.fault {
            Fault::Privileged => Err(StartError::other("no privileges")),
            _ => Ok(()),
        }
    }

    fn start(&self, _: &Reactor) -> Result<(), StartError> {
        self.note("start");
        match self.fault {
            Fault::Start => Err(StartError::other("no fuel")),
            Fault::PanicInStart => panic!("it burns"),
            _ => Ok(()),
        }
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.note("stop");
        let (log, name, fault) = (self.log.clone(), self.name, self.fault);
        assert!(fault != Fault::PanicInStop, "it does not stop");
        let (promise, stopped) = reactor.promise();
        reactor.call_later(Duration::from_secs(self.stop_secs), move |_| {
            log.borrow_mut().push(format!("stopped {name}"));
            match fault {
                Fault::Stop => promise.reject(StopError::other("no brakes")),
                _ => promise.resolve(()),
            }
        });
        stopped
    }
}

struct World {
    reactor: Reactor,
    log: Log,
    services: MultiService,
}

impl World {
    fn new() -> Self {
        watchdog::watch_this_test();
        Self { reactor: Reactor::simulated(1), log: Log::default(), services: MultiService::new() }
    }

    fn add(&self, service: Recorded) {
        self.services.add(service.name, service).unwrap();
    }

    fn recorded(&self, name: &'static str) -> Recorded {
        Recorded::new(name, &self.log)
    }

    fn taken(&self) -> Vec<String> {
        self.log.take()
    }

    /// Waits at most an hour of virtual time.
    fn end<T: 'static, E: From<Failure> + std::fmt::Display + 'static>(
        &self,
        deferred: Deferred<T, E>,
    ) -> Result<T, E> {
        for _ in 0..3600 {
            if deferred.is_settled() {
                break;
            }
            self.reactor.advance(Duration::from_secs(1)).unwrap();
        }
        deferred.take().expect("it ends within an hour")
    }
}

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    let world = World::new();
    world.add(world.recorded("a").slow(3));
    world.add(world.recorded("b").slow(1));
    world.add(world.recorded("c").slow(2));
    world.services.privileged_start(&world.reactor).unwrap();
    assert_eq!(world.taken(), ["prepare a", "prepare b", "prepare c"]);
    assert!(!world.services.is_running());
    world.services.start(&world.reactor).unwrap();
    assert_eq!(world.taken(), ["start a", "start b", "start c"]);
    assert!(world.services.is_running());
    let (first, second) =
        (world.services.stop(&world.reactor), world.services.stop(&world.reactor));
    world.reactor.advance(Duration::from_millis(2_999)).unwrap();
    assert!(!first.is_settled() && !second.is_settled(), "one still stops");
    world.end(first).unwrap();
    world.end(second).unwrap();
    assert_eq!(
        world.taken(),
        ["stop c", "stop b", "stop a", "stopped b", "stopped c", "stopped a"],
        "all at once"
    );
    // And again.
    world.services.start(&world.reactor).unwrap();
    assert_eq!(
        world.taken(),
        ["prepare a", "prepare b", "prepare c", "start a", "start b", "start c"]
    );
}

#[test]
fn failed_start_stops_what_had_started() {
    let cases: [(Fault, &str, &[&str]); 3] = [
        (Fault::Privileged, "service \"b\": no privileges", &["prepare a", "prepare b"]),
        (
            Fault::Start,
            "service \"b\": no fuel",
            &["prepare a", "prepare b", "prepare c", "start a", "start b"],
        ),
        (
            Fault::PanicInStart,
            "service \"b\": it panicked: it burns",
            &["prepare a", "prepare b", "prepare c", "start a", "start b"],
        ),
    ];
    for (fault, text, before) in cases {
        let world = World::new();
        world.add(world.recorded("a").slow(1));
        world.add(world.recorded("b").fault(fault));
        world.add(world.recorded("c"));
        let error = world.services.start(&world.reactor).unwrap_err();
        assert_eq!(error.to_string(), text, "{fault:?}");
        assert!(matches!(world.services.start(&world.reactor), Err(StartError::Stopping)));
        world.end(world.services.stop(&world.reactor)).unwrap();
        let log = world.taken();
        assert_eq!(log[..before.len()], *before, "{fault:?}");
        let mut rest = log[before.len()..].to_vec();
        rest.retain(|line| line.starts_with("stop "));
        let stopped: &[&str] = match fault {
            Fault::Privileged => &["stop b", "stop a"],
            _ => &["stop c", "stop b", "stop a"],
        };
        assert_eq!(rest, stopped, "{fault:?}");
    }
}

#[test]
fn every_failed_stop_is_reported_and_none_keeps_the_others_from_stopping() {
    let world = World::new();
    world.add(world.recorded("a").fault(Fault::Stop).slow(2));
    world.add(world.recorded("b"));
    world.add(world.recorded("c").fault(Fault::PanicInStop));
    world.services.start(&world.reactor).unwrap();
    let error = world.end(world.services.stop(&world.reactor)).unwrap_err();
    let StopError::Several(errors) = &error else { panic!("{error}") };
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["service \"c\": it panicked: it does not stop", "service \"a\": no brakes"]);
    assert!(world.taken().contains(&"stopped b".to_owned()));
    assert_eq!(
        error.to_string(),
        "2 services did not stop as they should; the first: service \"c\": it panicked: it does not stop"
    );
}

#[test]
fn names_are_unique_and_services_in_services_are_named_by_path() {
    let world = World::new();
    world.add(world.recorded("a"));
    let error = world.services.add("a", world.recorded("other")).unwrap_err();
    assert_eq!(error.to_string(), "there is already a service named \"a\"");
    let outer = MultiService::new();
    let inner = MultiService::new();
    inner.add("leaf", world.recorded("leaf").fault(Fault::Start)).unwrap();
    outer.add("tree", inner).unwrap();
    let error = outer.start(&world.reactor).unwrap_err();
    assert_eq!(error.to_string(), "service \"tree\": service \"leaf\": no fuel");
    assert_eq!(outer.names(), ["tree"]);
    assert!(outer.contains("tree") && !outer.contains("leaf"));
}

#[test]
fn children_come_and_go_while_the_others_run() {
    let world = World::new();
    let (services, reactor) = (&world.services, &world.reactor);
    world.add(world.recorded("a"));
    // Not started yet: it starts with the others.
    let early = services.start_child(reactor, "early", world.recorded("early"));
    services.start(reactor).unwrap();
    world.end(early).unwrap();
    assert_eq!(world.taken(), ["prepare a", "prepare early", "start a", "start early"]);

    let late = services.start_child(reactor, "late", world.recorded("late").slow(5));
    assert!(world.taken().is_empty(), "nothing is called from within");
    let twice = services.start_child(reactor, "late", world.recorded("twice"));
    let error = world.end(twice).unwrap_err();
    assert_eq!(error.to_string(), "there is already a service named \"late\"");
    world.end(late).unwrap();
    assert_eq!(world.taken(), ["prepare late", "start late"]);

    let bad = services.start_child(reactor, "bad", world.recorded("bad").fault(Fault::Start));
    assert_eq!(world.end(bad).unwrap_err().to_string(), "service \"bad\": no fuel");
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(world.taken(), ["prepare bad", "start bad", "stop bad", "stopped bad"]);
    assert!(!services.contains("bad"));

    let gone = services.stop_child(reactor, "late");
    reactor.advance(Duration::from_secs(1)).unwrap();
    assert!(services.contains("late"), "its name is taken until it has stopped");
    world.end(gone).unwrap();
    assert_eq!(services.names(), ["a", "early"]);
    let error = world.end(services.stop_child(reactor, "late")).unwrap_err();
    assert_eq!(error.to_string(), "there is no service named \"late\"");
    world.taken();
    world.end(services.stop(reactor)).unwrap();
    assert_eq!(world.taken(), ["stop early", "stop a", "stopped early", "stopped a"]);
}

#[test]
fn stop_waits_for_a_child_that_stops_already() {
    let world = World::new();
    let (services, reactor) = (&world.services, &world.reactor);
    world.add(world.recorded("a").slow(10));
    services.start(reactor).unwrap();
    let child = services.stop_child(reactor, "a");
    reactor.advance(Duration::from_secs(1)).unwrap();
    let all = services.stop(reactor);
    reactor.advance(Duration::from_secs(8)).unwrap();
    assert!(!all.is_settled() && !child.is_settled());
    let refused = services.start_child(reactor, "b", world.recorded("b"));
    assert!(matches!(world.end(refused), Err(StartError::Stopping)));
    world.end(all).unwrap();
    world.end(child).unwrap();
    assert_eq!(world.taken().iter().filter(|line| *line == "stop a").count(), 1);
}

#[test]
fn timer_calls_at_once_and_then_on_its_grid() {
    let world = World::new();
    let calls = world.log.clone();
    let start = world.reactor.now();
    let timer = TimerService::new(Duration::from_secs(10), move |reactor: &Reactor| {
        let at = reactor.now().duration_since(start).as_secs();
        calls.borrow_mut().push(at.to_string());
        match at {
            10 => Err("not today"),
            _ => Ok(()),
        }
    });
    timer.start(&world.reactor).unwrap();
    assert!(world.taken().is_empty(), "only the loop calls it");
    world.reactor.advance(Duration::from_secs(35)).unwrap();
    assert_eq!(world.taken(), ["0", "10", "20", "30"], "an error does not end the series");
    assert!(matches!(timer.start(&world.reactor), Err(StartError::AlreadyStarted)));
    world.end(timer.stop(&world.reactor)).unwrap();
    world.reactor.advance(Duration::from_secs(35)).unwrap();
    assert!(world.taken().is_empty());
    assert!(!timer.is_running());
    timer.start(&world.reactor).unwrap();
    world.reactor.advance(Duration::from_secs(5)).unwrap();
    assert_eq!(world.taken(), ["70"]);
    assert_eq!(timer.calls(), 5);
}

#[test]
fn timer_skips_calls_while_one_is_pending_and_stop_waits_for_it() {
    let world = World::new();
    let timer = TimerService::new(Duration::from_secs(10), |reactor: &Reactor| {
        let (promise, done): (_, Deferred<()>) = reactor.promise();
        reactor.call_later(Duration::from_secs(25), |_| promise.resolve(()));
        done
    });
    timer.start(&world.reactor).unwrap();
    world.reactor.advance(Duration::from_secs(31)).unwrap();
    assert_eq!(timer.calls(), 2, "at 0 s and 30 s");
    let stopped = timer.stop(&world.reactor);
    world.reactor.advance(Duration::from_secs(23)).unwrap();
    assert!(!stopped.is_settled());
    world.end(stopped).unwrap();
    assert_eq!(timer.calls(), 2);
}

#[test]
fn panic_ends_the_series_of_a_timer() {
    for first in [true, false] {
        let world = World::new();
        let timer = TimerService::new(Duration::from_secs(1), {
            let mut calls = 0;
            move |_: &Reactor| {
                calls += 1;
                assert!(!(first || calls == 3), "it burns");
            }
        });
        timer.start(&world.reactor).unwrap();
        world.reactor.advance(Duration::from_secs(10)).unwrap();
        assert!(!timer.is_running());
        assert_eq!(timer.calls(), if first { 1 } else { 3 });
        world.end(timer.stop(&world.reactor)).unwrap();
    }
    let world = World::new();
    let timer = TimerService::new(Duration::ZERO, |_: &Reactor| ());
    assert!(timer.start(&world.reactor).is_err(), "an interval of zero");
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }

    /// Takes five seconds to finish.
    fn drain_requested(&mut self, transport: &Transport) {
        transport.call_later(Duration::from_secs(5));
    }

    fn timer_fired(&mut self, transport: &Transport, _: sinew_transports::TimerId) {
        transport.lose_connection();
    }
}

struct Client(Log);

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"hello");
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
    }
}

fn memory(name: &str) -> (ServerEndpoint, ClientEndpoint) {
    let text = format!("memory:{name}");
    (text.parse().unwrap(), text.parse().unwrap())
}

#[test]
fn server_accepts_from_its_start_and_drains_at_its_stop() {
    let world = World::new();
    let ((place, to), (second, to_second)) = (memory("first"), memory("second"));
    let server = ServerService::new(place, |_: &Peer| Echo).also_on(second);
    server.privileged_start(&world.reactor).unwrap();
    assert_eq!(server.ports().len(), 2);
    for to in [&to, &to_second] {
        let log = world.log.clone();
        to.connect(&world.reactor, move |_: &Peer| Client(log.clone()))
            .then(|_, connection| drop(connection.unwrap()));
    }
    world.reactor.advance(Duration::from_secs(3)).unwrap();
    assert!(world.taken().is_empty(), "connections wait for the start");
    server.start(&world.reactor).unwrap();
    world.reactor.advance(Duration::from_secs(3)).unwrap();
    assert_eq!(world.taken(), ["hello", "hello"]);
    assert_eq!(server.connections(), 2);

    let stopped = server.stop(&world.reactor);
    world.reactor.advance(Duration::from_secs(4)).unwrap();
    assert!(!stopped.is_settled(), "the connections finish");
    world.end(stopped).unwrap();
    assert!(server.ports().is_empty());
    // And again.
    server.start(&world.reactor).unwrap();
    assert_eq!(server.ports().len(), 2);
}

#[test]
fn server_closes_what_has_not_finished_after_the_drain() {
    let world = World::new();
    let (place, to) = memory("first");
    let server = ServerService::new(place, |_: &Peer| Echo).drain(Duration::from_secs(2));
    server.start(&world.reactor).unwrap();
    let log = world.log.clone();
    to.connect(&world.reactor, move |_: &Peer| Client(log.clone()))
        .then(|_, connection| drop(connection.unwrap()));
    world.reactor.advance(Duration::from_secs(1)).unwrap();
    let start = world.reactor.now();
    world.end(server.stop(&world.reactor)).unwrap();
    assert_eq!(world.reactor.now().duration_since(start), Duration::from_secs(2));
}

#[test]
fn server_whose_port_is_taken_says_where() {
    let world = World::new();
    let (place, _) = memory("first");
    let taken = ServerService::new(place.clone(), |_: &Peer| Echo);
    taken.start(&world.reactor).unwrap();
    let server = ServerService::new(memory("second").0, |_: &Peer| Echo).also_on(place);
    world.services.add("web", server.clone()).unwrap();
    let error = world.services.start(&world.reactor).unwrap_err().to_string();
    assert!(error.starts_with("service \"web\": could not listen on memory:first: "), "{error}");
    world.end(world.services.stop(&world.reactor)).unwrap();
    assert!(server.ports().is_empty(), "the other port is closed");
}

#[test]
fn client_starts_and_stops_with_the_others() {
    let world = World::new();
    let (place, to) = memory("first");
    world.services.add("server", ServerService::new(place, |_: &Peer| Echo)).unwrap();
    let log = world.log.clone();
    let client = ClientService::new(&world.reactor, to, move |_: &Peer| Client(log.clone()));
    world.services.add("client", client.clone()).unwrap();
    world.services.start(&world.reactor).unwrap();
    world.reactor.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(world.taken(), ["hello"]);
    assert!(client.connection().is_some());
    world.end(world.services.stop(&world.reactor)).unwrap();
    assert!(!client.is_running());
}

#[test]
fn everything_ends_with_the_run_even_without_a_stop() {
    let world = World::new();
    world.services.add("server", ServerService::new(memory("x").0, |_: &Peer| Echo)).unwrap();
    world
        .services
        .add("timer", TimerService::new(Duration::from_secs(1), |_: &Reactor| ()))
        .unwrap();
    world.services.start(&world.reactor).unwrap();
    world.reactor.call_later(Duration::from_secs(5), |reactor| reactor.stop().unwrap());
    world.reactor.run().unwrap();
    assert!(world.reactor.leak_report().is_empty());
}

#[test]
fn errors_can_leave_their_thread() {
    fn check<E: std::error::Error + Send + Sync + 'static>() {}
    check::<StartError>();
    check::<StopError>();
}
