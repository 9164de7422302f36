//! Input and output of child processes.

use std::{
    cell::{Cell, RefCell},
    process::Command,
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::{ChildIo, SignalError},
};

use super::kit::{Callback, config, ignore, on_every_engine, sh};

const MEGABYTES: usize = 4 << 20;

/// Position-dependent bytes.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn cat_echoes() {
    on_every_engine("cat", |fixture| {
        let notes =
            fixture.run(Command::new("cat"), config(), |process, callbacks| match callbacks {
                Callback::Started => assert_eq!(process.write(b"hello"), WriteStatus::Ok),
                Callback::Received(_) => process.close_stdin(),
                Callback::Ended(_) => assert_eq!(process.write(b"late"), WriteStatus::Closed),
                _ => {}
            });
        assert_eq!(notes.out(), "hello");
        assert_eq!(notes.status(), ProcessStatus::Exited(0));
        for fd in [ChildFd::STDIN, ChildFd::STDOUT, ChildFd::STDERR] {
            assert!(notes.has(&Callback::Closed(fd)), "{fd:?} is never closed");
        }
    });
}

#[test]
fn megabytes_both_ways() {
    on_every_engine("megabytes", |fixture| {
        let data = noise(MEGABYTES);
        let bytes = data.clone();
        let notes = fixture.run(Command::new("cat"), config(), move |process, callbacks| {
            if *callbacks == Callback::Started {
                assert_eq!(process.write(&bytes), WriteStatus::AboveHighWatermark);
                process.close_stdin();
            }
        });
        assert!(notes.received(ChildFd::STDOUT) == data, "what came back is not what was sent");
        assert!(
            notes.has(&Callback::Paused(ChildFd::STDIN))
                && notes.has(&Callback::Resumed(ChildFd::STDIN))
        );
        assert!(notes.status().is_success());
    });
}

/// It reads nothing until it gets a signal, and then counts.
#[test]
fn a_child_that_does_not_read_applies_backpressure() {
    on_every_engine("a slow reader", |fixture| {
        let waits = "trap 'exec wc -c' USR1; echo ready; while :; do sleep 0.02; done";
        let (process, notes) = fixture.spawn(sh(waits), config(), |process, callbacks| {
            if *callbacks == Callback::Received(ChildFd::STDOUT)
                && process.channel(ChildFd::STDIN).is_some()
            {
                process.write(&noise(MEGABYTES));
            }
        });
        let paused = || notes.has(&Callback::Paused(ChildFd::STDIN));
        fixture.until(paused);
        assert!(!notes.has(&Callback::Resumed(ChildFd::STDIN)), "nobody has read anything");
        let stdin = process.channel(ChildFd::STDIN).expect("it is open");
        assert!(stdin.queued() > MEGABYTES / 2, "{} bytes are queued", stdin.queued());
        process.close_stdin();
        process.signal(sinew::reactor::Signal::USR1).expect("it runs");
        fixture.until(|| notes.is_over());
        assert_eq!(notes.out().trim_start_matches("ready\n").trim(), MEGABYTES.to_string());
        assert!(notes.status().is_success());
    });
}

/// Its output is paused: the child fills the pipe and blocks. Then everything arrives.
#[test]
fn a_child_whose_output_is_paused_blocks() {
    on_every_engine("a slow parent", |fixture| {
        let command = sh("head -c 4194304 /dev/zero; echo done >&2");
        let (process, notes) = fixture.spawn(command, config(), |process, callbacks| {
            if *callbacks == Callback::Started {
                process.pause_reading(ChildFd::STDOUT);
            }
        });
        let other = sh("echo");
        // Another child runs meanwhile; this one neither ends nor keeps the loop busy.
        fixture.run(other, config(), ignore);
        assert_eq!((notes.out().len(), process.status()), (0, None));
        process.resume_reading(ChildFd::STDOUT);
        fixture.until(|| notes.is_over());
        assert_eq!(notes.received(ChildFd::STDOUT).len(), MEGABYTES);
        assert_eq!(notes.received(ChildFd::STDERR), b"done\n");
    });
}

