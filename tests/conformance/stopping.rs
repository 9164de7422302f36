//! The end of a reactor with open connections: stop, drop, crash, and a second run.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew::{prelude::*, transports::memory};

use super::relaying::Relay;
use crate::support::{
    Callback, Echo, EndState, Event, Link, Lost, Pull, Script, Sink, TOO_MUCH, Width, World, noise,
    table,
};

table! {
    everywhere:
        a_stop_ends_every_connection,
        a_stop_from_inside_every_callback,
        a_stop_calls_connection_lost_once_in_every_stage,
        dropping_the_reactor_ends_every_connection,
        transports_are_inert_after_the_reactor_is_dropped,
        a_crash_leaves_connections_open,
        a_run_after_a_run_starts_afresh,
        callbacks_during_shutdown_may_do_anything,
        a_stop_with_unsent_data_resets,
        a_stop_with_an_unfinished_producer_resets,
        a_stop_with_relayed_data_in_flight_resets,
        a_second_stop_resets;
    // A stop sends what the socket accepts immediately; under faults that may be nothing.
    smooth:
        a_stop_sends_what_was_written_before,
        a_stop_ends_a_finished_relay_gracefully;
    memory:
        dropping_the_reactor_before_its_first_turn,
        a_wire_outlives_the_reactor;
}

fn stop_soon(world: &World) {
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
}

fn a_stop_ends_every_connection(world: &World) {
    let mut lines: Vec<_> = (0..5).map(|_| world.join(Echo)).collect();
    stop_soon(world);
    world.reactor().run().unwrap();
    for line in &mut lines {
        assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Lost(Lost::Shutdown)]);
        assert!(line.trace.is_dropped());
        assert_ne!(line.remote.end_state(), EndState::Open);
    }
    let stats = world.reactor().stats();
    assert_eq!(
        (stats.connections, stats.handlers, stats.timers),
        (0, 0, 0),
        "connections, handlers, timers that are left"
    );
}

fn a_stop_sends_what_was_written_before(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    world.reactor().call_soon(move |reactor| {
        transport.write(b"last words");
        reactor.stop().unwrap();
    });
    world.reactor().run().unwrap();
    // Over TLS with close_notify, otherwise truncation would look the same.
    assert_eq!(world.receive_to_end(&mut line.remote), (b"last words".to_vec(), EndState::Ended));
}

fn a_stop_with_unsent_data_resets(world: &World) {
    for closes in [false, true] {
        let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        line.transport().write(&noise(TOO_MUCH));
        if closes {
            line.transport().lose_connection();
        }
        (0..5).for_each(|_| world.turn());
        assert!(line.transport().queued() > 0);
        stop_soon(world);
        world.reactor().run().unwrap();
        assert_eq!(line.trace.lost(), Some(Lost::Shutdown));
        let (received, end_state) = world.receive_to_end(&mut line.remote);
        assert!(received.len() < TOO_MUCH);
        world.link.assert_aborted(end_state, "half of it must not pass for the whole");
    }
}

/// Also a producer that has nothing now, but will later.
fn a_stop_with_an_unfinished_producer_resets(world: &World) {
    let mut line = world.join(Sink);
    line.transport().stream(Pull(|transport: &Transport| {
        transport.write(b"a part");
        Production::Waiting
    }));
    assert_eq!(world.receive(&mut line.remote, 6), b"a part");
    stop_soon(world);
    world.reactor().run().unwrap();
    world.link.assert_aborted(world.receive_to_end(&mut line.remote).1, "there was more to come");
}

/// While more data may be relayed to it, the end of the output is unknown.
fn a_stop_with_relayed_data_in_flight_resets(world: &World) {
    let Relay { mut a, mut b, .. } = Relay::new(world);
    a.remote.send(b"a part");
    assert_eq!(world.receive(&mut b.remote, 6), b"a part");
    stop_soon(world);
    world.reactor().run().unwrap();
    for remote in [&mut a.remote, &mut b.remote] {
        world.link.assert_aborted(world.receive_to_end(remote).1, "there was more to come");
    }
}

