//! Inside every callback, with the cell borrowed, makes all calls, and then one of those that end something.

use std::{cell::Cell, cell::RefCell, rc::Rc, time::Duration};

use sinew::{prelude::*, transports::tls::ReactorTls};

use super::{
    calls::{Complaint, Feeder, Quiet, ask_port, ask_reactor, ask_transport},
    detector::{self, Guest, enter, look_in},
};
use crate::support::{
    EndState, Event, Link, RemoteEnd, Script, TestConnection, Traces, Watched, Width, World, certs,
    every_callback::{NAMES, number, trigger_callbacks},
    sockets::{any_port, dial},
    table,
};

table! {
    ports:
        nothing,
        lose_connection,
        abort,
        fail,
        fail_twice,
        close_write,
        set_protocol,
        refused_output,
        stop_listening,
        drain,
        stop,
        crash,
        in_the_factory,
        in_a_producer,
        start_tls,
        over_tls,
        when_tls_has_started;
}

type End = fn(&Transport, &ListeningPort);

/// What the callbacks need.
#[derive(Clone)]
struct Reentry {
    at: Option<usize>,
    end: End,
    done: Rc<Cell<bool>>,
    port: Rc<RefCell<Option<ListeningPort>>>,
}

impl Reentry {
    fn new(at: Option<usize>, end: End) -> Self {
        Self { at, end, done: Rc::default(), port: Rc::default() }
    }

    /// Makes all calls once.
    fn act(&self, transport: &Transport) {
        if self.done.replace(true) {
            return;
        }
        let port = self.port.borrow().clone().expect("it is set before the loop turns");
        ask_transport(transport);
        ask_port(&port);
        ask_reactor(&transport.reactor().unwrap());
        (self.end)(transport, &port);
        // Once more, on a closing or ended connection.
        ask_transport(transport);
        ask_port(&port);
    }

    fn protocol(&self) -> impl Protocol + use<> {
        let reentry = self.clone();
        let _guest = Guest("the drop of the protocol");
        Script(move |transport: &Transport, what: Event<'_>| {
            let _ = &_guest;
            let ends = matches!(what, Event::ReadClosed | Event::Drain);
            let name = number(&what).map_or("connection_lost", |number| NAMES[number]);
            enter(name, || {
                if number(&what) == reentry.at {
                    reentry.act(transport);
                }
                if ends {
                    transport.lose_connection();
                }
            });
        })
    }

    /// Triggers all callbacks of a connection, and returns violations.
    fn run<F: Factory>(&self, world: &World, name: &str, factory: F) {
        let port = match world.link {
            Link::TlsAccepted => world.reactor().listen_tls(any_port(), &certs::server(), factory),
            _ => world.reactor().listen_tcp(any_port(), factory),
        };
        let port = port.expect("a free port");
        self.port.replace(Some(port.clone()));
        let built = world.traces.len();
        let socket = dial(port.local(), Width::Narrow);
        let mut remote = match world.link {
            Link::TlsAccepted => RemoteEnd::secured(socket, certs::remote_client()),
            _ => RemoteEnd::socket(socket),
        };
        world.until("the reentrant call", || {
            remote.pump();
            world.traces.len() > built && world.traces.last().is_made()
        });
        let mut line =
            TestConnection { remote, trace: world.traces.last(), port: Some(port.into_any()) };
        trigger_callbacks(world, &mut line, name);
        world.until("the end", || {
            line.remote.take();
            if line.remote.end_state_so_far() != EndState::Open {
                line.remote.end();
            }
            line.trace.is_lost()
        });
        assert!(self.done.get(), "{name} never came: {:?}", line.trace.callbacks());
        // Repeating calls and other activity.
        world.settle();
        self.port.take();
        assert!(detector::guests().len() > 10);
        let clashes = detector::sweep();
        assert!(clashes.is_empty(), "{name}: {clashes:#?}");
    }
}

