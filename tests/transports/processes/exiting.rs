//! How child processes end: exit, signals, shutdown.

use std::{
    cell::{Cell, RefCell},
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::{
    prelude::*,
    reactor::Signal,
    transports::{AtStop, SignalError},
};

use super::kit::{Callback, Fixture, Recorder, config, ignore, on_every_engine, sh, with_panics};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn exit_codes_and_signals_are_told_apart() {
    on_every_engine("exit codes", |fixture| {
        for code in [0, 1, 42, 255] {
            let notes = fixture.run(sh(&format!("exit {code}")), config(), ignore);
            assert_eq!(notes.status(), ProcessStatus::Exited(code));
            assert!(notes.has(&Callback::Exited(ProcessStatus::Exited(code))));
        }
        for signal in [Signal::TERM, Signal::KILL, Signal::HUP, Signal::USR1] {
            let notes = fixture.run(Command::new("cat"), config(), move |process, callbacks| {
                if *callbacks == Callback::Started {
                    process.signal(signal).expect("it runs");
                }
            });
            assert_eq!(notes.status().signal(), Some(signal));
            assert!(!notes.status().is_success());
        }
    });
}

#[test]
fn invalid_signals() {
    on_every_engine("no signal", |fixture| {
        let (process, notes) = fixture.spawn(Command::new("cat"), config(), ignore);
        for number in [-1, 0, 12_345] {
            let refused = process.signal(Signal::from_raw(number));
            assert!(matches!(refused, Err(SignalError::NoSuchSignal(_))), "{number}: {refused:?}");
        }
        process.kill().expect("it runs");
        fixture.until(|| notes.is_over());
    });
}

#[test]
fn a_child_that_ignores_sigterm_is_killed_after_the_grace_time() {
    on_every_engine("an obstinate child", |fixture| {
        let grace = Duration::from_millis(60);
        let asked = Rc::new(RefCell::new(None));
        let when = asked.clone();
        let script = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
        let notes = fixture.run(sh(script), config(), move |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) {
                *when.borrow_mut() = Some(Instant::now());
                process.terminate(LONG).expect("it runs");
                process.terminate(grace).expect("it runs");
            }
        });
        assert_eq!(notes.status().signal(), Some(Signal::KILL));
        let took = asked.borrow().expect("it was asked").elapsed();
        assert!(took >= grace && took < LONG, "killed after {took:?}");
    });
}

#[test]
fn a_child_that_handles_sigterm_exits_by_itself() {
    on_every_engine("a good child", |fixture| {
        let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
        let asked = Cell::new(false);
        let notes = fixture.run(sh(script), config(), move |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) && !asked.replace(true) {
                process.terminate(LONG).expect("it runs");
            }
        });
        assert_eq!(notes.status(), ProcessStatus::Exited(7));
        assert_eq!(notes.out(), "ready\nbye\n");
        assert_eq!(fixture.reactor.leak_report().timers, 0, "the grace is over with the child");
    });
}

/// The child has exited, while a grandchild still writes.
#[test]
fn a_grandchild_that_holds_the_pipes_is_awaited() {
    on_every_engine("a grandchild", |fixture| {
        // The grandchild continues when the extra pipe is closed, which the test does after the exit.
        let script = "(read line <&3; echo from the grandchild) & exit 5";
        let notes = fixture.run(sh(script), config().write_to(ChildFd(3)), |process, callbacks| {
            if let Callback::Exited(status) = callbacks {
                assert_eq!(*status, ProcessStatus::Exited(5));
                process.channel(ChildFd(3)).expect("the grandchild has it").write(b"go\n");
            }
        });
        let exited = Callback::Exited(ProcessStatus::Exited(5));
        let received = Callback::Received(ChildFd::STDOUT);
        assert!(notes.position(&exited) < notes.position(&received), "{:?}", notes.callbacks());
        assert_eq!(notes.out(), "from the grandchild\n");
        assert_eq!(notes.status(), ProcessStatus::Exited(5));
    });
}

#[test]
fn a_dropped_handle_changes_nothing() {
    on_every_engine("a dropped handle", |fixture| {
        let (process, notes) = fixture.spawn(sh("cat >/dev/null; exit 2"), config(), ignore);
        process.close_stdin();
        drop(process);
        fixture.until(|| notes.is_over());
        assert_eq!(notes.status(), ProcessStatus::Exited(2));
    });
}

