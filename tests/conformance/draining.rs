//! Draining: connections are asked to finish, waited for, and dropped in the end.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::prelude::*;

use super::listening::{client, echo};
use crate::support::{Fate, Lost, Script, Sink, Told, What, World, sockets::any_port, table};

table! {
    ports:
        draining_asks_and_waits,
        draining_past_the_deadline_aborts,
        draining_an_empty_port_is_done_at_once,
        draining_twice_is_draining,
        draining_ends_the_run_well;
}

fn draining_asks_and_waits(world: &World) {
    let traces = world.traces.clone();
    // Finishes when its client says so.
    let factory = move |_: &Peer| {
        traces.watch(Script(|transport: &Transport, what: What<'_>| {
            if let What::Data(_) | What::ReadClosed = what {
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
        world.traces.all().iter().filter(|trace| trace.has(&Told::Drain)).count() == 3
    });
    assert!(!other.trace.has(&Told::Drain), "the connections of other ports are not asked");
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
    assert_eq!((port.connections(), world.reactor().stats().timers), (0, 0));
}

fn draining_past_the_deadline_aborts(world: &World) {
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Script(|_: &Transport, _: What<'_>| {}));
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let mut stubborn = client(&port);
    world.until("the connection", || port.connections() == 1);
    let start = Instant::now();
    let drained = port.drain(Duration::from_millis(30));
    world.until("the drain", || drained.is_settled());
    assert!(start.elapsed() >= Duration::from_millis(30), "not early");
    assert_eq!(world.traces.last().lost(), Some(Lost::Shutdown));
    assert_eq!(world.receive_to_end(&mut stubborn).1, Fate::Reset);
}

fn draining_an_empty_port_is_done_at_once(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    let drained = port.drain(Duration::from_secs(1000));
    world.until("the drain", || drained.is_settled());
    assert_eq!(world.reactor().stats().timers, 0);
    let again = port.drain(Duration::from_secs(1000));
    world.until("the drain of what is drained", || again.is_settled());
}

fn draining_twice_is_draining(world: &World) {
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Script(|_: &Transport, _: What<'_>| {}));
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let _stubborn = client(&port);
    world.until("the connection", || port.connections() == 1);
    let long = port.drain(Duration::from_secs(1000));
    let short = port.drain(Duration::from_millis(1));
    world.until("both drains", || long.is_settled() && short.is_settled());
    assert_eq!(world.reactor().stats().timers, 0);
}

fn draining_ends_the_run_well(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    let far = Rc::new(RefCell::new(client(&port)));
    far.borrow_mut().send(b"last words");
    world.until("the connection", || port.connections() == 1);
    world.reactor().on(Phase::BeforeShutdown, move |_| port.drain(Duration::from_secs(1000)));
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
    let heard = Rc::new(RefCell::new(Vec::new()));
    let (peer, words) = (far.clone(), heard.clone());
    let ears = world.reactor().call_every(Duration::from_millis(1), move |_| {
        let mut peer = peer.borrow_mut();
        words.borrow_mut().extend(peer.take());
        if peer.fate_so_far() == Fate::Ended {
            peer.end();
        }
    });
    world.reactor().run().unwrap();
    drop(ears);
    assert_eq!(*heard.borrow(), b"last words");
    assert_eq!(world.traces.last().lost(), Some(Lost::Closed), "not Shutdown");
}