/// Runs every callback, including `connection_lost`. A new fixture for each, since some calls end the reactor.
fn each(world: &World, end: End) {
    for at in (0..NAMES.len()).map(Some).chain([None]) {
        let name = at.map_or("connection_lost", |at| NAMES[at]);
        let inner = World::new(world.reactor().engine(), world.link);
        let reentry = Reentry::new(at, end);
        let (guide, traces) = (reentry.clone(), inner.traces.clone());
        reentry.run(&inner, name, move |_: &Peer| {
            let guest = Guest("the drop of the factory");
            let protocol = enter("build_protocol", || traces.watch(guide.protocol()));
            drop(guest);
            protocol.expect("nobody else is in the detector")
        });
        inner.end();
        let clashes = detector::sweep();
        assert!(clashes.is_empty(), "{name}, at the end of the reactor: {clashes:#?}");
    }
}

fn nothing(world: &World) {
    each(world, |_, _| ());
}

fn lose_connection(world: &World) {
    each(world, |transport, _| transport.lose_connection());
}

fn abort(world: &World) {
    each(world, |transport, _| transport.abort());
}

fn fail(world: &World) {
    each(world, |transport, _| transport.fail(Complaint::new()));
}

fn fail_twice(world: &World) {
    fn end(transport: &Transport, _: &ListeningPort) {
        transport.fail(Complaint::new());
        transport.fail(Complaint::new());
        transport.abort();
        transport.fail(Complaint::new());
    }
    each(world, end);
}

fn close_write(world: &World) {
    each(world, |transport, _| transport.close_write());
}

fn set_protocol(world: &World) {
    fn end(transport: &Transport, _: &ListeningPort) {
        for _ in 0..2 {
            if let Err(refused) = transport.set_protocol(Quiet::new()) {
                transport.reactor().unwrap().defer_drop(refused.protocol);
            }
        }
    }
    each(world, end);
}

fn refused_output(world: &World) {
    fn end(transport: &Transport, _: &ListeningPort) {
        transport.lose_connection();
        transport.stream(Feeder::new(1));
    }
    each(world, end);
}

fn stop_listening(world: &World) {
    each(world, |_, port| port.stop_listening());
}

fn drain(world: &World) {
    fn end(_: &Transport, port: &ListeningPort) {
        let drained = port.drain(Duration::from_millis(50));
        drained.then(|_, _| look_in("a callback of a drain"));
    }
    each(world, end);
}

fn stop(world: &World) {
    each(world, |transport, _| {
        let _ = transport.reactor().unwrap().stop();
    });
}

fn crash(world: &World) {
    each(world, |transport, _| {
        let _ = transport.reactor().unwrap().crash();
    });
}

/// A factory that makes all calls in each of its three callbacks.
struct Asker {
    reentry: Reentry,
    reactor: sinew::reactor::WeakReactor,
    traces: Traces,
}

impl Asker {
    fn ask(&self) {
        let reactor = self.reactor.upgrade().expect("it calls");
        ask_reactor(&reactor);
        if let Some(port) = &*self.reentry.port.borrow() {
            ask_port(port);
        }
    }
}

impl Factory for Asker {
    type Protocol = Watched<Box<dyn Protocol>>;

    fn build_protocol(&mut self, _: &Peer) -> Option<Self::Protocol> {
        enter("build_protocol", || {
            self.ask();
            let protocol: Box<dyn Protocol> = Box::new(self.reentry.protocol());
            Some(self.traces.watch(protocol))
        })?
    }

    fn started(&mut self) {
        enter("started", || self.ask());
    }

    fn stopped(&mut self) {
        enter("stopped", || self.ask());
    }
}

fn in_the_factory(world: &World) {
    let reentry = Reentry::new(Some(0), |_, port| port.stop_listening());
    let (reactor, traces) = (world.reactor().downgrade(), world.traces.clone());
    let asker = Asker { reentry: reentry.clone(), reactor, traces };
    reentry.run(world, "connection_made", asker);
    assert_eq!(world.traces.all()[0].callbacks()[0], crate::support::Callback::Made);
}

