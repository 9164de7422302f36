//! Child processes with their own terminal.

use std::process::Command;

use sinew::{prelude::*, reactor::Signal, transports::WindowSize};

use super::kit::{Callback, config, ignore, on_every_engine, sh};

fn terminal() -> ProcessConfig {
    config().pty(WindowSize { rows: 12, columns: 34 })
}

#[test]
fn all_three_descriptors_are_the_terminal() {
    on_every_engine("a terminal", |fixture| {
        let script =
            "[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && tty >/dev/null && stty size && echo err >&2";
        let notes = fixture.run(sh(script), terminal(), ignore);
        // A terminal ends its lines in CRLF.
        assert_eq!(notes.out(), "12 34\r\nerr\r\n");
        assert!(notes.status().is_success());
        assert!(
            notes.has(&Callback::Closed(ChildFd::STDIN))
                && notes.has(&Callback::Closed(ChildFd::STDOUT))
        );
    });
}

/// It is the controlling terminal: `/dev/tty` can be opened, and control-C interrupts.
#[test]
fn the_terminal_controls_the_child() {
    on_every_engine("a controlling terminal", |fixture| {
        let script = "echo ready >/dev/tty; exec cat";
        let notes = fixture.run(sh(script), terminal(), |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) && process.status().is_none() {
                process.write(b"\x03");
            }
        });
        assert_eq!(notes.status().signal(), Some(Signal::INT), "{:?}", notes.out());
    });
}

#[test]
fn eof_can_be_typed() {
    on_every_engine("control-D", |fixture| {
        let script = "stty -echo; echo ready; exec cat";
        let mut typed = false;
        let notes = fixture.run(sh(script), terminal(), move |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT)
                && !std::mem::replace(&mut typed, true)
            {
                process.write(b"typed\n");
                process.close_stdin();
            }
        });
        assert_eq!(
            (notes.out().as_str(), notes.status()),
            ("ready\r\ntyped\r\n", ProcessStatus::Exited(0))
        );
    });
}

/// Several lines at once: a terminal returns one per read, and an edge-triggered engine reports once.
#[test]
fn large_output_arrives_completely() {
    on_every_engine("much output", |fixture| {
        let script = "stty -opost; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done";
        let notes = fixture.run(sh(script), terminal(), ignore);
        let expected: String = (0..3000).map(|at| format!("line {at}\n")).collect();
        assert_eq!(notes.out(), expected);
    });
}

#[test]
fn its_size_can_be_changed() {
    on_every_engine("a window", |fixture| {
        let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.02; done";
        let notes = fixture.run(sh(script), terminal(), |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) && process.status().is_none() {
                process.set_window_size(WindowSize { rows: 50, columns: 100 }).expect("it has one");
            }
        });
        assert_eq!(notes.out(), "ready\r\n50 100\r\n");

        let (process, notes) = fixture.spawn(Command::new("cat"), config(), ignore);
        assert!(process.set_window_size(WindowSize::default()).is_err(), "it has none");
        process.close_stdin();
        fixture.until(|| notes.is_over());
    });
}

/// Its output is not read, so it blocks. The loop must not be busy.
#[test]
fn a_paused_terminal_is_quiet() {
    on_every_engine("a paused terminal", |fixture| {
        let mut pauses = 1;
        let (process, notes) = fixture.spawn(sh("yes"), terminal(), move |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT) && pauses > 0 {
                pauses -= 1;
                process.pause_reading(ChildFd::STDOUT);
            }
        });
        fixture.until(|| notes.has(&Callback::Received(ChildFd::STDOUT)));
        let later = std::rc::Rc::new(std::cell::Cell::new(false));
        let flag = later.clone();
        fixture.reactor.call_later(std::time::Duration::from_millis(100), move |_| flag.set(true));
        let before = fixture.reactor.stats().turns;
        fixture.until(|| later.get());
        let turns = fixture.reactor.stats().turns - before;
        assert!(turns < 20, "{turns} turns on {} while nothing is wanted", fixture.engine);
        process.kill().expect("it runs");
        process.resume_reading(ChildFd::STDOUT);
        fixture.until(|| notes.is_over());
        assert_eq!(notes.status().signal(), Some(Signal::KILL));
    });
}
