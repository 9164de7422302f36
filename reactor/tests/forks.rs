//! Children of fork(2) that have a copy of a reactor: nothing that they do with it is felt by their parent.

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

/// How long a child may take before it is ended by SIGALRM.
const CHILD_MAX: u32 = 60;

/// Has a child do `f`, and waits for it. Panics if it ends in any other way than by coming to the end of `f`.
fn in_child(f: impl FnOnce()) {
    // SAFETY: the child does what `f` says. Another test of this binary may be in the midst of something at this moment, but
    // the allocator is not, of which the C library takes care, and nothing else is shared between tests.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", Error::last_os_error());
    if child == 0 {
        // SAFETY: alarm(2) takes any number.
        unsafe { libc::alarm(CHILD_MAX) };
        let ended = catch_unwind(AssertUnwindSafe(f));
        // SAFETY: _exit(2) can be called at any time, and does not come back.
        unsafe { libc::_exit(if ended.is_ok() { 0 } else { 101 }) }
    }
    let mut status = 0;
    // SAFETY: the pointer is to a live integer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child has exited with 0; its status is that of wait(2)");
}

/// A reactor whose handler counts what it is told, and the far end of what it watches.
struct Watched {
    reactor: Reactor,
    registration: Option<sinew_reactor::Registration>,
    _near: UnixStream,
    far: UnixStream,
    told: kit::Trail,
}

fn watched(reactor: Reactor) -> Watched {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let told = kit::Trail::default();
    let log = told.clone();
    let puppet = Puppet::new(move |_, what| log.push(what));
    let registration = reactor.register(&mut &near, Interest::READ, puppet).unwrap();
    // Whatever the engine asks the kernel for, it has asked by now; and room to write may have been told.
    (0..3).for_each(|_| turn(&reactor));
    told.take();
    Watched { reactor, registration: Some(registration), _near: near, far, told }
}

impl Watched {
    /// Still there, and told what happens.
    fn assert_well(mut self) {
        assert!(self.told.take().is_empty(), "nothing has happened here");
        self.far.write_all(b"x").unwrap();
        turn_until(&self.reactor, || self.told.len() > 0);
        assert_eq!(self.told.take()[0], "ready");
    }
}

#[test]
fn a_copy_that_is_dropped_is_told_nothing_and_takes_nothing_with_it() {
    for reactor in reactors() {
        let mut watched = watched(reactor.clone());
        drop(reactor);
        let told = watched.told.clone();
        in_child(|| {
            let Watched { reactor, registration, .. } = &mut watched;
            // The handle alone, then all of it, as at the end of a scope.
            drop(registration.take());
            let reactor = std::mem::replace(reactor, builder().build().unwrap());
            drop(reactor);
            assert!(told.take().is_empty());
        });
        watched.assert_well();
    }
}

#[test]
fn a_copy_is_neither_turned_nor_called_nor_added_to() {
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
            // One of its own is as any other.
            let own = builder().engine(reactor.engine()).build().unwrap();
            own.call_soon(|reactor| reactor.stop().unwrap());
            own.run().unwrap();
        });
        watched.assert_well();
    }
}

#[test]
fn a_child_that_comes_back_into_the_loop_ends_there_without_a_shutdown() {
    for reactor in reactors() {
        let phases = Count::default();
        let count = phases.clone();
        reactor.on(Phase::DuringShutdown, move |_| count.up());
        let watched = watched(reactor);
        let (reactor, told) = (&watched.reactor, &watched.told);
        let origin = Origin::here();
        let (tell, pid) = mpsc::channel();
        reactor.call_soon(move |reactor| {
            // SAFETY: as in `in_child`.
            let child = unsafe { libc::fork() };
            assert!(child >= 0, "{}", Error::last_os_error());
            if child > 0 {
                tell.send(child).unwrap();
                reactor.stop().unwrap();
            }
        });
        let ended = reactor.run();
        if !origin.is_here() {
            let is_right = matches!(ended, Err(RunError::InChild))
                && phases.value() == 0
                && told.take().is_empty();
            // SAFETY: _exit(2) can be called at any time, and does not come back.
            unsafe { libc::_exit(if is_right { 0 } else { 101 }) }
        }
        ended.unwrap();
        let mut status = 0;
        // SAFETY: the pointer is to a live integer.
        unsafe { libc::waitpid(pid.recv().unwrap(), &raw mut status, 0) };
        assert_eq!(status, 0);
        assert_eq!((phases.value(), told.take()), (1, vec!["shutdown".to_owned()]));
    }
}

/// The threads of the pool are not there to be waited for.
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
fn a_simulated_one_is_as_good_as_its_copy() {
    let reactor = Reactor::simulated(0);
    in_child(|| {
        reactor.call_later(Duration::from_secs(9), |reactor| reactor.stop().unwrap());
        reactor.run().unwrap();
    });
}
