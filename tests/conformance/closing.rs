//! Closing: gracefully, half-close, and with slow readers.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sinew::prelude::*;

use crate::support::{
    Callback, Echo, EndState, Event, Lost, Pull, Script, Sink, TOO_MUCH, Width, World, noise, table,
};

table! {
    everywhere:
        a_half_closed_peer_gets_its_whole_answer,
        a_protocol_may_go_on_writing_after_the_peer_has_ended,
        close_write_ends_the_output_and_input_goes_on,
        with_both_directions_ended_the_connection_ends,
        output_is_refused_once_it_was_ended,
        a_close_sends_earlier_writes_and_nothing_later,
        a_reply_survives_unread_input,
        input_is_not_delivered_after_a_close,
        a_peer_that_never_reads_is_aborted,
        a_peer_that_reads_slowly_is_not_aborted,
        a_peer_that_never_closes_is_aborted,
        closing_twice_is_closing_once,
        a_close_after_close_write_waits_for_the_peer,
        a_failure_of_the_protocol_is_the_reason,
        a_failure_stays_the_reason_for_any_end,
        a_failure_while_closing_is_the_reason,
        a_peer_that_ends_during_the_close_changes_nothing;
}

const MEGABYTE: usize = 1 << 20;

const LINGER: Duration = Duration::from_millis(50);

fn quick_linger() -> StreamConfig {
    StreamConfig::default().linger_timeout(LINGER)
}

fn a_half_closed_peer_gets_its_whole_answer(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Echo);
    let bytes = noise(200_000);
    world.send_all(&mut line.remote, &bytes);
    line.remote.end();
    let (echoed, end_state) = world.receive_to_end(&mut line.remote);
    assert!(echoed == bytes && end_state == EndState::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Done);
}

fn a_protocol_may_go_on_writing_after_the_peer_has_ended(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
        Event::ReadClosed => {
            transport.call_later(Duration::from_millis(1));
        }
        Event::Timer(_) => {
            transport.write(&bytes);
            transport.lose_connection();
        }
        _ => {}
    }));
    line.remote.send(b"GET");
    line.remote.end();
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == reply && end_state == EndState::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Done, "the peer had ended first");
    assert_eq!(line.trace.count(&Callback::ReadClosed), 1, "times read_closed was told");
}

fn close_write_ends_the_output_and_input_goes_on(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
        Event::Made => {
            transport.write(&bytes);
            transport.close_write();
        }
        Event::ReadClosed => transport.lose_connection(),
        _ => {}
    }));
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == reply && end_state == EndState::Ended);
    let bytes = noise(300_000);
    world.send_all(&mut line.remote, &bytes);
    world.until("input after the end of the output", || line.trace.received() == bytes.len());
    assert!(line.trace.data() == bytes);
    assert!(!line.transport().is_closing());
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Done);
}

fn with_both_directions_ended_the_connection_ends(world: &World) {
    // Whichever side half-closes first, and without lose_connection.
    for near_first in [true, false] {
        let mut line =
            world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
                Event::Made if near_first => transport.close_write(),
                Event::ReadClosed => {
                    transport.write(b"bye");
                    transport.close_write();
                }
                _ => {}
            }));
        if near_first {
            assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
        }
        line.remote.end();
        let expected: &[u8] = if near_first { b"" } else { b"bye" };
        assert_eq!(world.receive_to_end(&mut line.remote), (expected.to_vec(), EndState::Ended));
        assert_eq!(world.lost(&line.trace), Lost::Done);
    }
}

fn output_is_refused_once_it_was_ended(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    assert_eq!(transport.write(b"last"), WriteStatus::Ok);
    transport.close_write();
    transport.close_write();
    assert_eq!(transport.write(b"more"), WriteStatus::Closed);
    assert!(!transport.stream(Pull(|_: &Transport| Production::Done)));
    assert_eq!(world.receive_to_end(&mut line.remote), (b"last".to_vec(), EndState::Ended));
    assert!(!transport.is_closing(), "input goes on");
}

fn a_close_sends_earlier_writes_and_nothing_later(world: &World) {
    let bytes = noise(3 * MEGABYTE);
    let sent = bytes.clone();
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(move |transport: &Transport, what: Event<'_>| {
            if let Event::Made = what {
                transport.write(&sent);
                transport.lose_connection();
                assert_eq!(transport.write(b"too late"), WriteStatus::Closed);
                assert!(transport.is_closing() && !transport.is_reading());
            }
        }),
    );
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == bytes && end_state == EndState::Ended);
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

/// close(2) with unread input in the kernel sends a reset, which destroys the end of the reply (RFC 1122 4.2.2.13);
/// lingering close avoids that.
fn a_reply_survives_unread_input(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(&bytes);
            transport.lose_connection();
        }
    }));
    let chatter = noise(100_000);
    let mut received = Vec::new();
    world.until("the end of the reply", || {
        // The peer keeps sending while it reads.
        line.remote.try_send(&chatter);
        received.extend(line.remote.take_some(20_000));
        line.remote.end_state_so_far() != EndState::Open
    });
    received.extend(line.remote.take());
    assert_eq!((received.len(), line.remote.end_state_so_far()), (reply.len(), EndState::Ended));
    assert!(received == reply);
    assert!(!line.trace.is_lost(), "the peer has not ended its side");
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn input_is_not_delivered_after_a_close(world: &World) {
    let first = Rc::new(Cell::new(0));
    let callbacks = first.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Data(data) = what {
            callbacks.set(data.len());
            transport.lose_connection();
        }
    }));
    line.remote.send(b"first");
    world.until("the first bytes", || first.get() > 0);
    let first = first.get();
    line.remote.send(b"second");
    world.settle();
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(
        line.trace.callbacks(),
        [Callback::Made, Callback::Data(first), Callback::Lost(Lost::Closed)]
    );
}

