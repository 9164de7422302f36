//! Draining (graceful shutdown of a listener): connections are asked to finish, awaited, and dropped at the deadline.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::prelude::*;

use super::listening::{client, echo};
use crate::support::{
    Callback, EndState, Event, Lost, RemoteEnd, Script, Sink, Trace, Width, World,
    sockets::{any_port, listener},
    table,
};

table! {
    ports:
        draining_requests_and_waits,
        draining_past_the_deadline_aborts,
        draining_an_empty_port_is_done_at_once,
        draining_twice_is_draining,
        draining_waits_for_relays,
        draining_aborts_relays_at_the_deadline,
        a_relay_may_be_ended_by_either_end,
        a_drained_reactor_stops_successfully;
}

fn draining_requests_and_waits(world: &World) {
    let traces = world.traces.clone();
    // Finishes when its client requests it.
    let factory = move |_: &Peer| {
        traces.watch(Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) | Event::ReadClosed = what {
                transport.lose_connection();
            }
        }))
    };
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let mut clients: Vec<_> = (0..3).map(|_| client(&port)).collect();
    world.until("three connections", || port.connections() == 3);
    let other = world.join(Sink);
    let drained = port.drain(Duration::from_secs(1000));
    world.until("drain_requested", || {
        world.traces.all().iter().filter(|trace| trace.has(&Callback::Drain)).count() == 3
    });
    assert!(!other.trace.has(&Callback::Drain), "the connections of other ports are not asked");
    assert!(std::net::TcpStream::connect(port.local()).is_err(), "nobody new");
    while let Some(mut client) = clients.pop() {
        world.settle();
        assert!(!drained.is_settled());
        client.send(b"done");
        world.receive_to_end(&mut client);
        client.close();
    }
    world.until("the drain", || drained.is_settled());
    assert_eq!(drained.take(), Some(Ok(())));
    assert_eq!(
        (port.connections(), world.reactor().stats().timers),
        (0, 0),
        "connections, timers that are left"
    );
}

