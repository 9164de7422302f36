//! Lifecycle of a child process: [`Lifecycle`], the handler that is called on its exit, and that its pipes report to.
//!
//! | event | effect |
//! |---|---|
//! | first dispatch, whatever the cause | `started` is called |
//! | a pipe has closed | `channel_closed` is called |
//! | the child has exited | it is reaped; `exited` is called |
//! | it is reaped, and no pipe is open | `ended` is called at the end of this turn; the protocol is dropped |
//! | a callback has panicked | it is killed, its pipes are dropped; only `ended` is called after that |
//! | the reactor stops | it is killed and reaped, or left to a thread that reaps it; then all of the above |

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
    process::{Origin, keeps_exit_statuses},
};

use super::{
    AtStop, ChildFd, Process, ProcessProtocol, ProcessStatus, SignalError, WindowSize,
    exit_watch::{ExitSource, Watch},
    pty,
};
use crate::{Transport, waiters::push_waiter};

/// How long a stopping reactor waits for a killed child to be reaped. Only one that hangs in the kernel takes longer; a thread
/// keeps when_ended_promises for it.
const REAP_TIMEOUT: Duration = Duration::from_secs(1);

/// A terminal's default end-of-file character, control-D.
const END_OF_FILE: &[u8] = b"\x04";

/// State of a child process.
pub(super) struct Lifecycle {
    reactor: WeakReactor,
    token: Token,
    /// The process that started it.
    origin: Origin,
    pid: Pid,
    exit_source: RefCell<Option<ExitSource>>,
    /// `None` once it has been reaped, or left to a thread.
    child: RefCell<Option<Child>>,
    /// Borrowed during callbacks, which only the event loop makes.
    protocol: RefCell<Option<Box<dyn ProcessProtocol>>>,
    channels: RefCell<Vec<(ChildFd, Transport)>>,
    status: Cell<Option<ProcessStatus>>,
    started: Cell<bool>,
    exited_called: Cell<bool>,
    ended_called: Cell<bool>,
    /// A callback has panicked.
    failed: Cell<bool>,
    /// Timer after which it is killed.
    grace: Cell<Option<TimerKey>>,
    /// The master side of its pseudo-terminal, for its size. Kept until the end: many programs close their descriptors right before
    /// they exit, and would be killed by SIGHUP if the master were closed.
    terminal: RefCell<Option<OwnedFd>>,
    at_stop: AtStop,
    when_ended_promises: RefCell<Vec<Promise<ProcessStatus>>>,
}

impl Lifecycle {
    pub(super) fn start(
        reactor: &Reactor,
        (child, pid, watch): (Child, Pid, Watch),
        protocol: Box<dyn ProcessProtocol>,
        terminal: Option<OwnedFd>,
        at_stop: AtStop,
    ) -> Rc<Self> {
        let lifecycle = Rc::new(Self {
            reactor: reactor.downgrade(),
            token: watch.token,
            origin: Origin::here(),
            pid,
            exit_source: RefCell::new(Some(watch.by)),
            child: RefCell::new(Some(child)),
            protocol: RefCell::new(Some(protocol)),
            channels: RefCell::default(),
            status: Cell::new(None),
            started: Cell::new(false),
            exited_called: Cell::new(false),
            ended_called: Cell::new(false),
            failed: Cell::new(false),
            grace: Cell::new(None),
            terminal: RefCell::new(terminal),
            at_stop,
            when_ended_promises: RefCell::default(),
        });
        reactor.bind(lifecycle.token, lifecycle.clone());
        // Calls `started`, and checks for an exit from before the watch.
        reactor.reschedule(lifecycle.token);
        lifecycle
    }

    pub(super) fn add_channel(&self, fd: ChildFd, channel: Transport) {
        self.channels.borrow_mut().push((fd, channel));
    }

