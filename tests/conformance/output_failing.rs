//! Failed output: the peer answers early and closes without reading everything. Its answer is delivered,
//! whichever call finds first that nothing can be sent any more; then the connection is lost with the error.

use std::{cell::Cell, io::Write, rc::Rc, time::Duration};

use sinew::prelude::*;

use super::producing::pieces;
use crate::support::{
    Callback, Event, Lost, Pull, Script, Sink, TOO_MUCH, TestConnection, Width, World, noise, table,
};

table! {
    everywhere:
        an_answer_arrives_over_a_full_queue,
        an_answer_arrives_though_a_write_fails_first,
        an_answer_arrives_though_a_large_write_fails_first,
        an_answer_arrives_though_the_end_of_the_output_fails_first,
        an_answer_arrives_while_a_producer_runs,
        an_answer_arrives_while_a_file_is_sent,
        a_long_answer_arrives,
        the_pause_of_the_user_stays,
        a_pause_that_does_not_end_is_bounded,
        a_pause_without_input_is_not_awaited,
        a_protocol_may_react_to_the_answer,
        no_callbacks_follow_a_failed_output;
}

const ANSWER: &[u8] = b"413 too large\r\n";

/// A connection that has sent data that the peer will not read, so that the peer's close is a reset.
fn join(world: &World, config: StreamConfig, protocol: impl Protocol) -> TestConnection {
    let line = world.join_with(config, Width::Narrow, protocol);
    line.transport().write(b"a request");
    world.until("the request to be sent", || line.transport().queued() == 0);
    line
}

/// The peer answers and closes with unread data.
fn answer_and_go(mut line: TestConnection, answer: &[u8]) -> Rc<crate::support::Trace> {
    line.remote.send(answer);
    line.remote.reset();
    line.trace
}

fn assert_answered(world: &World, trace: &crate::support::Trace, answer: &[u8]) {
    assert_eq!(world.lost(trace), Lost::Reset);
    assert!(trace.data() == answer, "{} of {} bytes", trace.received(), answer.len());
    assert_eq!(trace.count(&Callback::ReadClosed), 0, "it is no clean end");
}

fn an_answer_arrives_over_a_full_queue(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    transport.write(&noise(TOO_MUCH));
    world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
    assert!(!transport.is_reading(), "by the watermark");
    let trace = answer_and_go(line, ANSWER);
    assert_answered(world, &trace, ANSWER);
}

/// From outside, before any engine has reported an event.
fn an_answer_arrives_though_a_write_fails_first(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    let trace = answer_and_go(line, ANSWER);
    transport.write(b"more");
    assert_answered(world, &trace, ANSWER);
}

/// A write that bypasses the queue.
fn an_answer_arrives_though_a_large_write_fails_first(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    let trace = answer_and_go(line, ANSWER);
    for _ in 0..2 {
        transport.write(&[0; 32 * 1024]);
    }
    assert_answered(world, &trace, ANSWER);
}

fn an_answer_arrives_though_the_end_of_the_output_fails_first(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    let trace = answer_and_go(line, ANSWER);
    transport.close_write();
    world.until("connection_lost", || trace.is_lost());
    assert_eq!(trace.data(), ANSWER);
}

fn an_answer_arrives_while_a_producer_runs(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    transport.stream(pieces(b'p', 50_000, 1_000));
    let dropped = Rc::new(Cell::new(false));
    let (end, callbacks) = (DropBell(dropped.clone()), dropped);
    transport.stream(Pull(move |_: &Transport| {
        let _kept = &end;
        Production::Waiting
    }));
    world.settle();
    let trace = answer_and_go(line, ANSWER);
    assert_answered(world, &trace, ANSWER);
    assert!(callbacks.get(), "producers are dropped, also those that had not begun");
}

struct DropBell(Rc<Cell<bool>>);

impl Drop for DropBell {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

fn an_answer_arrives_while_a_file_is_sent(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let path = std::env::temp_dir().join(format!(
        "sinew-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let mut file = std::fs::File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    file.write_all(&noise(TOO_MUCH)).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(line.transport().send_file(file, ..).unwrap());
    world.settle();
    let trace = answer_and_go(line, ANSWER);
    assert_answered(world, &trace, ANSWER);
}

/// More than one read, and more than the rounds of a turn under faults.
fn a_long_answer_arrives(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    transport.write(&noise(TOO_MUCH));
    world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
    let answer = noise(30_000);
    let trace = answer_and_go(line, &answer);
    assert_answered(world, &trace, &answer);
}

fn the_pause_of_the_user_stays(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.settle();
    let trace = answer_and_go(line, ANSWER);
    transport.write(b"more");
    world.assert_asleep();
    assert_eq!((trace.received(), trace.is_lost()), (0, false));
    transport.resume_reading();
    assert_answered(world, &trace, ANSWER);
}

fn a_pause_that_does_not_end_is_bounded(world: &World) {
    let config = StreamConfig::default().linger_timeout(Duration::from_millis(50));
    let line = join(world, config, Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.settle();
    let trace = answer_and_go(line, ANSWER);
    transport.write(b"more");
    assert_eq!(world.lost(&trace), Lost::Reset);
    assert_eq!(trace.received(), 0, "bytes that were received");
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn a_pause_without_input_is_not_awaited(world: &World) {
    let line = join(world, StreamConfig::default(), Sink);
    let transport = line.transport();
    transport.pause_reading();
    world.settle();
    line.remote.reset();
    transport.write(b"more");
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

fn a_protocol_may_react_to_the_answer(world: &World) {
    for (act, expected) in [
        (fail as fn(&Transport), Lost::Protocol("refused".to_owned())),
        (Transport::lose_connection, Lost::Reset),
        (Transport::abort, Lost::Reset),
        (panics, Lost::Panicked("no such answer".to_owned())),
    ] {
        let protocol = Script(move |transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) = what {
                act(transport);
            }
        });
        let line = join(world, StreamConfig::default(), protocol);
        let transport = line.transport();
        let trace = answer_and_go(line, ANSWER);
        transport.write(b"more");
        assert_eq!(world.lost(&trace), expected);
    }
}

fn fail(transport: &Transport) {
    transport.fail("refused");
}

fn panics(_: &Transport) {
    panic!("no such answer");
}

/// After writing_paused, writing_resumed is called, and then writes return Closed.
fn no_callbacks_follow_a_failed_output(world: &World) {
    let refused = Rc::new(Cell::new(0));
    let count = refused.clone();
    let protocol = Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::WritingResumed | Event::Data(_) = what {
            assert_eq!(transport.write(b"more"), WriteStatus::Closed);
            assert!(!transport.stream(Pull(|_: &Transport| Production::Done)));
            assert!(!transport.is_closing() && transport.is_reading());
            assert_eq!(transport.queued(), 0, "bytes that are queued");
            transport.close_write();
            count.set(count.get() + 1);
        }
    });
    let line = join(world, StreamConfig::default(), protocol);
    line.transport().write(&noise(TOO_MUCH));
    world.until("writing_paused", || line.trace.has(&Callback::WritingPaused));
    let trace = answer_and_go(line, b"?");
    assert_answered(world, &trace, b"?");
    assert_eq!(refused.get(), 2, "those that were refused");
    let expected = [
        Callback::Made,
        Callback::WritingPaused,
        Callback::WritingResumed,
        Callback::ReadingResumed,
        Callback::Data(1),
        Callback::Lost(Lost::Reset),
    ];
    assert_eq!(trace.callbacks(), expected);
}
