//! Closing: gracefully, by halves, and however slowly the peer reads.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sinew::prelude::*;

use crate::support::{
    Echo, Fate, Lost, Pull, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        a_peer_that_ends_its_side_is_answered_to_the_last_byte,
        a_protocol_may_go_on_writing_after_the_peer_has_ended,
        close_write_ends_the_output_and_input_goes_on,
        with_both_directions_ended_the_connection_ends,
        output_is_refused_once_it_was_ended,
        what_was_written_before_a_close_is_sent_and_nothing_after,
        a_reply_survives_unread_input,
        input_is_not_delivered_after_a_close,
        a_peer_that_never_reads_is_given_up,
        a_peer_that_reads_slowly_is_not_given_up,
        a_peer_that_never_closes_is_given_up,
        closing_twice_is_closing_once,
        a_close_after_close_write_waits_for_the_peer,
        a_failure_of_the_protocol_is_the_reason,
        a_failure_stays_the_reason_however_the_close_goes,
        a_failure_while_closing_is_the_reason,
        a_peer_that_ends_during_the_close_changes_nothing;
}

const MEGABYTE: usize = 1 << 20;

const LINGER: Duration = Duration::from_millis(50);

fn quick_linger() -> StreamConfig {
    StreamConfig::default().linger_timeout(LINGER)
}

fn a_peer_that_ends_its_side_is_answered_to_the_last_byte(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Echo);
    let bytes = noise(200_000);
    world.send_all(&mut line.far, &bytes);
    line.far.end();
    let (echoed, fate) = world.receive_to_end(&mut line.far);
    assert!(echoed == bytes && fate == Fate::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Done);
}

fn a_protocol_may_go_on_writing_after_the_peer_has_ended(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| match what {
        What::ReadClosed => {
            transport.call_later(Duration::from_millis(1));
        }
        What::Timer(_) => {
            transport.write(&bytes);
            transport.lose_connection();
        }
        _ => {}
    }));
    line.far.send(b"GET");
    line.far.end();
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received == reply && fate == Fate::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Done, "the peer had ended first");
    assert_eq!(line.trace.count(&Told::ReadClosed), 1, "times read_closed was told");
}

fn close_write_ends_the_output_and_input_goes_on(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| match what {
        What::Made => {
            transport.write(&bytes);
            transport.close_write();
        }
        What::ReadClosed => transport.lose_connection(),
        _ => {}
    }));
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received == reply && fate == Fate::Ended);
    let bytes = noise(300_000);
    world.send_all(&mut line.far, &bytes);
    world.until("input after the end of the output", || line.trace.received() == bytes.len());
    assert!(line.trace.data() == bytes);
    assert!(!line.transport().is_closing());
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Done);
}

fn with_both_directions_ended_the_connection_ends(world: &World) {
    // Whichever side comes first, and without a lose_connection.
    for near_first in [true, false] {
        let mut line =
            world.join(Script(move |transport: &Transport, what: What<'_>| match what {
                What::Made if near_first => transport.close_write(),
                What::ReadClosed => {
                    transport.write(b"bye");
                    transport.close_write();
                }
                _ => {}
            }));
        if near_first {
            assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
        }
        line.far.end();
        let expected: &[u8] = if near_first { b"" } else { b"bye" };
        assert_eq!(world.receive_to_end(&mut line.far), (expected.to_vec(), Fate::Ended));
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
    assert_eq!(world.receive_to_end(&mut line.far), (b"last".to_vec(), Fate::Ended));
    assert!(!transport.is_closing(), "input goes on");
}

fn what_was_written_before_a_close_is_sent_and_nothing_after(world: &World) {
    let bytes = noise(3 * MEGABYTE);
    let sent = bytes.clone();
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(move |transport: &Transport, what: What<'_>| {
            if let What::Made = what {
                transport.write(&sent);
                transport.lose_connection();
                assert_eq!(transport.write(b"too late"), WriteStatus::Closed);
                assert!(transport.is_closing() && !transport.is_reading());
            }
        }),
    );
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received == bytes && fate == Fate::Ended);
    line.far.close();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

/// The trap of close(2): with unread input in the kernel it sends a reset, which eats the tail of the reply.
fn a_reply_survives_unread_input(world: &World) {
    let reply = noise(MEGABYTE);
    let bytes = reply.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.write(&bytes);
            transport.lose_connection();
        }
    }));
    let chatter = noise(100_000);
    let mut received = Vec::new();
    world.until("the end of the reply", || {
        // The peer talks on and on while it reads.
        line.far.try_send(&chatter);
        received.extend(line.far.take_some(20_000));
        line.far.fate_so_far() != Fate::Open
    });
    received.extend(line.far.take());
    assert_eq!((received.len(), line.far.fate_so_far()), (reply.len(), Fate::Ended));
    assert!(received == reply);
    assert!(!line.trace.is_lost(), "the peer has not ended its side");
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn input_is_not_delivered_after_a_close(world: &World) {
    let first = Rc::new(Cell::new(0));
    let told = first.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Data(data) = what {
            told.set(data.len());
            transport.lose_connection();
        }
    }));
    line.far.send(b"first");
    world.until("the first bytes", || first.get() > 0);
    let first = first.get();
    line.far.send(b"second");
    world.settle();
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.told(), [Told::Made, Told::Data(first), Told::Lost(Lost::Closed)]);
}

