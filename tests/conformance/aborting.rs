//! Aborted connections: by this side, by the peer, by a limit.

use std::time::Duration;

use sinew::prelude::*;

use crate::support::{
    Callback, Echo, EndState, Event, Link, Lost, Script, Sink, TOO_MUCH, Width, World, noise, table,
};

table! {
    everywhere:
        an_abort_is_reported_by_the_loop_and_seen_by_the_peer,
        an_abort_drops_what_was_queued,
        an_abort_works_at_every_stage_of_a_close,
        the_first_reason_counts,
        a_reset_under_backpressure_is_reported,
        a_reset_during_a_close_is_reported,
        the_write_limit_aborts,
        the_write_limit_counts_what_is_queued;
    resets:
        a_reset_by_the_peer_is_reported,
        a_reset_while_reading_is_paused_is_reported,
        input_before_a_reset_is_delivered_after_the_pause,
        a_reset_is_a_reset_also_for_close_write;
    memory:
        an_abort_before_connection_made_keeps_the_contract;
}

fn an_abort_is_reported_by_the_loop_and_seen_by_the_peer(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.abort();
            assert_eq!(transport.write(b"x"), WriteStatus::Closed);
            transport.abort();
            transport.lose_connection();
        }
    }));
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert_eq!(received, b"");
    world.link.assert_aborted(end_state, "by abort");

    // Callbacks come from the event loop only, also for an abort from outside.
    let line = world.join(Sink);
    line.transport().abort();
    assert!(!line.trace.is_lost());
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
}

fn an_abort_drops_what_was_queued(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.write(&noise(TOO_MUCH));
    world.turn();
    assert!(transport.queued() > 0);
    transport.abort();
    assert_eq!(transport.queued(), 0, "bytes that are queued");
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received.len() < TOO_MUCH);
    world.link.assert_aborted(end_state, "by abort");
}

fn an_abort_works_at_every_stage_of_a_close(world: &World) {
    // Closing: data are left to send.
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().lose_connection();
    world.settle();
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    // Lingering: everything is sent, and the peer has not closed yet.
    let mut line = world.join(Sink);
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    // Half-closed, in either direction.
    let mut line = world.join(Script(|_: &Transport, _: Event<'_>| {}));
    line.remote.end();
    world.until("read_closed", || line.trace.has(&Callback::ReadClosed));
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let mut line = world.join(Sink);
    line.transport().close_write();
    assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
}

/// Whatever else happens after an abort, even in the same callback, connection_lost is called once.
fn the_first_reason_counts(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.abort();
            transport.fail("too late");
            panic!("after the abort");
        }
    }));
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Aborted);

    let mut line = world.join_with(
        StreamConfig::default().write_limit(10),
        Width::Wide,
        Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) = what {
                transport.write(&[0; 11]);
                transport.abort();
                panic!("after the limit");
            }
        }),
    );
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(10));
}

fn a_reset_by_the_peer_is_reported(world: &World) {
    let line = world.join(Echo);
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Lost(Lost::Reset)]);
}

fn a_reset_under_backpressure_is_reported(world: &World) {
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    world.settle();
    assert!(line.transport().queued() > 0);
    world.assert_asleep();
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

/// Immediately if the engine reports the reset, otherwise when the socket is next used. Nothing is awaited when there
/// is no input.
fn a_reset_while_reading_is_paused_is_reported(world: &World) {
    let line = world.join(Sink);
    // Session tickets are read before the pause: with unread input, the connection would end after the linger timeout.
    world.settle();
    line.transport().pause_reading();
    world.settle();
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Lost(Lost::Reset)]);
}

fn input_before_a_reset_is_delivered_after_the_pause(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.settle();
    line.remote.send(b"last words");
    line.remote.reset();
    world.assert_asleep();
    assert!(!line.trace.is_lost());
    transport.resume_reading();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.data(), b"last words");
}

fn a_reset_during_a_close_is_reported(world: &World) {
    // With data left to send, the reset loses something.
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().lose_connection();
    world.settle();
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    // Once everything is sent, a reset is just another way to close.
    let mut line = world.join(Sink);
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_reset_is_a_reset_also_for_close_write(world: &World) {
    let line = world.join(Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.turn();
    line.remote.reset();
    world.settle();
    transport.close_write();
    world.turn();
    transport.resume_reading();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

fn the_write_limit_aborts(world: &World) {
    let config = StreamConfig::default().write_limit(1000);
    let mut line = world.join_with(
        config,
        Width::Wide,
        Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) = what {
                assert_eq!(transport.write(&[1; 1000]), WriteStatus::Ok);
                assert_eq!(transport.write(b"x"), WriteStatus::Closed);
                assert_eq!(transport.queued(), 0, "bytes that are queued");
            }
        }),
    );
    line.remote.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(1000));
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert_eq!(received, b"");
    world.link.assert_aborted(end_state, "by the limit");
}

fn the_write_limit_counts_what_is_queued(world: &World) {
    let config = StreamConfig::default().write_limit(100_000);
    let line = world.join_with(config, Width::Narrow, Sink);
    let transport = line.transport();
    // Far more than the limit in total, but the peer reads.
    let mut remote = line.remote;
    let mut sent = 0;
    let mut received = 0;
    world.until("a megabyte", || {
        if transport.queued() == 0 && sent < 1 << 20 {
            assert_ne!(transport.write(&[1; 50_000]), WriteStatus::Closed);
            sent += 50_000;
        }
        received += remote.take().len();
        received >= 1 << 20
    });
    // Little, but the peer does not read.
    world.until("the limit", || transport.write(&[1; 50_000]) == WriteStatus::Closed);
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(100_000));
}

fn an_abort_before_connection_made_keeps_the_contract(world: &World) {
    assert_eq!(world.link, Link::Memory);
    let protocol = world.traces.watch(Sink);
    let (connection, wire) =
        sinew::transports::memory::connect(world.reactor(), StreamConfig::default(), protocol)
            .expect("room for one");
    connection.transport().call_later(Duration::ZERO);
    connection.transport().abort();
    wire.receive(b"x");
    world.lost(&world.traces.last());
    let expected = [Callback::Made, Callback::Lost(Lost::Aborted)];
    assert_eq!(world.traces.last().callbacks(), expected);
    assert!(wire.was_reset());
}