fn in_a_producer(world: &World) {
    let ends: [End; 6] = [
        |_, _| (),
        |transport, _| transport.lose_connection(),
        |transport, _| transport.abort(),
        |transport, _| transport.fail(Complaint::new()),
        |transport, _| transport.close_write(),
        |_, port| port.drain(Duration::from_secs(1000)).detach(),
    ];
    for end in ends {
        // Outside of any protocol callback: the producer makes the calls.
        let reentry = Reentry::new(Some(usize::MAX), end);
        let (guide, traces) = (reentry.clone(), world.traces.clone());
        reentry.run(world, "a producer", move |_: &Peer| {
            let guide = guide.clone();
            traces.watch(Script(move |transport: &Transport, what: Event<'_>| {
                enter("a callback", || match what {
                    Event::Made => {
                        let guide = guide.clone();
                        let mut left = 3;
                        transport.stream(crate::support::Pull(move |transport: &Transport| {
                            enter("the producer", || guide.act(transport));
                            left -= 1;
                            if left == 0 { Production::Done } else { Production::More }
                        }));
                    }
                    Event::ReadClosed | Event::Drain => transport.lose_connection(),
                    _ => {}
                });
            }))
        });
    }
}

/// The remote end does not speak TLS: any data, or silence, end the connection.
fn start_tls(world: &World) {
    fn end(transport: &Transport, _: &ListeningPort) {
        let tls = certs::server().handshake_timeout(Duration::from_millis(20));
        let _ = transport.start_tls(&tls);
        assert!(transport.start_tls(&tls).is_err());
        assert!(transport.tls_info().is_none());
    }
    each(world, end);
}

const ENDS: [End; 7] = [
    |_, _| (),
    |transport, _| transport.lose_connection(),
    |transport, _| transport.abort(),
    |transport, _| transport.fail(Complaint::new()),
    |transport, _| transport.close_write(),
    |_, port| port.drain(Duration::from_millis(50)).detach(),
    |transport, _| {
        let _ = transport.reactor().unwrap().stop();
    },
];

fn over_tls(world: &World) {
    for end in ENDS {
        each(&World::new(world.reactor().engine(), Link::TlsAccepted), end);
    }
}

/// Starts TLS in mid-stream, and makes all calls when that is done.
struct Starter(Reentry, #[allow(dead_code, reason = "its drop is what counts")] Guest);

impl Protocol for Starter {
    fn connection_made(&mut self, transport: &Transport) {
        enter("connection_made", || transport.start_tls(&certs::server()).expect("it is plain"));
    }

    fn tls_started(&mut self, transport: &Transport) {
        enter("tls_started", || self.0.act(transport));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        look_in("data_received");
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        look_in("connection_lost");
    }
}

fn when_tls_has_started(world: &World) {
    for end in ENDS {
        let world = World::new(world.reactor().engine(), world.link);
        let reentry = Reentry::new(None, end);
        let (guide, traces) = (reentry.clone(), world.traces.clone());
        let factory = move |_: &Peer| {
            let starter = Starter(guide.clone(), Guest("the drop of the protocol"));
            traces.watch(starter)
        };
        let port = world.reactor().listen_tcp(any_port(), factory).expect("a free port");
        reentry.port.replace(Some(port.clone()));
        let mut remote =
            RemoteEnd::secured(dial(port.local(), Width::Wide), certs::remote_client());
        world.until("TLS", || {
            remote.pump();
            reentry.done.get()
        });
        world.settle();
        remote.end();
        world.until("the end", || {
            remote.take();
            world.traces.last().is_lost() || !world.reactor().is_running()
        });
        reentry.port.take();
        world.end();
        let clashes = detector::sweep();
        assert!(clashes.is_empty(), "{clashes:#?}");
    }
}