fn a_peer_that_never_reads_is_given_up(world: &World) {
    // Whether or not it was stuck by the time of the close.
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

fn a_peer_that_reads_slowly_is_not_given_up(world: &World) {
    let mut line = world.join_with(quick_linger(), Width::Narrow, Sink);
    let transport = line.transport();
    // Much, for the kernel makes room by the megabyte.
    let bytes = Bytes::from(noise(TOO_MUCH));
    for _ in 0..10 {
        transport.write_bytes(bytes.clone());
    }
    world.assert_asleep();
    transport.lose_connection();
    let start = Instant::now();
    let (mut read, mut progress, mut queued) = (start, start, transport.queued());
    while !line.trace.is_lost() {
        // Now and then it reads until there is some progress; not for ever, and not all.
        let reads = start.elapsed() < 6 * LINGER && queued > 2 * TOO_MUCH;
        if reads && progress.elapsed() > LINGER / 5 {
            read = Instant::now();
            line.far.take();
        }
        world.turn();
        if !line.trace.is_lost() && transport.queued() < queued {
            (progress, queued) = (read, transport.queued());
        }
    }
    assert_eq!(world.lost(&line.trace), Lost::TimedOut);
    // However slow this machine is: the wait began anew whenever some bytes had left.
    assert!(progress.elapsed() >= LINGER, "given up {:?} after progress", progress.elapsed());
}

fn a_peer_that_never_closes_is_given_up(world: &World) {
    // Whether or not there is something left to send.
    for last in [&b"bye"[..], b""] {
        let mut line = world.join_with(quick_linger(), Width::Wide, Sink);
        let transport = line.transport();
        transport.write(last);
        transport.lose_connection();
        let start = Instant::now();
        assert_eq!(world.receive_to_end(&mut line.far), (last.to_vec(), Fate::Ended));
        assert_eq!(world.lost(&line.trace), Lost::Closed, "all had been sent");
        assert!(start.elapsed() >= LINGER, "not early");
        assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    }
}

fn closing_twice_is_closing_once(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| match what {
        What::Data(_) | What::Lost(_) => {
            transport.lose_connection();
            transport.lose_connection();
        }
        _ => {}
    }));
    line.far.send(b"x");
    assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
    line.transport().lose_connection();
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_close_after_close_write_waits_for_the_peer(world: &World) {
    let mut line = world.join(Sink);
    line.transport().close_write();
    assert_eq!(world.receive_to_end(&mut line.far).1, Fate::Ended);
    line.transport().lose_connection();
    world.settle();
    assert!(!line.trace.is_lost());
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}

fn a_failure_of_the_protocol_is_the_reason(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.write(b"500 line too long\r\n");
            transport.fail("line too long");
            transport.fail("a second failure");
            transport.lose_connection();
        }
    }));
    line.far.send(b"x");
    let expected = b"500 line too long\r\n".to_vec();
    assert_eq!(world.receive_to_end(&mut line.far), (expected, Fate::Ended));
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Protocol("line too long".to_owned()));
}

fn a_failure_stays_the_reason_however_the_close_goes(world: &World) {
    let expected = Lost::Protocol("why".to_owned());
    // The peer resets the connection.
    let line = world.join(Sink);
    line.transport().fail("why");
    line.far.reset();
    assert_eq!(world.lost(&line.trace), expected);
    // The peer never reads.
    let line = world.join_with(quick_linger(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().fail("why");
    assert_eq!(world.lost(&line.trace), expected);
    // The protocol has no patience.
    let mut line = world.join(Sink);
    line.transport().fail("why");
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), expected);
    world.link.assert_aborted(line.far.fate(), "by abort");
}

fn a_failure_while_closing_is_the_reason(world: &World) {
    let line = world.join(Sink);
    line.transport().lose_connection();
    line.transport().fail("after all");
    line.far.close();
    assert_eq!(world.lost(&line.trace), Lost::Protocol("after all".to_owned()));
}

fn a_peer_that_ends_during_the_close_changes_nothing(world: &World) {
    let bytes = noise(TOO_MUCH);
    let sent = bytes.clone();
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(move |transport: &Transport, what: What<'_>| {
            if let What::Made = what {
                transport.write(&sent);
                transport.lose_connection();
            }
        }),
    );
    line.far.end();
    world.settle();
    let (received, fate) = world.receive_to_end(&mut line.far);
    assert!(received == bytes && fate == Fate::Ended);
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.count(&Told::ReadClosed), 0, "times read_closed was told");
}
