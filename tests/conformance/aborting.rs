//! Connections that are cut: by this side, by the peer, by a limit.

use std::time::Duration;

use sinew::prelude::*;

use crate::support::{
    Echo, Fate, Link, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        an_abort_is_told_by_the_loop_and_seen_by_the_peer,
        an_abort_drops_what_was_queued,
        an_abort_counts_at_every_stage_of_a_close,
        the_first_reason_counts,
        a_reset_while_the_output_is_stuck_is_told,
        a_reset_during_a_close_is_told,
        the_write_limit_aborts,
        the_write_limit_counts_what_is_queued;
    resets:
        a_reset_by_the_peer_is_told,
        a_reset_while_reading_is_paused_is_heard,
        what_came_before_a_reset_waits_for_the_pause_to_end,
        a_reset_is_a_reset_also_for_close_write;
    memory:
        an_abort_before_the_beginning_is_a_whole_life;
}

fn an_abort_is_told_by_the_loop_and_seen_by_the_peer(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.abort();
            assert_eq!(transport.write(b"x"), WriteStatus::Closed);
            transport.abort();
            transport.lose_connection();
        }
    }));
    line.far.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert_eq!(received, b"");
    world.link.assert_aborted(fate, "by abort");

    // From outside of any callback, too, it is the loop that tells.
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
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received.len() < TOO_MUCH);
    world.link.assert_aborted(fate, "by abort");
}

fn an_abort_counts_at_every_stage_of_a_close(world: &World) {
    // Closing: there is still something to send.
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().lose_connection();
    world.settle();
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    // Lingering: all is sent, the peer has yet to close.
    let mut line = world.join(Sink);
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    // Half closed, either way.
    let mut line = world.join(Script(|_: &Transport, _: What<'_>| {}));
    line.far.end();
    world.until("read_closed", || line.trace.has(&Told::ReadClosed));
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let mut line = world.join(Sink);
    line.transport().close_write();
    assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
}

/// Whatever else goes wrong after an abort, in the same callback even, the end is told, once.
fn the_first_reason_counts(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.abort();
            transport.fail("too late");
            panic!("after the abort");
        }
    }));
    line.far.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::Aborted);

    let mut line = world.join_with(
        StreamConfig::default().write_limit(10),
        Width::Wide,
        Script(|transport: &Transport, what: What<'_>| {
            if let What::Data(_) = what {
                transport.write(&[0; 11]);
                transport.abort();
                panic!("after the limit");
            }
        }),
    );
    line.far.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(10));
}

fn a_reset_by_the_peer_is_told(world: &World) {
    let line = world.join(Echo);
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.told(), [Told::Made, Told::Lost(Lost::Reset)]);
}

fn a_reset_while_the_output_is_stuck_is_told(world: &World) {
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    world.settle();
    assert!(line.transport().queued() > 0);
    world.assert_asleep();
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

/// At once where the engine tells of it, else when the socket is looked at next. With nothing to read, nobody is waited for.
fn a_reset_while_reading_is_paused_is_heard(world: &World) {
    let line = world.join(Sink);
    line.transport().pause_reading();
    world.settle();
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.told(), [Told::Made, Told::Lost(Lost::Reset)]);
}

fn what_came_before_a_reset_waits_for_the_pause_to_end(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.settle();
    line.far.send(b"last words");
    line.far.reset();
    world.assert_asleep();
    assert!(!line.trace.is_lost());
    transport.resume_reading();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    assert_eq!(line.trace.data(), b"last words");
}

fn a_reset_during_a_close_is_told(world: &World) {
    // While there is something to send, something is lost.
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().lose_connection();
    world.settle();
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
    // Once all is sent, it is just another way to close.
    let mut line = world.join(Sink);
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_reset_is_a_reset_also_for_close_write(world: &World) {
    let line = world.join(Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.turn();
    line.far.reset();
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
        Script(|transport: &Transport, what: What<'_>| {
            if let What::Data(_) = what {
                assert_eq!(transport.write(&[1; 1000]), WriteStatus::Ok);
                assert_eq!(transport.write(b"x"), WriteStatus::Closed);
                assert_eq!(transport.queued(), 0, "bytes that are queued");
            }
        }),
    );
    line.far.send(b"x");
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(1000));
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert_eq!(received, b"");
    world.link.assert_aborted(fate, "by the limit");
}

fn the_write_limit_counts_what_is_queued(world: &World) {
    let config = StreamConfig::default().write_limit(100_000);
    let line = world.join_with(config, Width::Narrow, Sink);
    let transport = line.transport();
    // Much more than the limit in all, but the peer takes it.
    let mut far = line.far;
    let mut sent = 0;
    let mut received = 0;
    world.until("a megabyte", || {
        if transport.queued() == 0 && sent < 1 << 20 {
            assert_ne!(transport.write(&[1; 50_000]), WriteStatus::Closed);
            sent += 50_000;
        }
        received += far.take().len();
        received >= 1 << 20
    });
    // And not much at all, but the peer does not take it.
    world.until("the limit", || transport.write(&[1; 50_000]) == WriteStatus::Closed);
    assert_eq!(world.lost(&line.trace), Lost::WriteLimit(100_000));
}

fn an_abort_before_the_beginning_is_a_whole_life(world: &World) {
    assert_eq!(world.link, Link::Memory);
    let protocol = world.traces.watch(Sink);
    let (connection, wire) =
        sinew::transports::memory::connect(world.reactor(), StreamConfig::default(), protocol)
            .expect("room for one");
    connection.transport().call_later(Duration::ZERO);
    connection.transport().abort();
    wire.receive(b"x");
    world.lost(&world.traces.last());
    let expected = [Told::Made, Told::Lost(Lost::Aborted)];
    assert_eq!(world.traces.last().told(), expected);
    assert!(wire.was_reset());
}
