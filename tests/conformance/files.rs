//! Sending files with `send_file`: complete, in order with other writes, with backpressure, and by sendfile(2) where
//! possible.

use std::{
    cell::Cell,
    fs::File,
    io::Write,
    ops::RangeBounds,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};

use sinew::{prelude::*, transports::SendFileError};

use super::producing::pieces;
use crate::support::{
    EndState, Event, Link, Lost, Pull, Script, Sink, TOO_MUCH, Width, World, noise, table,
};

table! {
    everywhere:
        a_file_is_sent,
        a_file_is_sent_before_the_close,
        a_file_that_is_too_short_is_a_failure,
        a_file_that_shrinks_is_a_failure,
        a_range_past_the_end_is_an_error,
        a_file_of_ten_megabytes_arrives_intact,
        what_is_written_around_files_keeps_its_order,
        close_write_waits_for_the_file,
        a_slow_reader_delays_a_file,
        a_close_waits_for_a_file_no_longer_than_the_linger_timeout,
        an_abort_drops_the_file,
        a_large_file_is_fair,
        files_may_share_a_description;
    resets:
        a_reset_ends_a_file;
    smooth:
        // With fault injection the socket is wrapped, so the kernel cannot be used directly.
        the_kernel_moves_files_into_its_own_sockets;
}

/// A deleted temporary file that contains `bytes`.
fn file(bytes: &[u8]) -> File {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("sinew-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .expect("a temporary file can be made");
    std::fs::remove_file(&path).expect("and unlinked");
    file.write_all(bytes).expect("and written");
    file
}

fn a_file_is_sent(world: &World) {
    let bytes = noise(200_000);
    let mut line = world.join(Sink);
    let mut send = |range: (std::ops::Bound<u64>, std::ops::Bound<u64>)| {
        assert!(line.transport().send_file(file(&bytes), range).expect("it can be read"));
        line.transport().write(b"|");
        line.transport().stream(pieces(b'.', 1, 1));
        let expected: Vec<_> = (0..bytes.len() as u64)
            .filter(|at| range.contains(at))
            .map(|at| bytes[at as usize])
            .collect();
        let received = world.receive(&mut line.remote, expected.len() + 2);
        // Writes made meanwhile were sent between the pieces.
        let at = received.iter().position(|byte| *byte == b'|');
        assert!(at.is_some() && received.ends_with(b"."));
        let mut rest = received[..received.len() - 1].to_vec();
        if !expected.contains(&b'|') {
            rest.remove(at.expect("it is there"));
            assert!(rest == expected);
        }
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    send((Included(7), Excluded(7)));
    send((Included(100), Excluded(110)));
    send((Excluded(100), Included(110)));
    send((Included(199_999), Unbounded));
    let mut line = world.join(Sink);
    assert!(line.transport().send_file(file(&bytes), ..).expect("it can be read"));
    assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
    assert!(line.transport().send_file(file(&bytes), 1_000..150_001).expect("it can be read"));
    assert!(world.receive(&mut line.remote, 149_001) == bytes[1_000..150_001]);
    assert!(line.transport().send_file(file(&bytes), ..=70_000).expect("it can be read"));
    assert!(world.receive(&mut line.remote, 70_001) == bytes[..=70_000]);
}

fn a_file_is_sent_before_the_close(world: &World) {
    for width in [Width::Wide, Width::Narrow] {
        let bytes = noise(700_000);
        let sent = bytes.clone();
        let mut line = world.join_with(
            StreamConfig::default(),
            width,
            Script(move |transport: &Transport, what: Event<'_>| {
                if let Event::Data(_) = what {
                    transport.send_file(file(&sent), ..).expect("it can be read");
                    transport.lose_connection();
                }
            }),
        );
        line.remote.send(b"GET");
        let (received, end_state) = world.receive_to_end(&mut line.remote);
        assert!(received == bytes && end_state == EndState::Ended);
        assert!(!line.transport().send_file(file(b"x"), ..).expect("it can be read"));
    }
}

fn a_file_that_is_too_short_is_a_failure(world: &World) {
    for closing in [false, true] {
        let mut line = world.join(Sink);
        let transport = line.transport();
        transport.send_file(file(&[7; 100_000]), ..100_001).expect("it can be read");
        if closing {
            transport.lose_connection();
        }
        assert_eq!(
            world.receive_to_end(&mut line.remote).0.len(),
            100_000,
            "bytes that came before the end"
        );
        line.remote.close();
        let lost = world.lost(&line.trace);
        assert!(
            matches!(&lost, Lost::Protocol(error) if error.contains("100000, 1 bytes before")),
            "{lost:?}"
        );
    }
}

fn a_file_of_ten_megabytes_arrives_intact(world: &World) {
    let bytes = noise(10 << 20);
    let mut line = world.join(Sink);
    line.transport().send_file(file(&bytes), ..).expect("it can be read");
    line.transport().lose_connection();
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == bytes && end_state == EndState::Ended);
}

