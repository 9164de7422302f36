//! The life of a child as its parent sees it: [`Life`], the handler that hears of its exit, and whom its pipes report to.
//!
//! | event | what follows |
//! |---|---|
//! | the loop comes by for the first time, for whatever cause | `started` |
//! | a pipe has closed | `channel_closed` |
//! | the child has exited | it is reaped; `exited` |
//! | both: reaped, and no pipe is open | `ended` at the end of this turn; the protocol is dropped |
//! | a callback has panicked | it is killed, its pipes are dropped; of the rest only `ended` is told |
//! | the reactor stops | it is killed and reaped, or left to a thread that will reap it; then all of the above |

use std::{
    any::Any,
    cell::{Cell, RefCell},
    io,
    os::fd::OwnedFd,
    process::Child,
    rc::Rc,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use rustix::{io::Errno, process::Pid};
use sinew_reactor::{
    Deferred, Handler, Interest, Killed, Promise, Reactor, Ready, Signal, TimerKey, Token,
    WeakReactor,
    process::{Origin, exits_are_kept},
};

use super::{
    AtStop, ChildFd, Process, ProcessProtocol, ProcessStatus, SignalError, WindowSize,
    exit_watch::{Watch, WatchedBy},
    pty,
};
use crate::{Transport, waiters::push_waiter};

/// How long a stop waits for a child that it has killed. Only one that hangs in the kernel takes longer than a moment; a thread
/// goes on to wait for it.
const KILLED_MAX: Duration = Duration::from_secs(1);

/// What a terminal takes for the end of a file, unless it was told otherwise.
const END_OF_FILE: &[u8] = b"\x04";

/// See the head of this file.
pub(super) struct Life {
    reactor: WeakReactor,
    token: Token,
    /// The process whose child it is.
    origin: Origin,
    pid: Pid,
    watched_by: RefCell<Option<WatchedBy>>,
    /// Until it has been reaped, or left to a thread.
    child: RefCell<Option<Child>>,
    /// Borrowed during a callback, and only the loop calls.
    protocol: RefCell<Option<Box<dyn ProcessProtocol>>>,
    channels: RefCell<Vec<(ChildFd, Transport)>>,
    status: Cell<Option<ProcessStatus>>,
    started: Cell<bool>,
    exit_told: Cell<bool>,
    end_told: Cell<bool>,
    /// A callback has panicked.
    failed: Cell<bool>,
    /// When it will be killed.
    grace: Cell<Option<TimerKey>>,
    /// Our side of its terminal, to be asked for its size; and to be kept until the end. Many a program closes all that it has open
    /// right before it exits, and would be hung up on (SIGHUP) before it could.
    terminal: RefCell<Option<OwnedFd>>,
    at_stop: AtStop,
    waiting: RefCell<Vec<Promise<ProcessStatus>>>,
}

impl Life {
    pub(super) fn begin(
        reactor: &Reactor,
        (child, pid, watch): (Child, Pid, Watch),
        protocol: Box<dyn ProcessProtocol>,
        terminal: Option<OwnedFd>,
        at_stop: AtStop,
    ) -> Rc<Self> {
        let life = Rc::new(Self {
            reactor: reactor.downgrade(),
            token: watch.token,
            origin: Origin::here(),
            pid,
            watched_by: RefCell::new(Some(watch.by)),
            child: RefCell::new(Some(child)),
            protocol: RefCell::new(Some(protocol)),
            channels: RefCell::default(),
            status: Cell::new(None),
            started: Cell::new(false),
            exit_told: Cell::new(false),
            end_told: Cell::new(false),
            failed: Cell::new(false),
            grace: Cell::new(None),
            terminal: RefCell::new(terminal),
            at_stop,
            waiting: RefCell::default(),
        });
        reactor.bind(life.token, life.clone());
        // To tell `started`; and it may have exited before anybody watched.
        reactor.reschedule(life.token);
        life
    }

    pub(super) fn add_channel(&self, fd: ChildFd, channel: Transport) {
        self.channels.borrow_mut().push((fd, channel));
    }

    /// It could not be set up after all: nobody is told anything.
    pub(super) fn abandon(&self, reactor: &Reactor) {
        self.end_told.set(true);
        self.drop_channels();
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            drop(reap_in_thread(child));
        }
        if let Some(protocol) = self.protocol.take() {
            reactor.defer_drop(protocol);
        }
        self.let_go(reactor);
    }

    // ---- what is told ----

    /// Calls the protocol, `started` first.
    pub(super) fn tell(self: &Rc<Self>, f: impl FnOnce(&mut dyn ProcessProtocol, &Process)) {
        if self.failed.get() || self.end_told.get() {
            return;
        }
        let _fuse = Fuse(self);
        let process = Process(self.clone());
        if let Some(protocol) = &mut *self.protocol.borrow_mut() {
            if !self.started.replace(true) {
                protocol.started(&process);
            }
            f(&mut **protocol, &process);
        }
    }

    fn tell_exit(self: &Rc<Self>, status: ProcessStatus) {
        if status != ProcessStatus::LeftRunning && !self.exit_told.replace(true) {
            self.tell(|protocol, process| protocol.exited(process, &status));
        }
    }

    fn tell_end(self: &Rc<Self>, status: ProcessStatus) {
        self.tell(|_, _| {});
        self.tell_exit(status);
        self.end_told.set(true);
        let process = Process(self.clone());
        if let Some(protocol) = &mut *self.protocol.borrow_mut() {
            protocol.ended(&process, &status);
        }
    }

    // ---- what happens ----

    /// Reaps the child if it has exited. It is the only one that is asked for: others may have children in this process, too.
    fn look(self: &Rc<Self>, reactor: &Reactor) {
        if self.status.get().is_some() {
            return;
        }
        let looked = self.child.borrow_mut().as_mut().map(Child::try_wait);
        match looked {
            Some(Ok(Some(status))) => self.exited(reactor, status.into()),
            Some(Err(_)) => self.exited(reactor, self.status_of_lost()),
            Some(Ok(None)) | None => {}
        }
    }

    /// Of a child that cannot be waited for (any more).
    fn status_of_lost(&self) -> ProcessStatus {
        let kept = self.watched_by.borrow().as_ref().and_then(WatchedBy::exit_status);
        if let Some(status) = kept {
            return status.into();
        }
        let cause = match exits_are_kept() {
            false => "this process ignores SIGCHLD, so the system keeps none",
            true => "something else in this process has waited for it",
        };
        tracing::warn!(pid = self.pid(), cause, "the exit status of a child is lost");
        ProcessStatus::Unknown
    }

    fn exited(self: &Rc<Self>, reactor: &Reactor, status: ProcessStatus) {
        self.note_exit(reactor, status);
        self.tell_exit(status);
    }

    fn note_exit(&self, reactor: &Reactor, status: ProcessStatus) {
        self.status.set(Some(status));
        self.child.take();
        if let Some(timer) = self.grace.take() {
            reactor.disarm_timer(timer);
        }
        // It stays readable, and a level-triggered engine would tell so for ever.
        reactor.set_interest(self.token, Interest::NONE);
        self.end_if_over(reactor);
    }

    /// A pipe has closed.
    pub(super) fn channel_closed(&self, reactor: Option<&Reactor>, fd: ChildFd) {
        self.channels.borrow_mut().retain(|(other, _)| *other != fd);
        if fd == ChildFd::STDOUT && self.terminal.borrow().is_some() {
            // Nobody has the terminal open any more, to type for.
            self.drop_channels();
        }
        // A process whose reactor has been dropped was ended with it.
        if let Some(reactor) = reactor {
            self.end_if_over(reactor);
        }
    }

    fn end_if_over(&self, reactor: &Reactor) {
        if self.status.get().is_some() && self.channels.borrow().is_empty() {
            reactor.finalize_later(self.token);
        }
    }

    /// A callback has panicked.
    fn fail(&self) {
        self.failed.set(true);
        let _ = self.kill();
        self.drop_channels();
    }

    fn drop_channels(&self) {
        for (_, channel) in &*self.channels.borrow() {
            channel.abort();
        }
    }

    fn finish(&self, reactor: &Reactor) {
        if let Some(status) = self.status.get() {
            for promise in self.waiting.take() {
                promise.resolve(status);
            }
        }
        self.let_go(reactor);
        // What is the user's comes last, for its drop may panic.
        let protocol = self.protocol.take();
        drop(protocol);
    }

    fn let_go(&self, reactor: &Reactor) {
        if let Some(timer) = self.grace.take() {
            reactor.disarm_timer(timer);
        }
        reactor.deregister(self.token, true);
        let watched_by = self.watched_by.take();
        drop(watched_by);
        self.terminal.take();
    }

    // ---- the reactor stops ----

    fn kill_and_reap(&self) -> ProcessStatus {
        let Some(mut child) = self.child.take() else { return ProcessStatus::Unknown };
        if let Err(error) = child.kill() {
            tracing::warn!(pid = self.pid(), %error, "a child could not be killed");
        }
        match reap_in_thread(child).recv_timeout(KILLED_MAX) {
            Ok(ProcessStatus::Unknown) => self.status_of_lost(),
            Ok(status) => status,
            Err(_) => ProcessStatus::Unknown,
        }
    }

    fn stop(&self, reactor: &Reactor) {
        if self.status.get().is_none() {
            let status = match self.at_stop {
                AtStop::Kill => self.kill_and_reap(),
                AtStop::Leave => {
                    self.child.take().map(reap_in_thread);
                    ProcessStatus::LeftRunning
                }
            };
            self.note_exit(reactor, status);
        }
    }
}

