//! A protocol that writes down all that it is told, and judges the order of it; and the loop around it.

use std::{
    cell::{Cell, RefCell},
    process::Command,
    rc::Rc,
    time::Duration,
};

use sinew::{prelude::*, transports::SpawnError};

use crate::watchdog::Watchdog;

/// What was told, in order; of what was received, only how it went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
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
    told: RefCell<Vec<Told>>,
    received: RefCell<Vec<(ChildFd, Vec<u8>)>>,
    dropped: Cell<bool>,
}

/// What a scenario does when something is told.
type Act = Box<dyn FnMut(&Process, &Told)>;

/// See the head of this file.
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
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.borrow().clone()
    }

    pub(crate) fn received(&self, fd: ChildFd) -> Vec<u8> {
        let received = self.received.borrow();
        received.iter().filter(|(from, _)| *from == fd).flat_map(|(_, data)| data.clone()).collect()
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.received(ChildFd::STDOUT)).into_owned()
    }

    pub(crate) fn has(&self, what: &Told) -> bool {
        self.told.borrow().contains(what)
    }

    pub(crate) fn position(&self, what: &Told) -> usize {
        let told = self.told();
        told.iter()
            .position(|told| told == what)
            .unwrap_or_else(|| panic!("no {what:?} in {told:?}"))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.dropped.get()
    }

    /// What became of it; and the laws of a process's life, of one that is over.
    pub(crate) fn status(&self) -> ProcessStatus {
        let told = self.told();
        assert!(self.dropped.get(), "the protocol is kept: {told:?}");
        let count = |what: fn(&Told) -> bool| told.iter().filter(|told| what(told)).count();
        assert_eq!(told.first(), Some(&Told::Started), "{told:?}");
        assert_eq!(count(|told| *told == Told::Started), 1, "{told:?}");
        assert_eq!(count(|told| matches!(told, Told::Ended(_))), 1, "{told:?}");
        assert!(count(|told| matches!(told, Told::Exited(_))) <= 1, "{told:?}");
        for (at, closed) in told.iter().enumerate() {
            let Told::Closed(fd) = closed else { continue };
            let later = &told[at + 1..];
            assert!(
                !later.contains(&Told::Received(*fd)),
                "{fd:?} goes on after its end: {told:?}"
            );
            assert!(!later.contains(closed), "{fd:?} ends twice: {told:?}");
        }
        match told.last() {
            Some(Told::Ended(status)) => *status,
            last => panic!("{last:?} comes last: {told:?}"),
        }
    }
}

impl Recorder {
    pub(crate) fn new(act: impl FnMut(&Process, &Told) + 'static) -> (Self, Rc<Notes>) {
        let notes = Rc::new(Notes::default());
        (Self { notes: notes.clone(), act: Box::new(act) }, notes)
    }

    fn note(&mut self, process: &Process, told: Told) {
        let mut all = self.notes.told.borrow_mut();
        // One after the other, they say no more than one does.
        if !matches!(told, Told::Received(_)) || all.last() != Some(&told) {
            all.push(told.clone());
        }
        drop(all);
        (self.act)(process, &told);
    }
}

impl ProcessProtocol for Recorder {
    fn started(&mut self, process: &Process) {
        self.note(process, Told::Started);
    }

    fn data_received(&mut self, process: &Process, fd: ChildFd, data: &[u8]) {
        self.notes.received.borrow_mut().push((fd, data.to_vec()));
        self.note(process, Told::Received(fd));
    }

    fn channel_closed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Told::Closed(fd));
    }

    fn input_paused(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Told::Paused(fd));
    }

    fn input_resumed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, Told::Resumed(fd));
    }

    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        self.note(process, Told::Exited(*status));
    }

    fn ended(&mut self, process: &Process, status: &ProcessStatus) {
        self.note(process, Told::Ended(*status));
    }
}

/// A reactor of one engine, for one scenario.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) reactor: Reactor,
    _watchdog: Watchdog,
}

/// Plays a scenario on every engine that there is. At the end, nothing may be left, and nothing may have panicked.
pub(crate) fn on_every_engine(what: &str, scenario: impl Fn(&Stage)) {
    with_panics(what, 0, scenario);
}

/// The same, of a scenario with so many panics in callbacks.
pub(crate) fn with_panics(what: &str, panics: u64, scenario: impl Fn(&Stage)) {
    for engine in Engine::available() {
        let watchdog = Watchdog::new(format!("{what} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");
        let stage = Stage { engine, reactor, _watchdog: watchdog };
        scenario(&stage);
        let leak_report = stage.reactor.leak_report();
        assert!(leak_report.is_empty(), "left on {engine}: {leak_report}");
        assert_eq!(stage.reactor.stats().panics, panics, "in callbacks; see above");
    }
}

impl Stage {
    /// Turns the loop until something is so.
    pub(crate) fn until(&self, done: impl Fn() -> bool) {
        while !done() {
            self.reactor.turn(Some(Duration::from_secs(10))).expect("the loop turns");
        }
    }

    pub(crate) fn spawn(
        &self,
        command: Command,
        config: ProcessConfig,
        act: impl FnMut(&Process, &Told) + 'static,
    ) -> (Process, Rc<Notes>) {
        let (recorder, notes) = Recorder::new(act);
        let spawned = self.reactor.spawn_process_with(recorder, command, config);
        (spawned.expect("it can be started"), notes)
    }

    /// Runs it to its end.
    pub(crate) fn run(
        &self,
        command: Command,
        config: ProcessConfig,
        act: impl FnMut(&Process, &Told) + 'static,
    ) -> Rc<Notes> {
        let (_, notes) = self.spawn(command, config, act);
        self.until(|| notes.is_over());
        notes
    }

    /// What is wrong with a command.
    pub(crate) fn spawn_error(&self, command: Command, config: ProcessConfig) -> SpawnError {
        let (recorder, notes) = Recorder::new(|_, _| {});
        let error = self.reactor.spawn_process_with(recorder, command, config);
        let error = error.expect_err("it cannot be started");
        assert!(!notes.is_over(), "no call drops what is the user's");
        self.until(|| notes.is_over());
        assert_eq!(notes.told(), [], "nothing is told of a child that never was");
        error
    }
}

/// A line for the shell.
pub(crate) fn sh(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    command
}

pub(crate) fn config() -> ProcessConfig {
    ProcessConfig::default()
}

pub(crate) fn ignore(_: &Process, _: &Told) {}
