//! Writing: order of bytes, watermarks, and bounded memory for slow peers.

use std::time::Duration;

use bytes::Bytes;
use sinew::prelude::*;

use crate::support::{
    Callback, Echo, Event, Lost, Script, Sink, TOO_MUCH, Width, World, noise, table,
};

table! {
    everywhere:
        small_and_large_writes_leave_in_order,
        writes_from_everywhere_leave_in_order,
        large_bytes_are_not_copied,
        empty_writes_have_no_effect,
        watermark_callbacks_come_in_pairs,
        the_watermarks_may_be_zero,
        a_queue_of_exactly_the_high_watermark_is_not_above_it,
        a_slow_reader_pauses_reading,
        without_auto_pause_reading_continues,
        auto_pause_may_be_switched_at_any_time,
        reading_resumes_when_pause_and_watermark_are_both_gone,
        writing_in_writing_resumed_is_fair,
        a_blocked_connection_lets_the_loop_sleep;
    memory:
        a_burst_that_is_sent_at_once_causes_no_callback,
        a_wire_that_fills_and_empties_by_the_byte;
}

/// Writes all of `bytes`, in pieces through every kind of write call.
fn write_mixed(transport: &Transport, bytes: &[u8]) {
    let mut rest = bytes;
    let mut step = 1;
    while !rest.is_empty() {
        let (next, after) = rest.split_at(rest.len().min(step * 37));
        match step % 4 {
            0 => drop(transport.write_bytes(Bytes::copy_from_slice(next))),
            1 => {
                let (a, b) = next.split_at(next.len() / 2);
                transport.write_vectored(&[a, b"", b]);
            }
            _ => drop(transport.write(next)),
        }
        rest = after;
        step = if step > 5000 { 1 } else { step * 2 + 1 };
    }
}

fn small_and_large_writes_leave_in_order(world: &World) {
    for width in [Width::Wide, Width::Narrow] {
        let bytes = noise(2_000_000);
        let all = bytes.clone();
        let mut line = world.join_with(
            StreamConfig::default(),
            width,
            Script(move |transport: &Transport, what: Event<'_>| {
                if let Event::Made = what {
                    write_mixed(transport, &all);
                    transport.lose_connection();
                }
            }),
        );
        let received = world.receive_to_end(&mut line.remote).0;
        assert!(received == bytes, "{width:?}: {} of {} bytes", received.len(), bytes.len());
        line.remote.close();
        assert_eq!(world.lost(&line.trace), Lost::Closed);
    }
}

fn writes_from_everywhere_leave_in_order(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(b"3");
            let again = transport.clone();
            transport.reactor().unwrap().call_soon(move |_| {
                again.write(b"5");
            });
            transport.write(b"4");
        }
    }));
    let transport = line.transport();
    transport.write(b"1");
    let later = transport.clone();
    world.reactor().call_soon(move |_| {
        later.write(b"2");
    });
    assert_eq!(world.receive(&mut line.remote, 2), b"12");
    line.remote.send(b"x");
    assert_eq!(world.receive(&mut line.remote, 3), b"345");
}

fn large_bytes_are_not_copied(world: &World) {
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.write(&noise(TOO_MUCH));
    let bytes = Bytes::from(noise(100_000));
    transport.write_bytes(bytes.clone());
    transport.write_bytes(bytes.slice(..4096));
    world.turn();
    assert!(!bytes.is_unique(), "the queue holds the bytes themselves");
    transport.abort();
    world.lost(&line.trace);
    assert!(bytes.is_unique(), "and lets go of them with the connection");
}

fn empty_writes_have_no_effect(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    assert_eq!(transport.write(b""), WriteStatus::Ok);
    assert_eq!(transport.write_bytes(Bytes::new()), WriteStatus::Ok);
    assert_eq!(transport.write_vectored(&[]), WriteStatus::Ok);
    world.assert_asleep();
    transport.write(b"x");
    transport.write(b"");
    assert_eq!(world.receive(&mut line.remote, 1), b"x");
}