fn a_stop_ends_a_finished_relay_gracefully(world: &World) {
    let Relay { mut a, mut b, .. } = Relay::new(world);
    a.remote.send(b"there");
    a.remote.end();
    assert_eq!(world.receive_to_end(&mut b.remote), (b"there".to_vec(), EndState::Ended));
    // The reverse direction has not ended.
    stop_soon(world);
    world.reactor().run().unwrap();
    world.link.assert_aborted(world.receive_to_end(&mut a.remote).1, "there was more to come");
}

/// A stop waits for a trigger; a second one does not.
fn a_second_stop_resets(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    world.settle();
    let (promise, never) = world.reactor().promise::<(), sinew::reactor::Failure>();
    world.reactor().on(Phase::BeforeShutdown, move |reactor| {
        reactor.call_soon(|reactor| reactor.stop().unwrap());
        never
    });
    stop_soon(world);
    world.reactor().run().unwrap();
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received.len() < TOO_MUCH);
    world.link.assert_aborted(end_state, "half of it must not pass for the whole");
    drop(promise);
}

fn a_stop_from_inside_every_callback(world: &World) {
    for at in 0..4 {
        let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
            let number = match what {
                Event::Data(_) => 0,
                Event::Timer(_) => 1,
                Event::ReadClosed => 2,
                Event::Lost(_) => 3,
                _ => return,
            };
            if number == at {
                // The second stop request returns an error, and so does a third after the end.
                let reactor = transport.reactor().unwrap();
                assert!(reactor.stop().is_ok());
                assert!(reactor.stop().is_err());
            }
            if number == 2 {
                transport.lose_connection();
            }
        }));
        line.remote.send(b"x");
        line.transport().call_later(Duration::from_millis(2));
        let transport = line.transport();
        if at == 3 {
            world.reactor().call_later(Duration::from_millis(4), move |_| transport.abort());
        }
        let mut line = line;
        if at == 2 {
            line.remote.end();
        }
        world.reactor().run().unwrap();
        assert!(line.trace.is_lost() && line.trace.is_dropped());
    }
}

