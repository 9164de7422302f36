//! A process protocol that records its callbacks and checks their order; and the fixture around it.

use std::{
    cell::{Cell, RefCell},
    process::Command,
    rc::Rc,
    time::Duration,
};

use sinew::{prelude::*, transports::SpawnError};

use crate::support::watchdog::Watchdog;

/// The callbacks in order; of received data only the direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    Started,
    Received(ChildFd),
    Closed(ChildFd),
    Paused(ChildFd),
    Resumed(ChildFd),
    Exited(ProcessStatus),
    Ended(ProcessStatus),
}

#[derive(Default)]
pub(crate) struct Notes {
    callbacks: RefCell<Vec<Callback>>,
    received: RefCell<Vec<(ChildFd, Vec<u8>)>>,
    dropped: Cell<bool>,
}

/// The action of a scenario on a callback.
type Act = Box<dyn FnMut(&Process, &Callback)>;

/// A recording process protocol.
pub(crate) struct Recorder {
    notes: Rc<Notes>,
    act: Act,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.notes.dropped.set(true);
    }
}

impl Notes {
    pub(crate) fn callbacks(&self) -> Vec<Callback> {
        self.callbacks.borrow().clone()
    }

    pub(crate) fn received(&self, fd: ChildFd) -> Vec<u8> {
        let received = self.received.borrow();
        received.iter().filter(|(from, _)| *from == fd).flat_map(|(_, data)| data.clone()).collect()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.received(ChildFd::STDOUT)).into_owned()
    }

    pub(crate) fn has(&self, what: &Callback) -> bool {
        self.callbacks.borrow().contains(what)
    }

    pub(crate) fn position(&self, what: &Callback) -> usize {
        let callbacks = self.callbacks();
        callbacks
            .iter()
            .position(|callbacks| callbacks == what)
            .unwrap_or_else(|| panic!("no {what:?} in {callbacks:?}"))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.dropped.get()
    }

    /// The record; checks the callback contract if the process has ended.
    pub(crate) fn status(&self) -> ProcessStatus {
        let callbacks = self.callbacks();
        assert!(self.dropped.get(), "the protocol is kept: {callbacks:?}");
        let count = |what: fn(&Callback) -> bool| {
            callbacks.iter().filter(|callbacks| what(callbacks)).count()
        };
        assert_eq!(callbacks.first(), Some(&Callback::Started), "{callbacks:?}");
        assert_eq!(count(|callbacks| *callbacks == Callback::Started), 1, "{callbacks:?}");
        assert_eq!(count(|callbacks| matches!(callbacks, Callback::Ended(_))), 1, "{callbacks:?}");
        assert!(count(|callbacks| matches!(callbacks, Callback::Exited(_))) <= 1, "{callbacks:?}");
        for (at, closed) in callbacks.iter().enumerate() {
            let Callback::Closed(fd) = closed else { continue };
            let later = &callbacks[at + 1..];
            assert!(
                !later.contains(&Callback::Received(*fd)),
                "{fd:?} goes on after its end: {callbacks:?}"
            );
            assert!(!later.contains(closed), "{fd:?} ends twice: {callbacks:?}");
        }
        match callbacks.last() {
            Some(Callback::Ended(status)) => *status,
            last => panic!("{last:?} comes last: {callbacks:?}"),
        }
    }
}

impl Recorder {
    pub(crate) fn new(act: impl FnMut(&Process, &Callback) + 'static) -> (Self, Rc<Notes>) {
        let notes = Rc::new(Notes::default());
        (Self { notes: notes.clone(), act: Box::new(act) }, notes)
    }

    fn note(&mut self, process: &Process, callbacks: Callback) {
        let mut all = self.notes.callbacks.borrow_mut();
        // Consecutive equal callbacks are merged.
        if !matches!(callbacks, Callback::Received(_)) || all.last() != Some(&callbacks) {
            all.push(callbacks.clone());
        }
        drop(all);
        (self.act)(process, &callbacks);
    }
}

impl ProcessProtocol for Recorder {
    fn started(&mut self, process: &Process) {
        self.note(process, Callback::Started);
    }

    fn data_received(&mut self, process: &Process, fd: ChildFd, data: &[u8]) {
        self.notes.received.borrow_mut().push((fd, data.to_vec()));
        self.note(process, Callback::Received(fd));
    }

    fn channel_closed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Callback::Closed(fd));
    }

    fn input_paused(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Callback::Paused(fd));
    }

    fn input_resumed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Callback::Resumed(fd));
    }

    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        self.note(process, Callback::Exited(*status));
    }

    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        self.note(process, Callback::Ended(*status));
    }
}

/// A reactor with one engine, for one scenario.
pub(crate) struct Fixture {
    pub(crate) engine: Engine,
    pub(crate) reactor: Reactor,
    _watchdog: Watchdog,
}

/// Runs a scenario on every available engine. At the end, nothing may be left, and nothing may have panicked.
pub(crate) fn on_every_engine(what: &str, scenario: impl Fn(&Fixture)) {
    with_panics(what, 0, scenario);
}

/// The same, with this many panics expected in callbacks.
pub(crate) fn with_panics(what: &str, panics: u64, scenario: impl Fn(&Fixture)) {
    for engine in Engine::available() {
        let watchdog = Watchdog::new(format!("{what} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");
        let fixture = Fixture { engine, reactor, _watchdog: watchdog };
        scenario(&fixture);
        let leak_report = fixture.reactor.leak_report();
        assert!(leak_report.is_empty(), "left on {engine}: {leak_report}");
        assert_eq!(fixture.reactor.stats().panics, panics, "in callbacks; see above");
    }
}

impl Fixture {
    /// Runs the loop until a condition holds.
    pub(crate) fn until(&self, done: impl Fn() -> bool) {
        while !done() {
            self.reactor.turn(Some(Duration::from_secs(10))).expect("the loop turns");
        }
    }

    pub(crate) fn spawn(
        &self,
        command: Command,
        config: ProcessConfig,
        act: impl FnMut(&Process, &Callback) + 'static,
    ) -> (Process, Rc<Notes>) {
        let (recorder, notes) = Recorder::new(act);
        let spawned = self.reactor.spawn_process_with(recorder, command, config);
        (spawned.expect("it can be started"), notes)
    }

    /// Runs until the process has ended.
    pub(crate) fn run(
        &self,
        command: Command,
        config: ProcessConfig,
        act: impl FnMut(&Process, &Callback) + 'static,
    ) -> Rc<Notes> {
        let (_, notes) = self.spawn(command, config, act);
        self.until(|| notes.is_over());
        notes
    }

    /// The error of a command that cannot be started.
    pub(crate) fn spawn_error(&self, command: Command, config: ProcessConfig) -> SpawnError {
        let (recorder, notes) = Recorder::new(|_, _| {});
        let error = self.reactor.spawn_process_with(recorder, command, config);
        let error = error.expect_err("it cannot be started");
        assert!(!notes.is_over(), "no call drops what is the user's");
        self.until(|| notes.is_over());
        assert_eq!(notes.callbacks(), [], "nothing is told of a child that never was");
        error
    }
}

/// A shell command.
pub(crate) fn sh(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

pub(crate) fn config() -> ProcessConfig {
    ProcessConfig::default()
}

pub(crate) fn ignore(_: &Process, _: &Callback) {}
