//! Cancelling a connection attempt at every moment: nothing is left, and no protocol gets a cancelled connection.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{prelude::*, reactor::Failure};

use super::connecting::{accept, echo, failed, settled};
use crate::support::{
    EndState, Event, Lost, Script, Sink, Watched, Width, World,
    sockets::{full_backlog, listener},
    table,
};

table! {
    ports:
        cancelled_before_the_loop_turns,
        cancelled_while_connecting,
        cancelled_in_the_turn_in_which_it_connects,
        cancelled_by_its_own_factory,
        cancelled_by_its_own_protocol,
        cancelled_after_it_has_connected,
        cancelled_while_the_name_is_resolved;
}

fn assert_cancelled<P: Protocol>(world: &World, connecting: &Connecting<P>) {
    let error = failed(world, connecting);
    assert!(matches!(error, ConnectError::GivenUp(Failure::Cancelled)), "{error}");
    world.settle();
    let canary = world.traces.last();
    assert!(canary.is_made() && !canary.is_lost());
    // Only the canary's listener and connection are left.
    assert_eq!(world.reactor().stats().connections, 1, "connections");
    assert_eq!(
        (world.reactor().stats().handlers, world.reactor().stats().timers),
        (2, 0),
        "handlers, timers that are left"
    );
}

fn cancelled_before_the_loop_turns(world: &World) {
    let listener = listener(Width::Wide);
    let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
    connecting.cancel();
    connecting.cancel();
    assert_cancelled(world, &connecting);
    assert_eq!(world.traces.len(), 1, "the canary's");
}

fn cancelled_while_connecting(world: &World) {
    let full_backlog = full_backlog();
    let connecting = world.reactor().connect_tcp(full_backlog.addr, echo(world));
    world.turn();
    world.turn();
    assert!(!connecting.is_settled());
    connecting.cancel();
    assert_cancelled(world, &connecting);
}

/// The event has been reported, but another handler of the same turn cancels first.
fn cancelled_in_the_turn_in_which_it_connects(world: &World) {
    // Nonblocking turns until the attempt completes: cancelled before each of them in turn.
    for turns in 0..4 {
        let listener = listener(Width::Wide);
        let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
        for _ in 0..turns {
            world.reactor().turn(Some(Duration::ZERO)).unwrap();
        }
        let was_settled = connecting.is_settled();
        connecting.cancel();
        if was_settled {
            assert!(settled(world, &connecting).is_ok());
            continue;
        }
        // From here on no protocol may be built.
        let built = world.traces.len();
        world.until("the cancellation", || connecting.is_settled());
        for _ in 0..5 {
            world.turn();
        }
        let error = connecting.take().unwrap().unwrap_err();
        assert!(matches!(error, ConnectError::GivenUp(Failure::Cancelled)), "{error}");
        assert_eq!(world.traces.len(), built, "cancelled after {turns} turns");
    }
    // And by a callback of the same turn.
    let listener = listener(Width::Wide);
    let connecting: Rc<RefCell<Option<Connecting<_>>>> = Rc::default();
    let victim = connecting.clone();
    let mut other = world.join(Script(move |_: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            victim.borrow().as_ref().unwrap().cancel();
        }
    }));
    let built = world.traces.len();
    other.remote.send(b"x");
    let attempt = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
    connecting.replace(Some(attempt));
    world.until("the other to hear", || other.trace.received() == 1);
    for _ in 0..5 {
        world.turn();
    }
    let attempt = connecting.take().unwrap();
    if attempt.take().unwrap().is_err() {
        assert_eq!(world.traces.len(), built, "a protocol for what was cancelled");
    }
}

fn cancelled_by_its_own_factory(world: &World) {
    let listener = listener(Width::Wide);
    let slot: Rc<RefCell<Option<Connecting<_>>>> = Rc::default();
    let (handle, traces) = (slot.clone(), world.traces.clone());
    let connecting =
        world.reactor().connect_tcp(listener.local_addr().unwrap(), move |_: &Peer| {
            handle.borrow().as_ref().map(Connecting::cancel).unwrap();
            traces.watch(Sink)
        });
    slot.replace(Some(connecting));
    world.until("the protocol", || world.traces.len() == 1);
    let trace = world.traces.last();
    assert_eq!(world.lost(&trace), Lost::Aborted, "nobody has it");
    let connecting = slot.take().unwrap();
    assert_cancelled(world, &connecting);
    assert_eq!(accept(world, &listener).end_state(), EndState::Reset);
}

fn cancelled_by_its_own_protocol(world: &World) {
    let listener = listener(Width::Wide);
    let slot = Rc::new(RefCell::new(None::<Connecting<Watched<Box<dyn Protocol>>>>));
    let (handle, traces) = (slot.clone(), world.traces.clone());
    let factory = move |_: &Peer| {
        let handle = handle.clone();
        let protocol: Box<dyn Protocol> =
            Box::new(Script(move |_: &Transport, what: Event<'_>| {
                if let Event::Made = what {
                    handle.borrow().as_ref().map(Connecting::cancel).unwrap();
                }
            }));
        traces.watch(protocol)
    };
    let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), factory);
    slot.replace(Some(connecting));
    world.until("the protocol", || world.traces.len() == 1);
    let trace = world.traces.last();
    assert_eq!(world.lost(&trace), Lost::Aborted, "nobody has it");
    let connecting = slot.take().unwrap();
    assert_cancelled(world, &connecting);
}

fn cancelled_after_it_has_connected(world: &World) {
    let listener = listener(Width::Wide);
    let connecting = world.reactor().connect_tcp(listener.local_addr().unwrap(), echo(world));
    world.until("the connection", || connecting.is_settled());
    connecting.cancel();
    let connection = connecting.take().unwrap().unwrap();
    let mut remote = accept(world, &listener);
    remote.send(b"x");
    world.receive(&mut remote, 1);
    assert!(!connection.transport().is_closing());
}

fn cancelled_while_the_name_is_resolved(world: &World) {
    let listener = listener(Width::Wide);
    let port = listener.local_addr().unwrap().port();
    let connecting = world.reactor().connect_tcp(("localhost", port), echo(world));
    // The lookup is running on another thread; its result is discarded.
    world.reactor().turn(Some(Duration::ZERO)).unwrap();
    connecting.cancel();
    assert_cancelled(world, &connecting);
    for _ in 0..10 {
        world.turn();
    }
    assert_eq!(world.traces.len(), 1, "the canary's");
}
