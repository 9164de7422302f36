//! Tests of children of fork(2) with a copy of a reactor: what they do with it does not affect their parent. A binary of its own, since
//! a child has only the thread that forked.

#![cfg(unix)]

mod kit;

use std::{
    io::{Error, Write},
    os::unix::net::UnixStream,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    time::Duration,
};

use kit::{Count, Puppet, builder, reactors, turn, turn_until};
use sinew_reactor::{
    Engine, Interest, Phase, Reactor, RegisterError, RemoteError, RunError, process::Origin,
};

/// How long a child may take, in seconds, before SIGALRM kills it.
const CHILD_MAX: u32 = 60;

/// Runs `f` in a child, and waits for it. Panics unless the child reaches the end of `f`.
fn in_child(f: impl FnOnce()) {
    // SAFETY: the child only runs `f`. Other tests of this binary may be running at this moment, but
    // the C library keeps the allocator usable in the child, and nothing else is shared between tests.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", Error::last_os_error());
    if child == 0 {
        // SAFETY: alarm(2) takes any number.
        unsafe { libc::alarm(CHILD_MAX) };
        let ended = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: _exit(2) can be called at any time, and does not return.
        unsafe { libc::_exit(if ended.is_ok() { 0 } else { 101 }) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a live integer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the wait(2) status of a child that exits with 0");
}

/// A reactor whose handler records its callbacks, and the far end of the handler's source.
struct Watched {
    reactor: Reactor,
    registration: Option<sinew_reactor::Registration>,
    _near: UnixStream,
    far: UnixStream,
    trail: kit::Trail,
}

fn watched(reactor: Reactor) -> Watched {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let trail = kit::Trail::default();
    let log = trail.clone();
    let puppet = Puppet::new(move |_, what| log.push(what));
    let registration = reactor.register(&mut &near, Interest::READ, puppet).unwrap();
    // By now the engine has submitted everything that it submits; and room to write may have been reported.
    (0..3).for_each(|_| turn(&reactor));
    trail.take();
    Watched { reactor, registration: Some(registration), _near: near, far, trail }
}

impl Watched {
    /// Asserts that nothing has happened so far and that events still arrive.
    fn assert_unaffected(mut self) {
        assert!(self.trail.take().is_empty(), "the child has caused an event");
        self.far.write_all(b"x").unwrap();
        turn_until(&self.reactor, || self.trail.len() > 0);
        assert_eq!(self.trail.take()[0], "ready");
    }
}

#[test]
fn dropping_a_copy_calls_nothing_and_does_not_affect_the_parent() {
    for reactor in reactors() {
        let mut watched = watched(reactor.clone());
        drop(reactor);
        let trail = watched.trail.clone();
        in_child(|| {
            let Watched { reactor, registration, .. } = &mut watched;
            // First the registration alone, then everything, as at the end of a scope.
            drop(registration.take());
            let reactor = std::mem::replace(reactor, builder().build().unwrap());
            drop(reactor);
            assert!(trail.take().is_empty());
        });
        watched.assert_unaffected();
    }
}

#[test]
fn a_copy_refuses_turns_calls_and_registrations() {
    for reactor in reactors() {
        let remote = reactor.remote();
        let watched = watched(reactor);
        in_child(|| {
            let reactor = &watched.reactor;
            assert!(matches!(reactor.run(), Err(RunError::InChild)));
            assert!(matches!(reactor.turn(Some(Duration::ZERO)), Err(RunError::InChild)));
            assert_eq!(remote.call(|_| ()), Err(RemoteError::InChild));
            let (near, _far) = UnixStream::pair().unwrap();
            let added =
                reactor.register(&mut &near, Interest::READ, Puppet::new(|_, _| unreachable!()));
            assert!(matches!(added, Err(RegisterError::InChild)));
            // A reactor of the child's own works.
            let own = builder().engine(reactor.engine()).build().unwrap();
            own.call_soon(|reactor| reactor.stop().unwrap());
            own.run().unwrap();
        });
        watched.assert_unaffected();
    }
}

#[test]
fn a_child_that_returns_into_the_loop_ends_there_without_a_shutdown() {
    for reactor in reactors() {
        let phases = Count::default();
        let count = phases.clone();
        reactor.on(Phase::DuringShutdown, move |_| count.up());
        let watched = watched(reactor);
        let (reactor, trail) = (&watched.reactor, &watched.trail);
        let origin = Origin::here();
        let (sender, pid) = mpsc::channel();
        reactor.call_soon(move |reactor| {
            // SAFETY: as in `in_child`.
            let child = unsafe { libc::fork() };
            assert!(child >= 0, "{}", Error::last_os_error());
            if child > 0 {
                sender.send(child).unwrap();
                reactor.stop().unwrap();
            }
        });
        let ended = reactor.run();
        if !origin.is_here() {
            let is_right = matches!(ended, Err(RunError::InChild))
                && phases.value() == 0
                && trail.take().is_empty();
            // SAFETY: _exit(2) can be called at any time, and does not return.
            unsafe { libc::_exit(if is_right { 0 } else { 101 }) }
        }
        ended.unwrap();
        let mut status = 0;
        // SAFETY: the pointer is to a live integer.
        unsafe { libc::waitpid(pid.recv().unwrap(), &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!((phases.value(), trail.take()), (1, vec!["shutdown".to_owned()]));
    }
}

/// The threads of the pool do not exist in the child.
#[test]
fn a_copy_does_not_wait_for_jobs() {
    for engine in Engine::available() {
        let reactor = builder().engine(engine).pool_grace(Duration::MAX).build().unwrap();
        let (gate, closed) = mpsc::channel::<()>();
        let job = reactor.defer_to_thread(move || closed.recv().is_err());
        let (mut here, mut deferred) = (Some(reactor), Some(job));
        in_child(|| {
            drop(here.take());
            assert!(deferred.as_ref().unwrap().is_settled());
        });
        drop(gate);
        let reactor = here.take().unwrap();
        assert_eq!(reactor.run_until(deferred.take().unwrap()).unwrap(), Ok(true));
    }
}

#[test]
fn a_copy_of_a_simulated_reactor_works() {
    let reactor = Reactor::simulated(0);
    in_child(|| {
        reactor.call_later(Duration::from_secs(9), |reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
    });
}
