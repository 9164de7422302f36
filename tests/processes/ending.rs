//! How children end, by themselves and otherwise.

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

use super::kit::{Recorder, Stage, Told, config, ignore, on_every_engine, sh, with_panics};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn exit_codes_and_signals_are_told_apart() {
    on_every_engine("exit codes", |stage| {
        for code in [0, 1, 42, 255] {
            let notes = stage.run(sh(&format!("exit {code}")), config(), ignore);
            assert_eq!(notes.status(), ProcessStatus::Exited(code));
            assert!(notes.has(&Told::Exited(ProcessStatus::Exited(code))));
        }
        for signal in [Signal::TERM, Signal::KILL, Signal::HUP, Signal::USR1] {
            let notes = stage.run(Command::new("cat"), config(), move |process, told| {
                if *told == Told::Started {
                    process.signal(signal).expect("it runs");
                }
            });
            assert_eq!(notes.status().signal(), Some(signal));
            assert!(!notes.status().is_success());
        }
    });
}

#[test]
fn signals_that_there_are_not() {
    on_every_engine("no signal", |stage| {
        let (process, notes) = stage.spawn(Command::new("cat"), config(), ignore);
        for number in [-1, 0, 12_345] {
            let refused = process.signal(Signal::from_raw(number));
            assert!(matches!(refused, Err(SignalError::NoSuchSignal(_))), "{number}: {refused:?}");
        }
        process.kill().expect("it runs");
        stage.until(|| notes.is_over());
    });
}

