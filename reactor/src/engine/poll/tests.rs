//! Tests of the contract of level-triggered engines; each runs on poll and on select.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::{net::UnixStream, thread::JoinHandleExt},
    },
    thread,
    time::Duration,
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, getrlimit},
};

use super::super::{Engine, Event, Poller};
use crate::{
    error::RegisterError,
    handler::{Interest, Ready, Token},
};

const ONE: Token = Token::new(1, 1);
const TWO: Token = Token::new(2, 1);

fn on_each_engine(test: impl Fn(&mut dyn Poller)) {
    for engine in [Engine::Poll, Engine::Select] {
        println!("{engine}"); // Shown if the test fails.
        test(&mut *engine.open().unwrap());
    }
}

/// Asserts the events of a wait, without `READ_CLOSED`, which only poll reports.
fn assert_ready(poller: &mut dyn Poller, timeout: Option<Duration>, expected: &[(Token, Ready)]) {
    let mut events = Vec::new();
    poller.wait(timeout, &mut events).unwrap();
    let mut found: Vec<_> = events
        .iter()
        .map(|event| (event.token, event.ready.is_read(), event.ready.is_write()))
        .collect();
    found.sort_by_key(|&(token, ..)| token.slot());
    let expected: Vec<_> =
        expected.iter().map(|&(token, ready)| (token, ready.is_read(), ready.is_write())).collect();
    assert_eq!(found, expected);
}

fn assert_nothing(poller: &mut dyn Poller) {
    assert_ready(poller, Some(Duration::ZERO), &[]);
}

#[test]
fn a_source_is_reported_as_long_as_it_is_ready() {
    on_each_engine(|poller| {
        assert!(!poller.is_edge_triggered());
        let (mut near, mut far) = UnixStream::pair().unwrap();
        poller.register(near.as_raw_fd(), ONE, Interest::READ).unwrap();
        assert_nothing(poller);
        far.write_all(b"x").unwrap();
        for _ in 0..3 {
            assert_ready(poller, None, &[(ONE, Ready::READ)]);
        }
        near.read_exact(&mut [0]).unwrap();
        assert_nothing(poller);
    });
}

#[test]
fn a_full_socket_becomes_writable_when_its_peer_reads() {
    on_each_engine(|poller| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        poller.register(near.as_raw_fd(), ONE, Interest::WRITE).unwrap();
        assert_ready(poller, None, &[(ONE, Ready::WRITE)]);
        while near.write(&[0; 4096]).is_ok() {}
        assert_nothing(poller);
        while far.read(&mut [0; 4096]).is_ok() {}
        assert_ready(poller, None, &[(ONE, Ready::WRITE)]);
    });
}

#[test]
fn only_readiness_in_the_interest_is_reported() {
    on_each_engine(|poller| {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        let id = near.as_raw_fd();
        poller.register(id, ONE, Interest::NONE).unwrap();
        assert_nothing(poller);
        let both = Ready::READ | Ready::WRITE;
        let cases = [
            (Interest::READ, Ready::READ),
            (Interest::WRITE, Ready::WRITE),
            (Interest::BOTH, both),
            (Interest::READ, Ready::READ),
        ];
        for (interest, ready) in cases {
            poller.set_interest(id, ONE, interest);
            assert_ready(poller, None, &[(ONE, ready)]);
            poller.set_interest(id, ONE, Interest::NONE);
            poller.set_interest(id, ONE, Interest::NONE);
            assert_nothing(poller);
        }
    });
}

#[test]
fn registering_and_deregistering_does_not_disturb_other_sources() {
    on_each_engine(|poller| {
        let pairs: Vec<_> = (0..8).map(|_| UnixStream::pair().unwrap()).collect();
        let token = |at| Token::new(at, 7);
        for (at, (near, _)) in pairs.iter().enumerate() {
            poller.register(near.as_raw_fd(), token(at), Interest::WRITE).unwrap();
        }
        let mut left: Vec<_> = (0..pairs.len()).collect();
        for gone in [0, 7, 3, 1, 6] {
            poller.deregister(pairs[gone].0.as_raw_fd(), token(gone), true).unwrap();
            left.retain(|&at| at != gone);
            let expected: Vec<_> = left.iter().map(|&at| (token(at), Ready::WRITE)).collect();
            assert_ready(poller, None, &expected);
        }
        poller.set_interest(pairs[5].0.as_raw_fd(), token(5), Interest::NONE);
        let expected = [(token(2), Ready::WRITE), (token(4), Ready::WRITE)];
        assert_ready(poller, None, &expected);
    });
}

#[test]
fn a_hang_up_is_reported_only_to_a_source_with_interest() {
    on_each_engine(|poller| {
        let (near, far) = UnixStream::pair().unwrap();
        let id = near.as_raw_fd();
        poller.register(id, ONE, Interest::NONE).unwrap();
        drop(far);
        assert_nothing(poller);
        poller.set_interest(id, ONE, Interest::READ);
        assert_ready(poller, None, &[(ONE, Ready::READ)]);
        poller.set_interest(id, ONE, Interest::WRITE);
        assert_ready(poller, None, &[(ONE, Ready::WRITE)]);
        poller.set_interest(id, ONE, Interest::NONE);
        assert_nothing(poller);
    });
}