/// What is known about it without reading.
fn can_move(world: &World) -> bool {
    cfg!(target_os = "linux")
        && !matches!(world.link, Link::Memory | Link::TlsAccepted | Link::TlsConnected)
}

fn the_kernel_moves_files_into_its_own_sockets(world: &World) {
    let bytes = noise(1 << 20);
    let mut line = world.join(Sink);
    let before = world.reactor().stats();
    line.transport().write(b"head");
    line.transport().send_file(file(&bytes), ..).expect("it can be read");
    assert!(world.receive(&mut line.remote, 4 + bytes.len())[4..] == bytes);
    let after = world.reactor().stats();
    let moved = after.bytes_moved - before.bytes_moved;
    assert_eq!(moved, if can_move(world) { 1 << 20 } else { 0 });
    assert_eq!(after.bytes_sent - before.bytes_sent, 4 + (1 << 20));
}

fn a_file_that_shrinks_is_a_failure(world: &World) {
    let file = file(&noise(TOO_MUCH));
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().send_file(file.try_clone().expect("a descriptor"), ..).expect("a file");
    world.settle();
    file.set_len(10).expect("it can be cut");
    let (received, _) = world.receive_to_end(&mut line.remote);
    assert!(received.len() < TOO_MUCH, "all of it was sent before it was cut");
    line.remote.close();
    let lost = world.lost(&line.trace);
    assert!(
        matches!(&lost, Lost::Protocol(error) if error.contains("before the range")),
        "{lost:?}"
    );
}

/// Data written before a file are sent before it; data written after it, after it.
fn what_is_written_around_files_keeps_its_order(world: &World) {
    for width in [Width::Wide, Width::Narrow] {
        let bytes = noise(300_000);
        let mut line = world.join_with(StreamConfig::default(), width, Sink);
        let transport = line.transport();
        let mut expected = Vec::new();
        for round in 0..3 {
            // Less than the low watermark, so that the file is read while this is still queued.
            let before = vec![round; 10_000];
            transport.stream({
                let before = before.clone();
                Pull(move |transport: &Transport| {
                    transport.write(&before);
                    Production::Done
                })
            });
            transport.send_file(file(&bytes), 5..).expect("it can be read");
            transport.send_file(file(b"small"), ..).expect("it can be read");
            transport.send_file(file(b""), ..).expect("it can be read");
            transport.stream(pieces(b'.', 1, 3));
            expected.extend_from_slice(&before);
            expected.extend_from_slice(&bytes[5..]);
            expected.extend_from_slice(b"small...");
        }
        assert!(world.receive(&mut line.remote, expected.len()) == expected, "{width:?}");
        assert!(!transport.is_closing());
        world.assert_asleep();
    }
}

fn close_write_waits_for_the_file(world: &World) {
    let bytes = noise(700_000);
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.send_file(file(&bytes), ..).expect("it can be read");
    transport.close_write();
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received == bytes && end_state == EndState::Ended);
    line.remote.send(b"input goes on");
    world.until("input", || line.trace.received() == 13);
}

