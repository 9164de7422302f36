//! The end of the reactor with connections open: a stop, a drop, a crash, and another run.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew::{prelude::*, transports::memory};

use super::relaying::Relay;
use crate::support::{
    Echo, Fate, Link, Lost, Pull, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        a_stop_tells_every_connection,
        a_stop_from_inside_every_callback,
        connections_in_every_stage_are_told_once,
        a_dropped_reactor_tells_every_connection,
        a_dropped_reactor_leaves_inert_transports,
        a_crash_leaves_everything_as_it_is,
        a_run_after_a_run_starts_afresh,
        callbacks_of_the_end_may_do_anything,
        what_is_unsent_at_a_stop_is_cut_off_by_a_reset,
        what_a_producer_has_left_at_a_stop_is_cut_off_by_a_reset,
        a_relay_in_the_middle_of_something_is_cut_off_by_a_reset,
        a_stop_in_the_middle_of_another_cuts_off_by_a_reset;
    // A stop sends what the socket takes at once; under faults that may be nothing.
    smooth:
        what_was_written_before_the_stop_is_sent,
        a_relay_of_which_both_ends_have_said_all_ends_in_order;
    memory:
        a_reactor_dropped_before_it_turned,
        a_wire_outlives_everything;
}

fn stop_soon(world: &World) {
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
}

fn a_stop_tells_every_connection(world: &World) {
    let mut lines: Vec<_> = (0..5).map(|_| world.join(Echo)).collect();
    stop_soon(world);
    world.reactor().run().unwrap();
    for line in &mut lines {
        assert_eq!(line.trace.told(), [Told::Made, Told::Lost(Lost::Shutdown)]);
        assert!(line.trace.is_dropped());
        assert_ne!(line.far.fate(), Fate::Open);
    }
    let stats = world.reactor().stats();
    assert_eq!(
        (stats.connections, stats.handlers, stats.timers),
        (0, 0, 0),
        "connections, handlers, timers that are left"
    );
}

fn what_was_written_before_the_stop_is_sent(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    world.reactor().call_soon(move |reactor| {
        transport.write(b"last words");
        reactor.stop().unwrap();
    });
    world.reactor().run().unwrap();
    // Over TLS with its own last word, or half of it would look the same.
    assert_eq!(world.receive_to_end(&mut line.far), (b"last words".to_vec(), Fate::Ended));
}

fn what_is_unsent_at_a_stop_is_cut_off_by_a_reset(world: &World) {
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
        let (received, fate) = world.receive_to_end(&mut line.far);
        assert!(received.len() < TOO_MUCH);
        world.link.assert_aborted(fate, "half of it must not pass for the whole");
    }
}

/// Also one that has nothing for now, but will.
fn what_a_producer_has_left_at_a_stop_is_cut_off_by_a_reset(world: &World) {
    let mut line = world.join(Sink);
    line.transport().stream(Pull(|transport: &Transport| {
        transport.write(b"a part");
        Production::Waiting
    }));
    assert_eq!(world.receive(&mut line.far, 6), b"a part");
    stop_soon(world);
    world.reactor().run().unwrap();
    world.link.assert_aborted(world.receive_to_end(&mut line.far).1, "there was more to come");
}

/// As long as more may come for it, nobody knows that it was all.
fn a_relay_in_the_middle_of_something_is_cut_off_by_a_reset(world: &World) {
    let Relay { mut a, mut b, .. } = Relay::new(world);
    a.far.send(b"a part");
    assert_eq!(world.receive(&mut b.far, 6), b"a part");
    stop_soon(world);
    world.reactor().run().unwrap();
    for far in [&mut a.far, &mut b.far] {
        world.link.assert_aborted(world.receive_to_end(far).1, "there was more to come");
    }
}

fn a_relay_of_which_both_ends_have_said_all_ends_in_order(world: &World) {
    let Relay { mut a, mut b, .. } = Relay::new(world);
    a.far.send(b"there");
    a.far.end();
    assert_eq!(world.receive_to_end(&mut b.far), (b"there".to_vec(), Fate::Ended));
    // What goes back has not ended.
    stop_soon(world);
    world.reactor().run().unwrap();
    world.link.assert_aborted(world.receive_to_end(&mut a.far).1, "there was more to come");
}