fn draining_past_the_deadline_aborts(world: &World) {
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Script(|_: &Transport, _: Event<'_>| {}));
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let mut stubborn = client(&port);
    world.until("the connection", || port.connections() == 1);
    let start = Instant::now();
    let drained = port.drain(Duration::from_millis(30));
    world.until("the drain", || drained.is_settled());
    assert!(start.elapsed() >= Duration::from_millis(30), "not early");
    assert_eq!(world.traces.last().lost(), Some(Lost::Shutdown));
    assert_eq!(world.receive_to_end(&mut stubborn).1, EndState::Reset);
}

fn draining_an_empty_port_is_done_at_once(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    let drained = port.drain(Duration::from_secs(1000));
    world.until("the drain", || drained.is_settled());
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    let again = port.drain(Duration::from_secs(1000));
    world.until("the drain of what is drained", || again.is_settled());
}

fn draining_twice_is_draining(world: &World) {
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Script(|_: &Transport, _: Event<'_>| {}));
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let _stubborn = client(&port);
    world.until("the connection", || port.connections() == 1);
    let long = port.drain(Duration::from_secs(1000));
    let short = port.drain(Duration::from_millis(1));
    world.until("both drains", || long.is_settled() && short.is_settled());
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

/// A relay between a connection of the listener and another one, with the traces of both.
struct Tunnel {
    port: ListeningPort,
    client: RemoteEnd,
    server: RemoteEnd,
    traces: [Rc<Trace>; 2],
}

impl Tunnel {
    fn new<P: Protocol>(world: &World, mut protocol: impl FnMut() -> P + 'static) -> Self {
        let listener = listener(Width::Wide);
        let to = listener.local_addr().unwrap();
        let traces = world.traces.clone();
        let port = world
            .reactor()
            .listen_tcp(any_port(), move |_: &Peer| traces.watch(protocol()))
            .unwrap();
        let client = client(&port);
        world.until("the client", || port.connections() == 1 && world.traces.last().is_made());
        let near = world.traces.last();
        world.reactor().connect_tcp(to, world.watched(|| Sink)).detach();
        let mut server = None;
        world.until("the server", || {
            server = server.take().or_else(|| listener.accept().ok());
            server.is_some() && world.traces.len() == 2 && world.traces.last().is_made()
        });
        let traces = [near, world.traces.last()];
        traces[0].transport().relay(&traces[1].transport()).unwrap().detach();
        Self { port, client, server: RemoteEnd::socket(server.unwrap().0), traces }
    }

    fn until_both_are_told(&self, world: &World) {
        world.until("drain_requested", || {
            self.traces.iter().all(|trace| trace.has(&Callback::Drain))
        });
    }
}

/// Only the relayed ends know whether work is left, so a drain waits for them.
fn draining_waits_for_relays(world: &World) {
    let mut tunnel = Tunnel::new(world, || Sink);
    tunnel.server.send(b"the first half, ");
    assert_eq!(world.receive(&mut tunnel.client, 16), b"the first half, ");
    let drained = tunnel.port.drain(Duration::from_secs(1000));
    tunnel.until_both_are_told(world);
    world.settle();
    assert!(tunnel.traces.iter().all(|trace| !trace.transport().is_closing()));
    tunnel.server.send(b"the second half");
    tunnel.server.end();
    let expected = (b"the second half".to_vec(), EndState::Ended);
    assert_eq!(world.receive_to_end(&mut tunnel.client), expected);
    assert!(!drained.is_settled());
    tunnel.client.end();
    world.until("the drain", || drained.is_settled());
    for trace in &tunnel.traces {
        assert_eq!((world.lost(trace), trace.count(&Callback::Drain)), (Lost::Done, 1));
    }
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

/// So that neither end takes a part for the whole.
fn draining_aborts_relays_at_the_deadline(world: &World) {
    let mut tunnel = Tunnel::new(world, || Sink);
    tunnel.server.send(b"the first half, ");
    assert_eq!(world.receive(&mut tunnel.client, 16), b"the first half, ");
    let drained = tunnel.port.drain(Duration::from_millis(30));
    world.until("the drain", || drained.is_settled());
    for remote in [&mut tunnel.client, &mut tunnel.server] {
        assert_eq!(world.receive_to_end(remote), (vec![], EndState::Reset));
    }
    for trace in &tunnel.traces {
        assert_eq!(world.lost(trace), Lost::Shutdown);
    }
}

/// A protocol that knows more may end the relay itself.
fn a_relay_may_be_ended_by_either_end(world: &World) {
    let mut tunnel = Tunnel::new(world, || {
        Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Drain = what {
                transport.lose_connection();
            }
        })
    });
    let drained = tunnel.port.drain(Duration::from_secs(1000));
    tunnel.until_both_are_told(world);
    assert_eq!(world.receive_to_end(&mut tunnel.client), (vec![], EndState::Ended));
    tunnel.client.end();
    assert_eq!(world.receive_to_end(&mut tunnel.server), (vec![], EndState::Ended));
    tunnel.server.end();
    world.until("the drain", || drained.is_settled());
}

fn a_drained_reactor_stops_successfully(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    let remote = Rc::new(RefCell::new(client(&port)));
    remote.borrow_mut().send(b"last words");
    world.until("the connection", || port.connections() == 1);
    world.reactor().on(Phase::BeforeShutdown, move |_| port.drain(Duration::from_secs(1000)));
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (peer, words) = (remote.clone(), heard.clone());
    let ears = world.reactor().call_every(Duration::from_millis(1), move |_| {
        let mut peer = peer.borrow_mut();
        words.borrow_mut().extend(peer.take());
        if peer.end_state_so_far() == EndState::Ended {
            peer.end();
        }
    });
    world.reactor().run().unwrap();
    drop(ears);
    assert_eq!(*heard.borrow(), b"last words");
    assert_eq!(world.traces.last().lost(), Some(Lost::Closed), "not Shutdown");
}