#[test]
fn stdout_and_stderr_are_separate_and_complete() {
    on_every_engine("out and err", |fixture| {
        let script = "i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
        let notes = fixture.run(sh(script), config(), ignore);
        let expected = |word: &str| {
            (0..500).map(|at| format!("{word} {at}\n")).collect::<String>().into_bytes()
        };
        assert_eq!(notes.received(ChildFd::STDOUT), expected("out"));
        assert_eq!(notes.received(ChildFd::STDERR), expected("err"));
    });
}

#[test]
fn additional_descriptors_keep_their_numbers() {
    on_every_engine("further descriptors", |fixture| {
        // Descriptor numbers that are in use in the parent, and free ones.
        for (reads, writes) in [(ChildFd(3), ChildFd(4)), (ChildFd(9), ChildFd(7))] {
            let script = format!("cat <&{}; echo bye >&{}", writes.0, reads.0);
            let notes = fixture.run(
                sh(&script),
                config().read_from(reads).write_to(writes),
                move |process, callbacks| {
                    if *callbacks == Callback::Started {
                        let channel = process.channel(writes).expect("it was asked for");
                        channel.write(b"through a further pipe");
                        channel.lose_connection();
                        let read_only = process.channel(reads).expect("it was asked for");
                        assert_eq!(read_only.write(b"no"), WriteStatus::Closed);
                    }
                },
            );
            assert_eq!(notes.out(), "through a further pipe");
            assert_eq!(notes.received(reads), b"bye\n");
            assert!(notes.has(&Callback::Closed(reads)) && notes.has(&Callback::Closed(writes)));
            assert!(notes.status().is_success());
        }
    });
}

/// A child inherits only the intended descriptors of the parent.
#[test]
#[cfg(target_os = "linux")]
fn nothing_else_is_inherited() {
    on_every_engine("inherited descriptors", |fixture| {
        let (other, life) = fixture.spawn(Command::new("cat"), config(), ignore);
        let list = "for fd in /proc/self/fd/*; do [ -e $fd ] && echo ${fd##*/}; done";
        let notes = fixture.run(sh(list), config().read_from(ChildFd(5)), ignore);
        // Descriptors that this process inherited without close-on-exec are inherited by every child.
        let plain = sh(list).stdin(std::process::Stdio::piped()).output().expect("a shell");
        let plain = String::from_utf8(plain.stdout).expect("numbers");
        let mut expected: Vec<_> = plain.split_whitespace().chain(["5"]).collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(notes.out().split_whitespace().collect::<Vec<_>>(), expected);
        other.close_stdin();
        fixture.until(|| life.is_over());
    });
}

#[test]
fn the_command_may_say_where_output_goes() {
    on_every_engine("as commanded", |fixture| {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = sh("cat; echo out; echo err >&2");
        command.stdin(std::process::Stdio::null()).stdout(writer);
        let config = config().stdin(ChildIo::FromCommand).stdout(ChildIo::FromCommand);
        let notes = fixture.run(command, config, ignore);
        assert_eq!(
            (notes.out().as_str(), notes.received(ChildFd::STDERR)),
            ("", b"err\n".to_vec())
        );
        let mut out = String::new();
        std::io::Read::read_to_string(&mut reader, &mut out).expect("the child has written");
        assert_eq!(out, "out\n");
        assert!(!notes.has(&Callback::Closed(ChildFd::STDOUT)));
    });
}

/// It closes its input and continues; nothing was written meanwhile.
#[test]
fn a_closed_standard_input_is_noticed() {
    on_every_engine("a closed input", |fixture| {
        let closed = Rc::new(Cell::new(false));
        let flag = closed.clone();
        let script = "exec <&-; cat <&3; echo still here";
        let notes =
            fixture.run(sh(script), config().write_to(ChildFd(3)), move |process, callbacks| {
                if *callbacks == Callback::Closed(ChildFd::STDIN) {
                    flag.set(process.status().is_none());
                    process.channel(ChildFd(3)).expect("it is open").lose_connection();
                }
            });
        assert!(closed.get(), "it was told when it was all over anyway");
        assert_eq!(notes.out(), "still here\n");
    });
}