#[test]
fn a_broken_pipe_is_reported_to_its_writer() {
    on_each_engine(|poller| {
        let (reader, writer) = std::io::pipe().unwrap();
        poller.register(writer.as_raw_fd(), ONE, Interest::WRITE).unwrap();
        drop(reader);
        assert_ready(poller, None, &[(ONE, Ready::WRITE)]);
    });
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn poll_reports_that_the_peer_has_shut_down_its_sending_side() {
    let closings: [fn(UnixStream) -> Option<UnixStream>; 2] = [
        |_| None,
        |far| {
            far.shutdown(Shutdown::Write).unwrap();
            Some(far)
        },
    ];
    for close in closings {
        let mut poller = Engine::Poll.open().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        poller.register(near.as_raw_fd(), ONE, Interest::READ).unwrap();
        let _far = close(far);
        let mut events = Vec::new();
        poller.wait(None, &mut events).unwrap();
        let ready = Ready::READ | Ready::READ_CLOSED;
        assert_eq!(events, [Event { token: ONE, ready }]);
    }
}

#[test]
fn notifications_end_the_next_wait_without_an_event() {
    on_each_engine(|poller| {
        let notifier = poller.notifier();
        notifier.notify().unwrap();
        notifier.notify().unwrap();
        assert_ready(poller, None, &[]);
        assert_nothing(poller);
        // From another thread, before or in the middle of the wait.
        for _ in 0..50 {
            let notifier = poller.notifier();
            let thread = thread::spawn(move || notifier.notify().unwrap());
            assert_ready(poller, None, &[]);
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_notifier_may_outlive_its_engine() {
    for engine in [Engine::Poll, Engine::Select] {
        let notifier = engine.open().unwrap().notifier();
        notifier.notify().unwrap();
    }
}

#[test]
fn a_wait_ends_with_its_timeout() {
    on_each_engine(|poller| {
        for timeout in [0, 1, 999_999, 1_000_001] {
            assert_ready(poller, Some(Duration::from_nanos(timeout)), &[]);
        }
        // Longer than any kernel accepts, and yet not refused.
        poller.notifier().notify().unwrap();
        assert_ready(poller, Some(Duration::MAX), &[]);
    });
}

#[test]
fn a_descriptor_is_registered_once() {
    on_each_engine(|poller| {
        let (near, _far) = UnixStream::pair().unwrap();
        let id = near.as_raw_fd();
        poller.register(id, ONE, Interest::NONE).unwrap();
        for token in [ONE, TWO] {
            let result = poller.register(id, token, Interest::BOTH);
            assert!(matches!(result, Err(RegisterError::AlreadyRegistered { fd }) if fd == id));
        }
        assert_nothing(poller);
    });
}

#[test]
fn a_reused_descriptor_does_not_match_the_old_token() {
    on_each_engine(|poller| {
        let (near, _far) = UnixStream::pair().unwrap();
        let id = near.as_raw_fd();
        poller.register(id, ONE, Interest::BOTH).unwrap();
        poller.deregister(id, ONE, false).unwrap();
        poller.deregister(id, ONE, true).unwrap();
        assert_nothing(poller);

        poller.register(id, TWO, Interest::WRITE).unwrap();
        poller.deregister(id, ONE, true).unwrap();
        poller.set_interest(id, ONE, Interest::NONE);
        assert_ready(poller, None, &[(TWO, Ready::WRITE)]);
    });
}

#[test]
fn a_descriptor_that_is_not_open_is_refused() {
    on_each_engine(|poller| {
        for fd in [-1, RawFd::MIN, RawFd::MAX] {
            let result = poller.register(fd, ONE, Interest::READ);
            assert!(result.is_err(), "{fd}");
            poller.set_interest(fd, ONE, Interest::BOTH);
            poller.deregister(fd, ONE, true).unwrap();
        }
    });
}

#[test]
fn a_descriptor_closed_too_early_is_reported_as_ready_and_affects_no_other() {
    on_each_engine(|poller| {
        let (near, _far) = UnixStream::pair().unwrap();
        poller.register(near.as_raw_fd(), ONE, Interest::WRITE).unwrap();
        // A high number, which no other test gets in the meantime.
        let limit = getrlimit(Resource::Nofile).current.map_or(1024, |limit| limit.min(1024));
        let fd = fcntl_dupfd_cloexec(&near, limit as RawFd - 24).unwrap().into_raw_fd();
        poller.register(fd, TWO, Interest::READ).unwrap();
        // SAFETY: `fd` is ours, and not used after this as if it were open.
        drop(unsafe { OwnedFd::from_raw_fd(fd) });

        let mut events = Vec::new();
        poller.wait(None, &mut events).unwrap();
        let ready = Ready::READ;
        assert!(events.contains(&Event { token: TWO, ready }));
        poller.deregister(fd, TWO, true).unwrap();
        assert_ready(poller, None, &[(ONE, Ready::WRITE)]);
    });
}

#[test]
fn a_signal_ends_a_wait_without_an_error() {
    extern "C" fn ignore(_signal: libc::c_int) {}
    // No other test uses SIGURG, which is ignored by default. SAFETY: all zeros are a `sigaction` without flags, in
    // particular without SA_RESTART. The handler does nothing, so it is safe to run at any point of any thread.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = ignore as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGURG, &action, std::ptr::null_mut()), 0);
    }
    for engine in [Engine::Poll, Engine::Select] {
        let waiter = thread::spawn(move || {
            assert_ready(&mut *engine.open().unwrap(), None, &[]);
        });
        // The first signal may arrive before the wait has begun.
        while !waiter.is_finished() {
            // SAFETY: the thread is not joined yet, so its id is valid.
            unsafe { libc::pthread_kill(waiter.as_pthread_t(), libc::SIGURG) };
            thread::yield_now();
        }
        waiter.join().unwrap();
    }
}