/// A panic in any callback kills the child, and only `ended` follows.
#[test]
fn a_panic_kills_the_child() {
    let moments: [fn(&Callback) -> bool; 5] = [
        |callbacks| *callbacks == Callback::Started,
        |callbacks| *callbacks == Callback::Received(ChildFd::STDOUT),
        |callbacks| *callbacks == Callback::Closed(ChildFd::STDERR),
        |callbacks| matches!(callbacks, Callback::Exited(_)),
        |callbacks| matches!(callbacks, Callback::Ended(_)),
    ];
    with_panics("a panic", moments.len() as u64, |fixture| {
        for (at, is_moment) in moments.into_iter().enumerate() {
            let script = "echo hello; exec 2>&-; read line; exit 0";
            let notes = fixture.run(sh(script), config(), move |process, callbacks| {
                if is_moment(callbacks) {
                    panic!("on purpose, {callbacks:?}");
                }
                if *callbacks == Callback::Received(ChildFd::STDOUT) && at > 2 {
                    process.write(b"\n");
                }
            });
            let callbacks = notes.callbacks();
            let thrown = callbacks.iter().position(is_moment).expect("it came to that");
            let after: Vec<_> = callbacks[thrown + 1..].iter().collect();
            assert!(
                after.iter().all(|callbacks| matches!(callbacks, Callback::Ended(_))),
                "{callbacks:?}"
            );
            let status = notes.status();
            assert_eq!(status.signal(), (at <= 2).then_some(Signal::KILL), "{callbacks:?}");
        }
    });
}

/// The reactor is stopped while a child runs: the callbacks.
fn stopped(fixture: &Fixture, at_stop: AtStop) -> Vec<Callback> {
    let (recorder, notes) = Recorder::new(|process, callbacks| {
        if *callbacks == Callback::Received(ChildFd::STDOUT) {
            let _ = process.reactor().unwrap().stop();
        }
    });
    let command = sh("echo ready; exec cat");
    let config = config().at_stop(at_stop);
    let process = fixture.reactor.spawn_process_with(recorder, command, config).expect("it starts");
    fixture.reactor.run().expect("it is stopped");
    notes.status();
    assert_eq!(process.write(b"late"), WriteStatus::Closed);
    notes.callbacks()
}

#[test]
fn a_stop_kills_running_children() {
    on_every_engine("a stop", |fixture| {
        let callbacks = stopped(fixture, AtStop::Kill);
        let (Some(Callback::Ended(status)), exits) = (
            callbacks.last(),
            callbacks.iter().filter(|callbacks| matches!(callbacks, Callback::Exited(_))).count(),
        ) else {
            panic!("{callbacks:?}")
        };
        assert_eq!((status.signal(), exits), (Some(Signal::KILL), 1));
    });
}

#[test]
fn a_stop_leaves_detached_children() {
    on_every_engine("a stop that leaves", |fixture| {
        let callbacks = stopped(fixture, AtStop::Leave);
        assert_eq!(callbacks.last(), Some(&Callback::Ended(ProcessStatus::LeftRunning)));
        assert!(
            !callbacks.iter().any(|callbacks| matches!(callbacks, Callback::Exited(_))),
            "{callbacks:?}"
        );
    });
}

#[test]
fn an_end_can_be_awaited() {
    on_every_engine("awaiting", |fixture| {
        let (recorder, _) = Recorder::new(ignore);
        let process = fixture.reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
        let status = fixture.reactor.run_until(process.when_ended()).expect("the run ends with it");
        assert_eq!(status.expect("it ends"), ProcessStatus::Exited(4));
    });
}

/// Calls to the protocol before its end, after it, and after the reactor's end: the closure runs as long as there is
/// a loop.
#[test]
fn ended_can_be_awaited_at_any_time() {
    on_every_engine("callbacks", |fixture| {
        let (recorder, _) = Recorder::new(ignore);
        let process = fixture.reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
        let callbacks = Rc::new(RefCell::new(Vec::new()));
        let note = |when: &'static str| {
            let callbacks = callbacks.clone();
            process.when_ended().then(move |_, status| {
                callbacks.borrow_mut().push((when, status.expect("it ends").code()));
            });
        };
        note("before");
        fixture.until(|| process.status().is_some() && !callbacks.borrow().is_empty());
        note("after");
        fixture.until(|| callbacks.borrow().len() == 2);
        assert_eq!(*callbacks.borrow(), [("before", Some(4)), ("after", Some(4))]);
    });
    let (recorder, _) = Recorder::new(ignore);
    crate::support::watchdog::watch_this_test();
    let reactor = Reactor::new().expect("a reactor");
    let process = reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
    drop(reactor);
    assert!(process.when_ended().is_settled());
}

/// Graceful shutdown: children are asked to end, and awaited.
#[test]
fn a_stop_can_wait_for_children() {
    on_every_engine("a stop in order", |fixture| {
        let script = "trap 'exit 6' TERM; echo ready; while :; do sleep 0.02; done";
        let (recorder, notes) = Recorder::new(|process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) {
                let _ = process.reactor().unwrap().stop();
            }
        });
        let process = fixture.reactor.spawn_process(recorder, sh(script)).expect("it starts");
        fixture.reactor.on(Phase::BeforeShutdown, move |reactor| {
            let _ = process.terminate(LONG);
            let (promise, deferred) = reactor.promise();
            process.when_ended().then(move |_, _| promise.resolve(()));
            deferred
        });
        fixture.reactor.run().expect("it is stopped");
        assert_eq!(notes.status(), ProcessStatus::Exited(6));
    });
}