fn watermark_callbacks_come_in_pairs(world: &World) {
    let config = StreamConfig::default().watermarks(50_000, 10_000);
    let mut line = world.join_with(config, Width::Narrow, Sink);
    let transport = line.transport();
    for round in 1..=3 {
        assert_eq!(transport.write(&noise(1_000)), WriteStatus::Ok);
        assert_eq!(transport.write(&noise(TOO_MUCH)), WriteStatus::AboveHighWatermark);
        assert_eq!(transport.write(b"x"), WriteStatus::AboveHighWatermark);
        let paused = || line.trace.count(&Callback::WritingPaused);
        let resumed = || line.trace.count(&Callback::WritingResumed);
        world.until("writing_paused", || paused() == round);
        world.settle();
        assert_eq!((paused(), resumed()), (round, round - 1), "told once, while nothing moves");
        assert!(transport.queued() > 50_000);
        let mut left = TOO_MUCH + 1_001;
        world.until("writing_resumed", || {
            left -= line.remote.take().len();
            resumed() == round
        });
        assert!(transport.queued() <= 10_000, "{} queued", transport.queued());
        world.receive(&mut line.remote, left);
        assert_eq!(transport.queued(), 0, "bytes that are queued");
    }
}

fn the_watermarks_may_be_zero(world: &World) {
    // A low watermark above the high one is lowered to it.
    let config = StreamConfig::default().watermarks(0, 100);
    let mut line = world.join_with(config, Width::Wide, Echo);
    for _ in 0..3 {
        line.remote.send(b"ping");
        assert_eq!(world.receive(&mut line.remote, 4), b"ping");
    }
}

/// Writes from outside of the loop, in pieces that are queued until the next turn.
fn a_queue_of_exactly_the_high_watermark_is_not_above_it(world: &World) {
    let config = StreamConfig::default().watermarks(50_000, 10_000);
    let mut line = world.join_with(config, Width::Wide, Sink);
    let transport = line.transport();
    for piece in 1..=5 {
        assert_eq!(transport.write(&noise(10_000)), WriteStatus::Ok, "piece {piece} of 5");
    }
    assert_eq!(transport.queued(), 50_000, "nothing is sent before the loop flushes");
    assert!(transport.is_reading(), "at the high watermark it goes on reading");
    assert_eq!(transport.write(b"x"), WriteStatus::AboveHighWatermark);
    assert!(!transport.is_reading(), "above the high watermark it does not");
    world.receive(&mut line.remote, 50_001);
}

fn a_slow_reader_pauses_reading(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Echo);
    let bytes = noise(2 * TOO_MUCH);
    // The peer sends as long as it can, and never reads.
    let mut sent = 0;
    let mut stuck = 0;
    while stuck < 3 && sent < bytes.len() {
        let end = bytes.len().min(sent + 65_536);
        let n = line.remote.try_send(&bytes[sent..end]);
        sent += n;
        stuck = if n == 0 { stuck + 1 } else { 0 };
        world.settle();
        let queued = line.transport().queued();
        assert!(queued <= 2 * 65_536, "{queued} bytes queued: the high mark and one read");
    }
    assert!(!line.transport().is_reading());
    world.assert_asleep();
    let held = line.trace.received();
    assert!(held < TOO_MUCH, "{held} bytes delivered to a protocol that cannot get rid of them");
    // Once it reads, everything has arrived.
    let mut echoed = Vec::new();
    world.until("all of it", || {
        sent += line.remote.try_send(&bytes[sent..]);
        echoed.extend(line.remote.take());
        echoed.len() == bytes.len()
    });
    assert!(echoed == bytes);
    let callbacks = line.trace.callbacks();
    let resumed =
        callbacks.iter().filter(|callbacks| **callbacks == Callback::ReadingResumed).count();
    assert!(resumed > 0 && line.transport().is_reading());
}

