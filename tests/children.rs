//! A thousand short-lived child processes in a row, and many at once, on every engine: no zombies and no leaked
//! descriptors. One test, since children and descriptors are per process.

#![cfg(target_os = "linux")]

#[path = "support/watchdog.rs"]
mod watchdog;

use std::{cell::Cell, fs, process::Command, rc::Rc, time::Duration};

use sinew::prelude::*;
use watchdog::Watchdog;

const CHILDREN: usize = 1_000;
const CROWD: usize = 40;

/// Starts the next child when this one has ended.
struct Relay {
    left: Rc<Cell<usize>>,
    said: usize,
}

fn next(reactor: &Reactor, left: &Rc<Cell<usize>>) {
    let relay = Relay { left: left.clone(), said: 0 };
    reactor.spawn_process(relay, Command::new("true")).expect("there is room for one more");
}

impl ProcessProtocol for Relay {
    fn out_received(&mut self, _: &Process, data: &[u8]) {
        self.said += data.len();
    }

    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        assert!(status.is_success(), "{status}");
        assert_eq!(self.said, 0);
        self.left.set(self.left.get() - 1);
        if self.left.get() >= CROWD {
            next(&process.reactor().unwrap(), &self.left);
        } else if self.left.get() == 0 {
            let _ = process.reactor().unwrap().stop();
        }
    }
}

/// One of many: prints its number, and exits with it as its status.
struct Counted {
    number: i32,
    said: Vec<u8>,
    left: Rc<Cell<usize>>,
}

impl ProcessProtocol for Counted {
    fn out_received(&mut self, _: &Process, data: &[u8]) {
        self.said.extend_from_slice(data);
    }

    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        assert_eq!(*status, ProcessStatus::Exited(self.number));
        assert_eq!(self.said, format!("{}\n", self.number).as_bytes());
        self.left.set(self.left.get() - 1);
        if self.left.get() == 0 {
            let _ = process.reactor().unwrap().stop();
        }
    }
}

/// Open descriptors of this process, except the one used for reading the list.
fn descriptors() -> Vec<String> {
    let mut open: Vec<_> = fs::read_dir("/proc/self/fd")
        .expect("this is Linux")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    open.retain(|fd| fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
    open.sort_unstable();
    open
}

/// Children of this process, in any state.
fn children() -> Vec<String> {
    let mut found = Vec::new();
    for task in fs::read_dir("/proc/self/task").expect("this is Linux") {
        let path = task.expect("a thread").path().join("children");
        let of_thread = fs::read_to_string(path).unwrap_or_default();
        found.extend(of_thread.split_whitespace().map(str::to_owned));
    }
    found
}

/// Messages of panics in callbacks would be lost otherwise.
fn run(engine: Engine, scenario: impl Fn(&Reactor)) {
    let before = descriptors();
    let reactor = Reactor::builder().engine(engine).build().expect("it is available");
    scenario(&reactor);
    reactor.run().expect("it is stopped");
    assert_eq!(reactor.stats().panics, 0);
    assert_eq!(children(), [""; 0], "on {engine}");
    drop(reactor);
    // The signal pipe is opened once and stays open for the life of the process.
    let after = descriptors();
    assert!(after.len() <= before.len() + PIPE, "on {engine}: {before:?}, then {after:?}");
}

/// The descriptors of the signal pipe, which stays open once a reactor has run.
const PIPE: usize = 2;

#[test]
fn nothing_is_left_of_them() {
    let _watchdog = Watchdog::within(Duration::from_secs(300), "thousands of children");
    for engine in Engine::available() {
        run(engine, |reactor| {
            let left = Rc::new(Cell::new(CHILDREN));
            // Several at a time, so that some exits happen in the same turn.
            (0..CROWD).for_each(|_| next(reactor, &left));
        });
        run(engine, |reactor| {
            let left = Rc::new(Cell::new(CROWD));
            for number in 0..CROWD as i32 {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("echo {number}; exit {number}")]);
                let counted = Counted { number, said: Vec::new(), left: left.clone() };
                reactor.spawn_process(counted, command).expect("there is room for a crowd");
            }
        });
        run(engine, |reactor| {
            // They would run forever; the shutdown kills them.
            for _ in 0..CROWD {
                struct Nobody;
                impl ProcessProtocol for Nobody {}
                reactor.spawn_process(Nobody, Command::new("cat")).expect("there is room");
            }
            reactor.call_soon(|reactor| {
                let _ = reactor.stop();
            });
        });
    }
}