fn a_stop_calls_connection_lost_once_in_every_stage(world: &World) {
    let lines: Vec<_> = (0..6)
        .map(|_| {
            let protocol = Script(|_: &Transport, _: Event<'_>| {});
            world.join_with(StreamConfig::default(), Width::Narrow, protocol)
        })
        .collect();
    let transport = |at: usize| lines[at].transport();
    transport(0).pause_reading();
    transport(1).write(&noise(TOO_MUCH));
    transport(2).write(&noise(TOO_MUCH));
    transport(2).lose_connection();
    transport(3).lose_connection();
    transport(4).close_write();
    world.settle();
    transport(5).fail("on the way");
    stop_soon(world);
    world.reactor().run().unwrap();
    for (at, line) in lines.iter().enumerate() {
        let expected = match at {
            5 => Lost::Protocol("on the way".to_owned()),
            _ => Lost::Shutdown,
        };
        assert_eq!(line.trace.lost(), Some(expected), "{at}");
    }
}

fn dropping_the_reactor_ends_every_connection(world: &World) {
    // `World::end` drops the reactor and checks the traces; at that time connections are open, with data left.
    let mut line = world.join(Echo);
    line.remote.send(b"unread");
    line.transport().write(b"unsent");
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().call_later(Duration::ZERO);
    world.turn();
    line.transport().abort();
}

fn transports_are_inert_after_the_reactor_is_dropped(world: &World) {
    // Another reactor, since this one is dropped.
    let other = World::new(world.reactor().engine(), world.link);
    let line = other.join(Sink);
    let transport = line.transport();
    let (trace, _far) = (line.trace, line.remote);
    other.end();
    assert_eq!(trace.lost(), Some(Lost::Shutdown));
    assert_eq!(transport.write(b"x"), WriteStatus::Closed);
    assert!(transport.is_closing() && transport.call_later(Duration::ZERO).is_none());
    transport.set_idle_timeout(Duration::ZERO);
    transport.pause_reading();
    transport.resume_reading();
    transport.lose_connection();
    transport.abort();
    transport.fail("too late");
    assert!(!transport.stream(crate::support::Pull(|_: &Transport| Production::Done)));
    if let Some(port) = line.port {
        port.pause();
        port.resume();
        port.stop_listening();
        assert!(port.drain(Duration::ZERO).is_settled());
        assert_eq!(port.connections(), 0, "connections");
    }
}

fn a_crash_leaves_connections_open(world: &World) {
    let mut line = world.join(Echo);
    world.reactor().call_soon(|reactor| reactor.crash().unwrap());
    world.reactor().run().unwrap();
    assert!(!line.trace.is_lost());
    line.remote.send(b"still here");
    assert_eq!(world.receive(&mut line.remote, 10), b"still here");
}

fn a_run_after_a_run_starts_afresh(world: &World) {
    for _ in 0..3 {
        let mut line = world.join(Echo);
        line.remote.send(b"x");
        world.receive(&mut line.remote, 1);
        stop_soon(world);
        world.reactor().run().unwrap();
        assert_eq!(line.trace.lost(), Some(Lost::Shutdown));
    }
}

fn callbacks_during_shutdown_may_do_anything(world: &World) {
    let others: Rc<RefCell<Vec<Transport>>> = Rc::default();
    let lost = Rc::new(Cell::new(0));
    // Their remote ends stay open, or they would end by themselves.
    let join = || {
        let (others, lost) = (others.clone(), lost.clone());
        let traces = world.traces.clone();
        world.join(Script(move |transport: &Transport, what: Event<'_>| {
            if let Event::Lost(_) = what {
                lost.set(lost.get() + 1);
                for other in others.borrow().iter() {
                    other.write(b"good bye");
                    other.lose_connection();
                    other.abort();
                }
                let reactor = transport.reactor().unwrap();
                let _ = reactor.stop();
                reactor.call_soon(|_| unreachable!("the run has ended"));
                reactor.call_later(Duration::ZERO, |_| unreachable!("the run has ended"));
                drop(reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Sink).map(|port| port.local()));
                reactor.connect_tcp("127.0.0.1:1", |_: &Peer| Sink).detach();
                // The callback contract also holds for a protocol created during the shutdown.
                let late = traces.watch(Sink);
                let joined = memory::connect(&reactor, StreamConfig::default(), late);
                drop(joined.map(drop));
            }
        }))
    };
    let _lines: Vec<_> = (0..4).map(|_| join()).collect();
    let all = world.traces.all();
    others.borrow_mut().extend(all.iter().map(|trace| trace.transport()));
    stop_soon(world);
    world.reactor().run().unwrap();
    assert_eq!(lost.get(), 4, "those that were lost");
    others.take();
    let stats = world.reactor().stats();
    assert_eq!(
        (stats.connections, stats.handlers, stats.timers),
        (0, 0, 0),
        "connections, handlers, timers that are left"
    );
}

fn dropping_the_reactor_before_its_first_turn(world: &World) {
    assert_eq!(world.link, Link::Memory);
    let protocol = world.traces.watch(Echo);
    let config = StreamConfig::default();
    let joined = memory::connect(world.reactor(), config, protocol);
    drop(joined.unwrap());
    // Checked at the end: connection_made and connection_lost were called, although the loop never ran.
}

fn a_wire_outlives_the_reactor(world: &World) {
    let other = World::new(world.reactor().engine(), Link::Memory);
    let line = other.join(Echo);
    let wire = line.remote.as_wire().unwrap().clone();
    drop(line);
    other.end();
    assert!(wire.is_closed() && wire.is_ended() && wire.is_closing());
    wire.receive(b"x");
    wire.close();
    wire.reset();
    wire.set_capacity(0);
    assert_eq!((wire.sent(), wire.sent_len()), (vec![], 0));
}