    /// Setup failed: the child is killed, and no callback is made.
    pub(super) fn abandon(&self, reactor: &Reactor) {
        self.ended_called.set(true);
        self.drop_channels();
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            drop(reap_in_thread(child));
        }
        if let Some(protocol) = self.protocol.take() {
            reactor.defer_drop(protocol);
        }
        self.release(reactor);
    }

    // ---- callbacks ----

    /// Calls the protocol, with `started` first.
    pub(super) fn with_protocol(
        self: &Rc<Self>,
        f: impl FnOnce(&mut dyn ProcessProtocol, &Process),
    ) {
        if self.failed.get() || self.ended_called.get() {
            return;
        }
        let _guard = KillOnPanic(self);
        let process = Process(self.clone());
        if let Some(protocol) = &mut *self.protocol.borrow_mut() {
            if !self.started.replace(true) {
                protocol.started(&process);
            }
            f(&mut **protocol, &process);
        }
    }

    fn call_exited(self: &Rc<Self>, status: ProcessStatus) {
        if status != ProcessStatus::LeftRunning && !self.exited_called.replace(true) {
            self.with_protocol(|protocol, process| protocol.exited(process, &status));
        }
    }

    fn call_ended(self: &Rc<Self>, status: ProcessStatus) {
        self.with_protocol(|_, _| {});
        self.call_exited(status);
        self.ended_called.set(true);
        let process = Process(self.clone());
        if let Some(protocol) = &mut *self.protocol.borrow_mut() {
            protocol.ended(&process, &status);
        }
    }

    // ---- events ----

    /// Reaps the child if it has exited. Waits for this pid only, since the process may have other children.
    fn check_exit(self: &Rc<Self>, reactor: &Reactor) {
        if self.status.get().is_some() {
            return;
        }
        let result = self.child.borrow_mut().as_mut().map(Child::try_wait);
        match result {
            Some(Ok(Some(status))) => self.exited(reactor, status.into()),
            Some(Err(_)) => self.exited(reactor, self.lost_status()),
            Some(Ok(None)) | None => {}
        }
    }

    /// The status of a child that cannot be waited for.
    fn lost_status(&self) -> ProcessStatus {
        let kept = self.exit_source.borrow().as_ref().and_then(ExitSource::exit_status);
        if let Some(status) = kept {
            return status.into();
        }
        let cause = match keeps_exit_statuses() {
            false => "this process ignores SIGCHLD, so the system keeps none",
            true => "something else in this process has waited for it",
        };
        tracing::warn!(pid = self.pid(), cause, "could not get the exit status of a child");
        ProcessStatus::Unknown
    }

    fn exited(self: &Rc<Self>, reactor: &Reactor, status: ProcessStatus) {
        self.record_exit(reactor, status);
        self.call_exited(status);
    }

    fn record_exit(&self, reactor: &Reactor, status: ProcessStatus) {
        self.status.set(Some(status));
        self.child.take();
        if let Some(timer) = self.grace.take() {
            reactor.disarm_timer(timer);
        }
        // The pidfd stays readable, and a level-triggered engine would report it again and again.
        reactor.set_interest(self.token, Interest::NONE);
        self.finalize_if_ended(reactor);
    }

    /// A pipe has closed.
    pub(super) fn channel_closed(&self, reactor: Option<&Reactor>, fd: ChildFd) {
        self.channels.borrow_mut().retain(|(other, _)| *other != fd);
        if fd == ChildFd::STDOUT && self.terminal.borrow().is_some() {
            // The child's side of the terminal is closed, so there is nothing to write to either.
            self.drop_channels();
        }
        // Without a reactor, the process was ended when the reactor was dropped.
        if let Some(reactor) = reactor {
            self.finalize_if_ended(reactor);
        }
    }

    fn finalize_if_ended(&self, reactor: &Reactor) {
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
            for promise in self.when_ended_promises.take() {
                promise.resolve(status);
            }
        }
        self.release(reactor);
        // The protocol comes last, since its drop may panic.
        let protocol = self.protocol.take();
        drop(protocol);
    }

    fn release(&self, reactor: &Reactor) {
        if let Some(timer) = self.grace.take() {
            reactor.disarm_timer(timer);
        }
        reactor.deregister(self.token, true);
        let exit_source = self.exit_source.take();
        drop(exit_source);
        self.terminal.take();
    }

    // ---- shutdown ----

    fn kill_and_reap(&self) -> ProcessStatus {
        let Some(mut child) = self.child.take() else { return ProcessStatus::Unknown };
        if let Err(error) = child.kill() {
            tracing::warn!(pid = self.pid(), %error, "could not kill a child");
        }
        match reap_in_thread(child).recv_timeout(REAP_TIMEOUT) {
            Ok(ProcessStatus::Unknown) => self.lost_status(),
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
            self.record_exit(reactor, status);
        }
    }
}

/// Methods for the handle.
impl Lifecycle {
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
        // The pid is valid until the child is reaped, which only this process does. A child of fork(2) would not see that.
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
        match &*self.exit_source.borrow() {
            Some(ExitSource::Descriptor(it)) => rustix::process::pidfd_send_signal(it, signal),
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
        if self.ended_called.get() || self.reactor().is_none() {
            promise.resolve(self.status.get().unwrap_or(ProcessStatus::Unknown));
        } else {
            push_waiter(&self.when_ended_promises, promise);
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

impl Handler for Lifecycle {
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        self.with_protocol(|_, _| {});
        self.check_exit(reactor);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.with_protocol(|_, _| {});
        self.check_exit(reactor);
    }

    fn timer(self: Rc<Self>, _: &Reactor, key: TimerKey) {
        if self.grace.get() == Some(key) {
            self.grace.set(None);
            if let Err(error) = self.kill() {
                tracing::debug!(pid = self.pid(), %error, "could not kill a child after its grace period");
            }
        }
    }

    fn finalize(self: Rc<Self>, reactor: &Reactor) {
        if let Some(status) = self.status.get().filter(|_| !self.ended_called.get()) {
            self.call_ended(status);
            self.finish(reactor);
        }
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.stop(reactor);
    }

    fn message_received(self: Rc<Self>, reactor: &Reactor, message: &dyn Any) {
        if message.is::<Killed>() {
            self.ended_called.set(true);
            self.release(reactor);
            let protocol = self.protocol.take();
            drop(protocol);
        }
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, _: &str) -> bool {
        if self.ended_called.get() {
            self.finish(reactor);
        } else {
            self.finalize_if_ended(reactor);
        }
        true
    }

    fn describe(&self) -> String {
        format!("the process {}", self.pid())
    }
}

/// Guard around a callback: if it panics, the child is killed. The panic itself is caught by the event loop.
struct KillOnPanic<'a>(&'a Lifecycle);

impl Drop for KillOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail();
        }
    }
}

/// Waits for a child in a thread, so that it does not become a zombie, and sends its status to the receiver.
fn reap_in_thread(mut child: Child) -> Receiver<ProcessStatus> {
    let (sender, receiver) = mpsc::channel();
    let pid = child.id();
    let thread = thread::Builder::new().name("reaper".to_owned()).spawn(move || {
        let status = child.wait().map_or(ProcessStatus::Unknown, ProcessStatus::from);
        let _ = sender.send(status);
    });
    if let Err(error) = thread {
        tracing::warn!(pid, %error, "could not start a thread to wait for a child; it stays a zombie until this process ends");
    }
    receiver
}
