//! Cancel safety: futures that are dropped at every step lose no byte.

use std::io;

use sinew::prelude::*;

use super::{
    kinds::noise,
    steps::{Steps, once},
};

const TEXT: &[u8] = b"a text that arrives one byte at a time";

/// Each byte arrives alone, and before each a read is begun and dropped.
#[test]
fn dropped_reads_lose_no_byte() {
    let mut steps = Steps::new();
    let mut got = Vec::new();
    for byte in TEXT {
        let mut buffer = [0; 10];
        assert!(once(steps.stream.read(&mut buffer)).is_none());
        assert!(once(steps.stream.fill_buf()).is_none());
        assert!(once(steps.stream.readable()).is_none());
        steps.receive(&[*byte]);
        // Ready, and dropped without having taken anything.
        assert!(once(steps.stream.readable()).is_some());
        assert_eq!(once(steps.stream.fill_buf()).unwrap().unwrap(), [*byte]);
        let len = once(steps.stream.read(&mut buffer)).unwrap().unwrap();
        got.extend_from_slice(&buffer[..len]);
    }
    assert_eq!(got, TEXT);
}

#[test]
fn a_dropped_read_exact_leaves_what_has_come() {
    let mut steps = Steps::new();
    let mut buffer = vec![0; TEXT.len()];
    for byte in TEXT {
        assert!(once(steps.stream.read_exact(&mut buffer)).is_none());
        steps.receive(&[*byte]);
    }
    once(steps.stream.read_exact(&mut buffer)).unwrap().unwrap();
    assert_eq!(buffer, TEXT);

    // At the end of the input, what has come can still be read.
    steps.receive(b"rest");
    assert!(once(steps.stream.read_exact(&mut buffer)).is_none());
    steps.wire.close();
    steps.turn();
    let error = once(steps.stream.read_exact(&mut buffer)).unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(once(steps.stream.read(&mut buffer)).unwrap().unwrap(), 4);
    assert_eq!(&buffer[..4], b"rest");
    assert_eq!(once(steps.stream.read(&mut buffer)).unwrap().unwrap(), 0);
}

/// More than is received ahead of a task.
#[test]
fn a_long_read_exact_is_cancel_safe_too() {
    let mut steps = Steps::new();
    let data = noise(300_000);
    let mut buffer = vec![0; data.len()];
    for piece in data.chunks(40_000) {
        assert!(once(steps.stream.read_exact(&mut buffer)).is_none());
        steps.receive(piece);
    }
    while once(steps.stream.read_exact(&mut buffer)).is_none() {
        steps.turn();
    }
    assert!(buffer == data);
}

#[test]
fn a_dropped_write_has_written_nothing() {
    let mut steps = Steps::with(StreamConfig::default().watermarks(10_000, 1_000));
    steps.wire.set_capacity(0);
    let data = noise(8_000);
    // The second passes the high watermark.
    for _ in 0..2 {
        once(steps.stream.write_all(&data)).unwrap().unwrap();
    }
    for _ in 0..10 {
        assert!(once(steps.stream.write(b"lost?")).is_none());
        assert!(once(steps.stream.write_all(b"lost?")).is_none());
        assert!(once(steps.stream.writable()).is_none());
        steps.turn();
    }
    assert_eq!(steps.stream.transport().queued(), 16_000);
    steps.wire.set_capacity(15_500);
    steps.turn();
    once(steps.stream.write_all(b"end")).unwrap().unwrap();
    steps.wire.set_capacity(20_000);
    steps.turn();
    let sent = steps.wire.take(usize::MAX);
    assert!(sent == [&data[..], &data[..], b"end"].concat(), "{} bytes", sent.len());
}

#[test]
fn dropped_flushes_and_shutdowns_lose_nothing() {
    let mut steps = Steps::new();
    steps.wire.set_capacity(0);
    once(steps.stream.write_all(TEXT)).unwrap().unwrap();
    for _ in 0..3 {
        assert!(once(steps.stream.flush()).is_none());
        assert!(once(steps.stream.shutdown()).is_none());
        steps.turn();
    }
    assert!(!steps.wire.is_ended());
    steps.wire.set_capacity(TEXT.len());
    steps.turn();
    assert_eq!(steps.wire.take(usize::MAX), TEXT);
    assert!(steps.wire.is_ended(), "a dropped shutdown ends the output all the same");
    once(steps.stream.flush()).unwrap().unwrap();
    once(steps.stream.shutdown()).unwrap().unwrap();
}

/// A task waits for room, for all to be sent, and for the end: it is woken each time.
#[test]
fn a_waiting_writer_is_woken() {
    let Steps { reactor, wire, mut stream } =
        Steps::with(StreamConfig::default().watermarks(100, 10));
    wire.set_capacity(0);
    let task = reactor.spawn(async move {
        stream.write_all(&noise(101)).await.unwrap();
        stream.write_all(b"after").await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    });
    let turn = || reactor.advance(std::time::Duration::ZERO).unwrap();
    turn();
    wire.set_capacity(95);
    turn();
    assert_eq!((task.is_done(), wire.sent_len()), (false, 95));
    // Below the low watermark, so the second write is queued.
    wire.set_capacity(103);
    turn();
    assert_eq!((task.is_done(), wire.sent_len()), (false, 103));
    assert!(!wire.is_ended());
    wire.set_capacity(1000);
    turn();
    assert!(task.is_done() && wire.is_ended());
    drop(reactor.run_until(task).unwrap());
}

#[test]
fn a_dropped_attempt_leaves_no_connection() {
    use sinew::transports::{
        AsyncListener, AsyncStream, endpoint::ClientEndpoint, endpoint::ServerEndpoint,
    };

    let reactor = Reactor::simulated(0);
    let at: ServerEndpoint = "memory:here".parse().unwrap();
    let to: ClientEndpoint = "memory:here".parse().unwrap();
    let mut listener = AsyncListener::bind(&reactor, at).unwrap();
    for turns in 0..4 {
        let mut connecting = Box::pin(AsyncStream::connect(&reactor, to.clone()));
        for _ in 0..turns {
            if once(connecting.as_mut()).is_some() {
                break;
            }
            reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
        }
        drop(connecting);
        reactor.advance(std::time::Duration::from_secs(60)).unwrap();
        while let Some(Some(mut accepted)) = once(listener.accept()) {
            while once(accepted.read(&mut [0; 1])).is_none() {
                reactor.turn(Some(std::time::Duration::ZERO)).unwrap();
            }
        }
        reactor.advance(std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(reactor.stats().connections, 0, "after {turns} turns");
    }
}