/// The loop sleeps while it waits, memory is bounded, and in the end everything has arrived.
fn a_slow_reader_delays_a_file(world: &World) {
    if world.link == Link::Memory {
        // An in-memory connection is bounded only if it is narrow, which other scenarios cover.
        return;
    }
    let bytes = noise(3 * TOO_MUCH);
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.send_file(file(&bytes), ..).expect("it can be read");
    world.assert_asleep();
    let sent = world.reactor().stats().bytes_sent;
    assert!((sent as usize) < bytes.len(), "nothing held it up");
    assert!(transport.queued() <= 128 * 1024, "{} queued", transport.queued());
    assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
    assert!(!transport.is_closing());
    world.assert_asleep();
}

fn a_close_waits_for_a_file_no_longer_than_the_linger_timeout(world: &World) {
    let config = StreamConfig::default().linger_timeout(std::time::Duration::from_millis(50));
    let line = world.join_with(config, Width::Narrow, Sink);
    line.transport().send_file(file(&noise(TOO_MUCH)), ..).expect("it can be read");
    line.transport().lose_connection();
    assert_eq!(world.lost(&line.trace), Lost::TimedOut);
}

fn an_abort_drops_the_file(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().send_file(file(&noise(TOO_MUCH)), ..).expect("it can be read");
    world.settle();
    line.transport().abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert!(received.len() < TOO_MUCH);
    world.link.assert_aborted(end_state, "by the abort");
}

fn a_reset_ends_a_file(world: &World) {
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().send_file(file(&noise(TOO_MUCH)), ..).expect("it can be read");
    world.settle();
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

fn a_large_file_is_fair(world: &World) {
    let bytes = noise(1 << 20);
    let mut line = world.join(Sink);
    for _ in 0..64 {
        line.transport().send_file(file(&bytes), ..).expect("it can be read");
    }
    let most = Rc::new(Cell::new(0));
    let mut sent = world.reactor().stats().bytes_sent;
    let mut received = 0;
    world.until("all files", || {
        let now = world.reactor().stats().bytes_sent;
        most.set(most.get().max(now - sent));
        sent = now;
        received += line.remote.take().len();
        received == 64 << 20
    });
    assert!(most.get() <= 8 << 20, "{} bytes in one turn", most.get());
}

/// Each transfer has its own file offset.
fn files_may_share_a_description(world: &World) {
    let bytes = noise(400_000);
    let file = file(&bytes);
    let mut lines = [world.join(Sink), world.join(Sink)];
    for line in &lines {
        let file = file.try_clone().expect("a descriptor");
        line.transport().send_file(file, ..).expect("it can be read");
    }
    for line in &mut lines {
        assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
    }
}

fn a_range_past_the_end_is_an_error(world: &World) {
    let line = world.join(Sink);
    let send = |range: (std::ops::Bound<u64>, std::ops::Bound<u64>)| {
        line.transport().send_file(file(b"0123456789"), range)
    };
    use std::ops::Bound::{Excluded, Included, Unbounded};
    for end in [Unbounded, Excluded(100), Included(11)] {
        let refused = send((Included(11), end));
        assert!(matches!(refused, Err(SendFileError::PastEnd { start: 11 })), "{refused:?}");
    }
    let refused = send((Included(5), Excluded(4)));
    assert!(
        matches!(refused, Err(SendFileError::InvertedRange { start: 5, end: 4 })),
        "{refused:?}"
    );
    // Reaching EOF at once is not an error, and nothing was sent.
    assert!(send((Included(10), Unbounded)).is_ok_and(|sent| sent));
    assert!(send((Included(8), Unbounded)).is_ok_and(|sent| sent));
    let mut line = line;
    assert_eq!(world.receive(&mut line.remote, 2), b"89");
    // A file with size zero may still have content; its end is found by reading.
    let lost = Rc::new(Cell::new(None));
    let seen = lost.clone();
    let empty = world.join(Script(move |_: &Transport, what: Event<'_>| {
        if let Event::Lost(ConnectionLost::Protocol(error)) = what
            && let Some(SendFileError::PastEnd { start }) = error.downcast_ref()
        {
            seen.set(Some(*start));
        }
    }));
    assert!(empty.transport().send_file(file(b""), 3..).is_ok_and(|sent| sent));
    world.until("the fault", || empty.transport().is_closing());
    empty.remote.close();
    world.until("the end", || empty.trace.is_lost());
    assert_eq!(lost.get(), Some(3));
}