fn without_auto_pause_reading_continues(world: &World) {
    let config = StreamConfig::default().auto_pause(false);
    let mut line = world.join_with(config, Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
    assert!(line.transport().is_reading());
    let bytes = noise(300_000);
    world.send_all(&mut line.remote, &bytes);
    world.until("input", || line.trace.received() == bytes.len());
    world.assert_asleep();
    world.receive(&mut line.remote, TOO_MUCH);
    world.until("writing_resumed", || line.trace.has(&Callback::WritingResumed));
    assert_eq!(line.trace.count(&Callback::ReadingResumed), 0, "reading never stopped");
}

fn auto_pause_may_be_switched_at_any_time(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.write(&noise(TOO_MUCH));
    world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
    line.remote.send(b"one");
    world.settle();
    assert_eq!(line.trace.received(), 0, "bytes that were received");
    transport.set_auto_pause(false);
    world.until("input", || line.trace.received() == 3);
    assert_eq!(line.trace.count(&Callback::ReadingResumed), 1, "times reading_resumed was told");
    transport.set_auto_pause(true);
    line.remote.send(b"two");
    world.settle();
    assert_eq!(line.trace.received(), 3, "bytes that were received");
    world.receive(&mut line.remote, TOO_MUCH);
    world.until("input", || line.trace.received() == 6);
    assert_eq!(line.trace.count(&Callback::ReadingResumed), 2, "times reading_resumed was told");
}

fn reading_resumes_when_pause_and_watermark_are_both_gone(world: &World) {
    for user_first in [true, false] {
        let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        let transport = line.transport();
        transport.write(&noise(TOO_MUCH));
        transport.pause_reading();
        world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
        line.remote.send(b"held");
        world.settle();
        if user_first {
            transport.resume_reading();
            world.settle();
        } else {
            world.receive(&mut line.remote, TOO_MUCH);
        }
        assert_eq!(
            (line.trace.received(), line.trace.count(&Callback::ReadingResumed)),
            (0, 0),
            "bytes that were received, times reading_resumed was told"
        );
        if user_first {
            world.receive(&mut line.remote, TOO_MUCH);
        } else {
            transport.resume_reading();
        }
        world.until("input", || line.trace.received() == 4);
        assert_eq!(
            line.trace.count(&Callback::ReadingResumed),
            1,
            "times reading_resumed was told"
        );
    }
}

/// A protocol that refills the queue whenever there is room must not starve other connections.
fn writing_in_writing_resumed_is_fair(world: &World) {
    let config = StreamConfig::default().watermarks(1_000, 100);
    let mut line = world.join_with(
        config,
        Width::Wide,
        Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Made | Event::WritingResumed = what {
                transport.write(&[1; 100_000]);
            }
        }),
    );
    // The canary of `settle` is another connection, and gets its answers.
    for _ in 0..10 {
        line.remote.take();
        world.settle();
    }
}

fn a_blocked_connection_lets_the_loop_sleep(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    world.assert_asleep();
    line.remote.end();
    world.assert_asleep();
    let config = StreamConfig::default().linger_timeout(Duration::from_secs(100));
    let line = world.join_with(config, Width::Narrow, Sink);
    line.transport().write(&noise(TOO_MUCH));
    line.transport().lose_connection();
    world.assert_asleep();
}

fn a_burst_that_is_sent_at_once_causes_no_callback(world: &World) {
    let mut line = world.join(Sink);
    assert_eq!(line.transport().write(&noise(100_000)), WriteStatus::AboveHighWatermark);
    assert_eq!(world.receive(&mut line.remote, 100_000).len(), 100_000, "bytes that came");
    world.settle();
    // A framing protocol may have stopped between two frames, so reading_resumed is called.
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::ReadingResumed]);
}

fn a_wire_that_fills_and_empties_by_the_byte(world: &World) {
    let mut line = world.join(Echo);
    line.remote.as_wire().expect("this is memory").set_capacity(1);
    let bytes = noise(500);
    line.remote.send(&bytes);
    assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
}