#[test]
fn one_that_ignores_sigterm_is_killed_after_its_grace() {
    on_every_engine("an obstinate child", |stage| {
        let grace = Duration::from_millis(60);
        let asked = Rc::new(RefCell::new(None));
        let when = asked.clone();
        let script = "trap '' TERM; echo ready; while :; do sleep 0.02; done";
        let notes = stage.run(sh(script), config(), move |process, told| {
            if *told == Told::Received(ChildFd::STDOUT) {
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
fn one_that_heeds_sigterm_has_its_own_end() {
    on_every_engine("a good child", |stage| {
        let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done";
        let asked = Cell::new(false);
        let notes = stage.run(sh(script), config(), move |process, told| {
            if *told == Told::Received(ChildFd::STDOUT) && !asked.replace(true) {
                process.terminate(LONG).expect("it runs");
            }
        });
        assert_eq!(notes.status(), ProcessStatus::Exited(7));
        assert_eq!(notes.out(), "ready\nbye\n");
        assert_eq!(stage.reactor.leak_report().timers, 0, "the grace is over with the child");
    });
}

/// The child is gone, and what it has started still writes.
#[test]
fn a_grandchild_that_holds_the_pipes_is_waited_for() {
    on_every_engine("a grandchild", |stage| {
        // It goes on when the further pipe is closed, which the test does when the child has exited.
        let script = "(read line <&3; echo from the grandchild) & exit 5";
        let notes = stage.run(sh(script), config().write_to(ChildFd(3)), |process, told| {
            if let Told::Exited(status) = told {
                assert_eq!(*status, ProcessStatus::Exited(5));
                process.channel(ChildFd(3)).expect("the grandchild has it").write(b"go\n");
            }
        });
        let exited = Told::Exited(ProcessStatus::Exited(5));
        let received = Told::Received(ChildFd::STDOUT);
        assert!(notes.position(&exited) < notes.position(&received), "{:?}", notes.told());
        assert_eq!(notes.out(), "from the grandchild\n");
        assert_eq!(notes.status(), ProcessStatus::Exited(5));
    });
}

#[test]
fn a_dropped_handle_changes_nothing() {
    on_every_engine("a dropped handle", |stage| {
        let (process, notes) = stage.spawn(sh("cat >/dev/null; exit 2"), config(), ignore);
        process.close_stdin();
        drop(process);
        stage.until(|| notes.is_over());
        assert_eq!(notes.status(), ProcessStatus::Exited(2));
    });
}

/// Whatever is told, a panic in it kills the child, and `ended` is all that follows.
#[test]
fn a_panic_kills_the_child() {
    let moments: [fn(&Told) -> bool; 5] = [
        |told| *told == Told::Started,
        |told| *told == Told::Received(ChildFd::STDOUT),
        |told| *told == Told::Closed(ChildFd::STDERR),
        |told| matches!(told, Told::Exited(_)),
        |told| matches!(told, Told::Ended(_)),
    ];
    with_panics("a panic", moments.len() as u64, |stage| {
        for (at, is_moment) in moments.into_iter().enumerate() {
            let script = "echo hello; exec 2>&-; read line; exit 0";
            let notes = stage.run(sh(script), config(), move |process, told| {
                if is_moment(told) {
                    panic!("on purpose, {told:?}");
                }
                if *told == Told::Received(ChildFd::STDOUT) && at > 2 {
                    process.write(b"\n");
                }
            });
            let told = notes.told();
            let thrown = told.iter().position(is_moment).expect("it came to that");
            let after: Vec<_> = told[thrown + 1..].iter().collect();
            assert!(after.iter().all(|told| matches!(told, Told::Ended(_))), "{told:?}");
            let status = notes.status();
            assert_eq!(status.signal(), (at <= 2).then_some(Signal::KILL), "{told:?}");
        }
    });
}

/// A run that is stopped while a child runs, and what is told of it.
fn stopped(stage: &Stage, at_stop: AtStop) -> Vec<Told> {
    let (recorder, notes) = Recorder::new(|process, told| {
        if *told == Told::Received(ChildFd::STDOUT) {
            let _ = process.reactor().unwrap().stop();
        }
    });
    let command = sh("echo ready; exec cat");
    let config = config().at_stop(at_stop);
    let process = stage.reactor.spawn_process_with(recorder, command, config).expect("it starts");
    stage.reactor.run().expect("it is stopped");
    notes.status();
    assert_eq!(process.write(b"late"), WriteStatus::Closed);
    notes.told()
}

#[test]
fn a_stop_kills_what_still_runs() {
    on_every_engine("a stop", |stage| {
        let told = stopped(stage, AtStop::Kill);
        let (Some(Told::Ended(status)), exits) =
            (told.last(), told.iter().filter(|told| matches!(told, Told::Exited(_))).count())
        else {
            panic!("{told:?}")
        };
        assert_eq!((status.signal(), exits), (Some(Signal::KILL), 1));
    });
}

#[test]
fn a_stop_leaves_what_is_to_be_left() {
    on_every_engine("a stop that leaves", |stage| {
        let told = stopped(stage, AtStop::Leave);
        assert_eq!(told.last(), Some(&Told::Ended(ProcessStatus::LeftRunning)));
        assert!(!told.iter().any(|told| matches!(told, Told::Exited(_))), "{told:?}");
    });
}

#[test]
fn an_end_can_be_awaited() {
    on_every_engine("awaiting", |stage| {
        let (recorder, _) = Recorder::new(ignore);
        let process = stage.reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
        let status = stage.reactor.run_until(process.when_ended()).expect("the run ends with it");
        assert_eq!(status.expect("it ends"), ProcessStatus::Exited(4));
    });
}

/// Before the end and after it, and after the reactor's: a callback is called as long as there is a loop to call it.
#[test]
fn an_end_is_told_to_callbacks_whenever_they_come() {
    on_every_engine("callbacks", |stage| {
        let (recorder, _) = Recorder::new(ignore);
        let process = stage.reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
        let told = Rc::new(RefCell::new(Vec::new()));
        let note = |when: &'static str| {
            let told = told.clone();
            process.when_ended().then(move |_, status| {
                told.borrow_mut().push((when, status.expect("it ends").code()));
            });
        };
        note("before");
        stage.until(|| process.status().is_some() && !told.borrow().is_empty());
        note("after");
        stage.until(|| told.borrow().len() == 2);
        assert_eq!(*told.borrow(), [("before", Some(4)), ("after", Some(4))]);
    });
    let (recorder, _) = Recorder::new(ignore);
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().expect("a reactor");
    let process = reactor.spawn_process(recorder, sh("exit 4")).expect("it starts");
    drop(reactor);
    assert!(process.when_ended().is_settled());
}

/// A stop in good order: children are asked to end, and waited for.
#[test]
fn a_stop_can_wait_for_children() {
    on_every_engine("a stop in order", |stage| {
        let script = "trap 'exit 6' TERM; echo ready; while :; do sleep 0.02; done";
        let (recorder, notes) = Recorder::new(|process, told| {
            if *told == Told::Received(ChildFd::STDOUT) {
                let _ = process.reactor().unwrap().stop();
            }
        });
        let process = stage.reactor.spawn_process(recorder, sh(script)).expect("it starts");
        stage.reactor.on(Phase::BeforeShutdown, move |reactor| {
            let _ = process.terminate(LONG);
            let (promise, deferred) = reactor.promise();
            process.when_ended().then(move |_, _| promise.resolve(()));
            deferred
        });
        stage.reactor.run().expect("it is stopped");
        assert_eq!(notes.status(), ProcessStatus::Exited(6));
    });
}