/// Files in `/proc` report size zero, those in `/sys` the size of a page: they are sent up to EOF, by every engine
/// and over TLS.
#[cfg(target_os = "linux")]
#[test]
fn files_of_unknown_size_are_sent_to_eof() {
    let sysfs = "/sys/kernel/mm/transparent_hugepage/enabled";
    for (path, is_proc) in
        [("/proc/self/cmdline", true), ("/proc/self/status", true), (sysfs, false)]
    {
        let Ok(expected) = std::fs::read(path) else {
            println!("skipped: there is no {path}");
            continue;
        };
        for engine in Engine::available() {
            for link in [Link::Accepted, Link::Memory, Link::TlsAccepted] {
                World::run("a file without a length", engine, link, |world| {
                    for start in [0, 3] {
                        let mut line = world.join(Sink);
                        let open = || File::open(path).expect("it is there");
                        line.transport().send_file(open(), start..).expect("it can be read");
                        line.transport().send_file(self::file(b"|"), ..).expect("it can be read");
                        line.transport().lose_connection();
                        let (received, end_state) = world.receive_to_end(&mut line.remote);
                        // Numbers in a status file change; its field names do not.
                        let compared = if path.ends_with("status") { 8 } else { expected.len() };
                        let expected = &expected[start as usize..compared];
                        assert!(received.starts_with(expected), "{path} from {start}");
                        assert!(received.ends_with(b"|") && end_state == EndState::Ended);
                        if compared > 8 {
                            assert_eq!(received.len(), expected.len() + 1);
                        }
                    }
                    if is_proc {
                        let remote = 1 << 20;
                        let line = world.join(Sink);
                        let file = File::open(path).expect("it is there");
                        line.transport().send_file(file, remote..).expect("it can be positioned");
                        world.until("the fault", || line.transport().is_closing());
                    }
                });
            }
        }
    }
}

/// sendfile(2) does not support every readable file, and returns EINVAL for this one.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_the_kernel_does_not_move_is_read() {
    let path = "/proc/self/cmdline";
    let expected = std::fs::read(path).expect("a line");
    for engine in Engine::available() {
        World::run("a file that is read", engine, Link::Accepted, |world| {
            let mut line = world.join(Sink);
            let file = File::open(path).expect("it is there");
            line.transport().send_file(file, 1..expected.len() as u64).expect("it can be read");
            line.transport().send_file(self::file(b"|"), ..).expect("it can be read");
            let received = world.receive(&mut line.remote, expected.len());
            assert!(received[..expected.len() - 1] == expected[1..] && received.ends_with(b"|"));
        });
    }
}

/// Descriptors are passed with the next byte, which is the file's.
#[cfg(unix)]
#[test]
fn a_descriptor_is_sent_with_the_first_byte_of_a_file() {
    use std::io::IoSliceMut;
    for engine in Engine::available() {
        World::run("a descriptor before a file", engine, Link::UnixAccepted, |world| {
            let line = world.join(Sink);
            line.transport().send_descriptor(file(b"mine")).expect("there is room");
            line.transport().send_file(file(&noise(100_000)), ..).expect("it can be read");
            world.settle();
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
            let mut first = [0];
            rustix::net::recvmsg(
                line.remote.as_unix().expect("a Unix socket"),
                &mut [IoSliceMut::new(&mut first)],
                &mut control,
                rustix::net::RecvFlags::empty(),
            )
            .expect("a byte");
            assert_eq!(control.drain().count(), 1, "the descriptor came with the first byte");
        });
    }
}