#[test]
fn a_stale_handle_is_inert() {
    on_every_engine("a handle of the past", |fixture| {
        let (process, notes) = fixture.spawn(sh("exit 3"), config(), ignore);
        fixture.until(|| notes.is_over());
        assert_eq!(process.status(), Some(ProcessStatus::Exited(3)));
        assert!(matches!(process.kill(), Err(SignalError::Exited)));
        assert!(process.channel(ChildFd::STDOUT).is_none());
        process.close_stdin();
        process.pause_reading(ChildFd::STDOUT);
        assert_eq!(process.when_ended().take(), Some(Ok(ProcessStatus::Exited(3))));
    });
}

/// Sends much data, and half-closes: so the program ends, and with it the connection.
struct Twice {
    received: Rc<std::cell::RefCell<Vec<u8>>>,
    lost: Rc<Cell<Option<bool>>>,
}

impl Protocol for Twice {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&noise(MEGABYTES));
        transport.close_write();
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.received.borrow_mut().extend_from_slice(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.lost.set(Some(reason.is_clean()));
    }
}

#[test]
fn a_program_as_a_connection() {
    on_every_engine("a program as a connection", |fixture| {
        let (received, lost) = (Rc::default(), Rc::new(Cell::new(None)));
        let twice = Twice { received: Rc::clone(&received), lost: lost.clone() };
        let command = sh("cat; exit 9");
        let (_, process) = fixture.reactor.connect_process(twice, command).expect("it starts");
        let ended = process.when_ended();
        fixture.until(|| lost.get().is_some() && ended.is_settled());
        assert_eq!((lost.get(), ended.take()), (Some(true), Some(Ok(ProcessStatus::Exited(9)))));
        assert!(*received.borrow() == noise(MEGABYTES), "what came back is not what was sent");

        let twice = Twice { received, lost };
        let missing = Command::new("no-such-program-anywhere");
        assert!(fixture.reactor.connect_process(twice, missing).is_err());
        fixture.reactor.turn(Some(std::time::Duration::ZERO)).expect("the loop turns");
    });
}

/// A program that stops reading may still have much to write: failed writes say nothing about reads.
#[test]
fn output_continues_after_a_program_closes_its_input() {
    struct Talks {
        heard: Rc<RefCell<Vec<u8>>>,
        lost: Rc<Cell<Option<bool>>>,
    }
    impl Protocol for Talks {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            // It has closed its input by now.
            transport.write(&noise(MEGABYTES));
            self.heard.borrow_mut().extend_from_slice(data);
        }
        fn read_closed(&mut self, _: &Transport) {
            panic!("what was written was not taken, so it is no clean end");
        }
        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            self.lost.set(Some(matches!(reason, ConnectionLost::Reset)));
        }
    }
    on_every_engine("a closed input", |fixture| {
        let (heard, lost) = (Rc::<RefCell<Vec<u8>>>::default(), Rc::new(Cell::new(None)));
        let talks = Talks { heard: Rc::clone(&heard), lost: lost.clone() };
        let sign = std::env::temp_dir().join(format!("sinew-{}-sign", std::process::id()));
        let _ = std::fs::remove_file(&sign);
        let script = format!(
            "exec 0<&-; echo enough; while ! [ -e {0} ]; do :; done; rm {0}; echo the rest",
            sign.display()
        );
        let (connection, _) =
            fixture.reactor.connect_process(talks, sh(&script)).expect("it starts");
        let transport = connection.transport();
        // Until a write has failed.
        fixture
            .until(|| heard.borrow().len() == 7 && transport.write(b"more") == WriteStatus::Closed);
        assert!(!transport.is_closing() && lost.get().is_none());
        std::fs::write(&sign, "").unwrap();
        fixture.until(|| lost.get().is_some());
        assert_eq!((&heard.borrow()[..], lost.get()), (&b"enough\nthe rest\n"[..], Some(true)));
    });
}

/// Fault injection on the pipes: short, interrupted and failing calls. Everything arrives all the same.
#[test]
fn under_faults() {
    on_every_engine("faults", |fixture| {
        let data = noise(200_000);
        let bytes = data.clone();
        let stream = StreamConfig::default().faults(sinew::transports::Faults::survivable(7));
        let notes =
            fixture.run(Command::new("cat"), config().stream(stream), move |process, callbacks| {
                if *callbacks == Callback::Started {
                    process.write(&bytes);
                    process.close_stdin();
                }
            });
        assert!(notes.received(ChildFd::STDOUT) == data, "what came back is not what was sent");
        assert!(notes.status().is_success());
    });
}