fn a_peer_that_never_reads_is_aborted(world: &World) {
    // Whether or not writing was blocked at the time of the close.
    for stuck in [false, true] {
        let line = world.join_with(quick_linger(), Width::Narrow, Sink);
        let transport = line.transport();
        transport.write(&noise(TOO_MUCH));
        if stuck {
            world.assert_asleep();
        }
        transport.lose_connection();
        let start = Instant::now();
        assert_eq!(world.lost(&line.trace), Lost::TimedOut);
        assert!(start.elapsed() >= LINGER, "not early");
        assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    }
}

fn a_peer_that_reads_slowly_is_not_aborted(world: &World) {
    let mut line = world.join_with(quick_linger(), Width::Narrow, Sink);
    let transport = line.transport();
    // A lot of data, since the kernel grows its buffers to megabytes.
    let bytes = Bytes::from(noise(TOO_MUCH));
    for _ in 0..10 {
        transport.write_bytes(bytes.clone());
    }
    world.assert_asleep();
    transport.lose_connection();
    let start = Instant::now();
    let (mut read, mut progress, mut queued) = (start, start, transport.queued());
    while !line.trace.is_lost() {
        // It reads occasionally until there is progress, but not forever and not everything.
        let reads = start.elapsed() < 6 * LINGER && queued > 2 * TOO_MUCH;
        if reads && progress.elapsed() > LINGER / 5 {
            read = Instant::now();
            line.remote.take();
        }
        world.turn();
        if !line.trace.is_lost() && transport.queued() < queued {
            (progress, queued) = (read, transport.queued());
        }
    }
    assert_eq!(world.lost(&line.trace), Lost::TimedOut);
    // Independent of the machine's speed: the timeout restarts whenever data have been sent.
    assert!(progress.elapsed() >= LINGER, "given up {:?} after progress", progress.elapsed());
}

fn a_peer_that_never_closes_is_aborted(world: &World) {
    // With and without data left to send.
    for last in [&b"bye"[..], b""] {
        let mut line = world.join_with(quick_linger(), Width::Wide, Sink);
        let transport = line.transport();
        transport.write(last);
        transport.lose_connection();
        let start = Instant::now();
        assert_eq!(world.receive_to_end(&mut line.remote), (last.to_vec(), EndState::Ended));
        assert_eq!(world.lost(&line.trace), Lost::Closed, "all had been sent");
        assert!(start.elapsed() >= LINGER, "not early");
        assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    }
}

fn closing_twice_is_closing_once(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| match what {
        Event::Data(_) | Event::Lost(_) => {
            transport.lose_connection();
            transport.lose_connection();
        }
        _ => {}
    }));
    line.remote.send(b"x");
    assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
    line.transport().lose_connection();
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_close_after_close_write_waits_for_the_peer(world: &World) {
    let mut line = world.join(Sink);
    line.transport().close_write();
    assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
    line.transport().lose_connection();
    world.settle();
    assert!(!line.trace.is_lost());
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_failure_of_the_protocol_is_the_reason(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(b"500 line too long\r\n");
            transport.fail("line too long");
            transport.fail("a second failure");
            transport.lose_connection();
        }
    }));
    line.remote.send(b"x");
    let expected = b"500 line too long\r\n".to_vec();
    assert_eq!(world.receive_to_end(&mut line.remote), (expected, EndState::Ended));
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Protocol("line too long".to_owned()));
}

fn a_failure_stays_the_reason_for_any_end(world: &World) {
    let expected = Lost::Protocol("why".to_owned());
    // The peer resets the connection.
    let line = world.join(Sink);
    line.transport().fail("why");
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), expected);
    // The peer never reads.
    let line = world.join_with(quick_linger(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().fail("why");
    assert_eq!(world.lost(&line.trace), expected);
    // The protocol aborts.
    let mut line = world.join(Sink);
    line.transport().fail("why");
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), expected);
    world.link.assert_aborted(line.remote.end_state(), "by abort");
}

fn a_failure_while_closing_is_the_reason(world: &World) {
    let line = world.join(Sink);
    line.transport().lose_connection();
    line.transport().fail("after all");
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Protocol("after all".to_owned()));
}

fn a_peer_that_ends_during_the_close_changes_nothing(world: &World) {
    let bytes = noise(TOO_MUCH);
    let sent = bytes.clone();
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(move |transport: &Transport, what: Event<'_>| {
            if let Event::Made = what {
                transport.write(&sent);
                transport.lose_connection();
            }
        }),
    );
    line.remote.end();
    world.settle();
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == bytes && end_state == EndState::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.count(&Callback::ReadClosed), 0, "times read_closed was told");
}