/// What the handle asks.
impl Life {
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn status(&self) -> Option<ProcessStatus> {
        self.status.get()
    }

    pub(super) fn reactor(&self) -> Option<Reactor> {
        self.reactor.upgrade()
    }

    pub(super) fn defer_drop(&self, thing: impl std::any::Any) {
        if let Some(reactor) = self.reactor() {
            reactor.defer_drop(thing);
        }
    }

    pub(super) fn channel(&self, fd: ChildFd) -> Option<Transport> {
        let channels = self.channels.borrow();
        channels.iter().find(|(other, _)| *other == fd).map(|(_, channel)| channel.clone())
    }

    pub(super) fn close_stdin(&self) {
        let Some(stdin) = self.channel(ChildFd::STDIN) else { return };
        if self.terminal.borrow().is_some() {
            stdin.write(END_OF_FILE);
        } else {
            stdin.lose_connection();
        }
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        // Until it is reaped, which only we do, the number is its own. A child of fork(2) would not hear of that.
        if !self.origin.is_here() {
            return Err(SignalError::InChild);
        }
        if self.status.get().is_some() {
            return Err(SignalError::Exited);
        }
        let named = rustix::process::Signal::from_named_raw(signal.as_raw())
            .ok_or(SignalError::NoSuchSignal(signal))?;
        match self.send(named) {
            Err(Errno::SRCH) => Err(SignalError::Exited),
            sent => sent.map_err(|error| SignalError::Refused(error.into())),
        }
    }