/// A stop waits for a trigger; a second one does not.
fn a_stop_in_the_middle_of_another_cuts_off_by_a_reset(world: &World) {
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
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received.len() < TOO_MUCH);
    world.link.assert_aborted(fate, "half of it must not pass for the whole");
    drop(promise);
}

fn a_stop_from_inside_every_callback(world: &World) {
    for at in 0..4 {
        let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| {
            let number = match what {
                What::Data(_) => 0,
                What::Timer(_) => 1,
                What::ReadClosed => 2,
                What::Lost(_) => 3,
                _ => return,
            };
            if number == at {
                // Asked twice: the second is told so, and a third after the end.
                let reactor = transport.reactor().unwrap();
                assert!(reactor.stop().is_ok());
                assert!(reactor.stop().is_err());
            }
            if number == 2 {
                transport.lose_connection();
            }
        }));
        line.far.send(b"x");
        line.transport().call_later(Duration::from_millis(2));
        let transport = line.transport();
        if at == 3 {
            world.reactor().call_later(Duration::from_millis(4), move |_| transport.abort());
        }
        let mut line = line;
        if at == 2 {
            line.far.end();
        }
        world.reactor().run().unwrap();
        assert!(line.trace.is_lost() && line.trace.is_dropped());
    }
}

fn connections_in_every_stage_are_told_once(world: &World) {
    let lines: Vec<_> = (0..6)
        .map(|_| {
            let protocol = Script(|_: &Transport, _: What<'_>| {});
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

fn a_dropped_reactor_tells_every_connection(world: &World) {
    // `World::end` drops the reactor and judges the traces; this has connections open by then, with work left.
    let mut line = world.join(Echo);
    line.far.send(b"unread");
    line.transport().write(b"unsent");
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().call_later(Duration::ZERO);
    world.turn();
    line.transport().abort();
}

fn a_dropped_reactor_leaves_inert_transports(world: &World) {
    // Another reactor, for this one drops it.
    let other = World::new(world.reactor().engine(), world.link);
    let line = other.join(Sink);
    let transport = line.transport();
    let (trace, _far) = (line.trace, line.far);
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

fn a_crash_leaves_everything_as_it_is(world: &World) {
    let mut line = world.join(Echo);
    world.reactor().call_soon(|reactor| reactor.crash().unwrap());
    world.reactor().run().unwrap();
    assert!(!line.trace.is_lost());
    line.far.send(b"still here");
    assert_eq!(world.receive(&mut line.far, 10), b"still here");
}

fn a_run_after_a_run_starts_afresh(world: &World) {
    for _ in 0..3 {
        let mut line = world.join(Echo);
        line.far.send(b"x");
        world.receive(&mut line.far, 1);
        stop_soon(world);
        world.reactor().run().unwrap();
        assert_eq!(line.trace.lost(), Some(Lost::Shutdown));
    }
}

fn callbacks_of_the_end_may_do_anything(world: &World) {
    let others: Rc<RefCell<Vec<Transport>>> = Rc::default();
    let lost = Rc::new(Cell::new(0));
    // Their far ends stay, or they would end by themselves.
    let join = || {
        let (others, lost) = (others.clone(), lost.clone());
        let traces = world.traces.clone();
        world.join(Script(move |transport: &Transport, what: What<'_>| {
            if let What::Lost(_) = what {
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
                drop(reactor.connect_tcp("127.0.0.1:1", |_: &Peer| Sink));
                // A protocol that is made at the end has its whole life at the end.
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

fn a_reactor_dropped_before_it_turned(world: &World) {
    assert_eq!(world.link, Link::Memory);
    let protocol = world.traces.watch(Echo);
    let config = StreamConfig::default();
    let joined = memory::connect(world.reactor(), config, protocol);
    drop(joined.unwrap());
    // The judgement at the end: made and lost, although the loop never came by.
}

fn a_wire_outlives_everything(world: &World) {
    let other = World::new(world.reactor().engine(), Link::Memory);
    let line = other.join(Echo);
    let wire = line.far.as_wire().unwrap().clone();
    drop(line);
    other.end();
    assert!(wire.is_closed() && wire.is_ended() && wire.is_closing());
    wire.receive(b"x");
    wire.close();
    wire.reset();
    wire.set_capacity(0);
    assert_eq!((wire.sent(), wire.sent_len()), (vec![], 0));
}