    #[cfg(target_os = "linux")]
    fn send(&self, signal: rustix::process::Signal) -> rustix::io::Result<()> {
        match &*self.watched_by.borrow() {
            Some(WatchedBy::Descriptor(it)) => rustix::process::pidfd_send_signal(it, signal),
            _ => rustix::process::kill_process(self.pid, signal),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn send(&self, signal: rustix::process::Signal) -> rustix::io::Result<()> {
        rustix::process::kill_process(self.pid, signal)
    }

    pub(super) fn kill(&self) -> Result<(), SignalError> {
        self.signal(Signal::KILL)
    }

    pub(super) fn terminate(&self, grace: Duration) -> Result<(), SignalError> {
        self.signal(Signal::TERM)?;
        if let Some(reactor) = self.reactor() {
            let timer = reactor.arm_timer(self.token, grace);
            if let Some(earlier) = self.grace.replace(Some(timer)) {
                reactor.disarm_timer(earlier);
            }
        }
        Ok(())
    }

    pub(super) fn when_ended(&self) -> Deferred<ProcessStatus> {
        let (promise, deferred) = self.reactor.promise();
        if self.end_told.get() || self.reactor().is_none() {
            promise.resolve(self.status.get().unwrap_or(ProcessStatus::Unknown));
        } else {
            push_waiter(&self.waiting, promise);
        }
        deferred
    }

    pub(super) fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        match &*self.terminal.borrow() {
            Some(terminal) => pty::set_size(terminal, size),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Handler for Life {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.tell(|_, _| {});
        self.look(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.tell(|_, _| {});
        self.look(reactor);
    }

    fn timer(self: Rc<Self>, _: &Reactor, key: TimerKey) {
        if self.grace.get() == Some(key) {
            self.grace.set(None);
            if let Err(error) = self.kill() {
                tracing::debug!(pid = self.pid(), %error, "a child was not killed after its grace");
            }
        }
    }

    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        if let Some(status) = self.status.get().filter(|_| !self.end_told.get()) {
            self.tell_end(status);
            self.finish(reactor);
        }
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.stop(reactor);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            self.end_told.set(true);
            self.let_go(reactor);
            let protocol = self.protocol.take();
            drop(protocol);
        }
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        if self.end_told.get() {
            self.finish(reactor);
        } else {
            self.end_if_over(reactor);
        }
        true
    }

    fn describe(&self) -> String {
        format!("the process {}", self.pid())
    }
}

/// Around a callback: if it panics, that is the end of the child. The panic itself is contained by the loop, at whichever handler
/// has led to the callback.
struct Fuse<'a>(&'a Life);

impl Drop for Fuse<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail();
        }
    }
}

/// Waits for a child, so that it leaves no zombie, and says what became of it to whoever still listens.
fn reap_in_thread(mut child: Child) -> Receiver<ProcessStatus> {
    let (teller, told) = mpsc::channel();
    let pid = child.id();
    let thread = thread::Builder::new().name("reaper".to_owned()).spawn(move || {
        let status = child.wait().map_or(ProcessStatus::Unknown, ProcessStatus::from);
        let _ = teller.send(status);
    });
    if let Err(error) = thread {
        tracing::warn!(pid, %error, "no thread to wait for a child; it will be a zombie until this process ends");
    }
    told
}
