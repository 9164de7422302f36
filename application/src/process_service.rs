//! A child process that is kept running: [`ProcessService`]. Starting and reaping is done by `sinew-transports`.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | `Idle` | `start` starts the program | `Running`, or an error |
//! | `Running` | it exits, however that happens | `Waiting` |
//! | `Running` | `stop` sends SIGTERM, and SIGKILL after the grace period | `Stopping` |
//! | `Waiting` | the wait is over: the program is started; if that fails, the next wait begins | `Running` or `Waiting` |
//! | `Waiting` | `stop` cancels the wait | `Idle` |
//! | `Stopping` | it exits | `Idle` |

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
    process::Command,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_reactor::{Deferred, DelayedCall, Excerpt, Promise, Reactor};
use sinew_transports::{Process, ProcessConfig, ProcessProtocol, ProcessStatus, ReactorProcesses};

use crate::{Service, StartError, StopError};

mod backoff;
mod lines;

use backoff::Backoff;
use lines::Lines;

/// Keeps a program running: starts it, and starts it again when it has exited, however that happens. A handle: its clones are the
/// same service.
///
/// The first restart comes after a second, each further one after twice the time of the one before, up to an hour. A run that
/// lasted for [`good_run`](Self::good_run) begins the series anew. The lines that the program writes go to the log. To stop, it
/// is asked by SIGTERM, and killed if it has not exited after [`grace`](Self::grace).
///
/// A program that cannot be started at the [`start`](Service::start) of the service is an error of that start; later it counts as
/// a run without length.
///
/// # Examples
///
/// ```
/// use std::process::Command;
/// use sinew_application::ProcessService;
///
/// let worker = ProcessService::new(|| {
///     let mut command = Command::new("worker");
///     command.arg("--queue=/var/spool/work");
///     command
/// });
/// # drop(worker);
/// ```
#[derive(Clone)]
pub struct ProcessService {
    settings: Rc<Settings>,
    inner: Rc<Inner>,
}

type Output = Box<dyn Fn(&str, bool)>;

struct Settings {
    command: Box<dyn Fn() -> Command>,
    backoff: Backoff,
    grace: Duration,
    /// What is done with a line of output; `None` writes it to the log.
    output: Option<Output>,
}

#[derive(Default)]
struct Inner {
    state: RefCell<State>,
    backoff: RefCell<Backoff>,
    starts: Cell<u64>,
    /// Promises of `stop`.
    stopping: RefCell<Vec<Promise<(), StopError>>>,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Running(Process),
    Waiting(DelayedCall),
    Stopping(Process),
}

impl ProcessService {
    /// Keeps the program running that `command` makes; it is called before each start.
    pub fn new(command: impl Fn() -> Command + 'static) -> Self {
        let settings = Settings {
            command: Box::new(command),
            backoff: Backoff::default(),
            grace: Duration::from_secs(5),
            output: None,
        };
        Self { settings: Rc::new(settings), inner: Rc::default() }
    }

    /// The wait before the first restart, and the longest wait. Default 1 s and 1 hour.
    #[must_use]
    pub fn delay(self, first: Duration, max: Duration) -> Self {
        self.configured(|settings| settings.backoff.set_delay(first, max))
    }

    /// How long the program has to run for the waits to begin anew. Default 10 s.
    #[must_use]
    pub fn good_run(self, time: Duration) -> Self {
        self.configured(|settings| settings.backoff.set_good_run(time))
    }

    /// How long a stop waits between SIGTERM and SIGKILL. Default 5 s.
    #[must_use]
    pub fn grace(self, time: Duration) -> Self {
        self.configured(|settings| settings.grace = time)
    }

    /// Calls `f` with each line of the program's output, in place of the log; `true` for one of its standard error. Bytes that
    /// are not UTF-8 are replaced. A line of more than 8 KiB comes in parts.
    #[must_use]
    pub fn output(self, f: impl Fn(&str, bool) + 'static) -> Self {
        self.configured(|settings| settings.output = Some(Box::new(f)))
    }

    /// Changes the settings, which only this handle has: they are changed before the first clone is made. Otherwise nothing
    /// changes, and that is logged.
    fn configured(mut self, f: impl FnOnce(&mut Settings)) -> Self {
        match Rc::get_mut(&mut self.settings) {
            Some(settings) => f(settings),
            None => tracing::error!("a process service is configured before it is cloned"),
        }
        self
    }

    /// The process, while one runs.
    #[must_use]
    pub fn process(&self) -> Option<Process> {
        match &*self.inner.state.borrow() {
            State::Running(process) | State::Stopping(process) => Some(process.clone()),
            State::Idle | State::Waiting(_) => None,
        }
    }

    /// How often the program was started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.inner.starts.get()
    }

    fn spawn(&self, reactor: &Reactor) -> Result<(), StartError> {
        let mut command = (self.settings.command)();
        command.stdin(std::process::Stdio::null());
        let program = command.get_program().to_string_lossy().into_owned();
        let run = Run {
            service: self.clone(),
            program,
            since: reactor.now(),
            out: Lines::default(),
            err: Lines::default(),
        };
        let config = ProcessConfig::default().stdin(sinew_transports::ChildIo::FromCommand);
        let process =
            reactor.spawn_process_with(run, command, config).map_err(StartError::other)?;
        self.inner.starts.set(self.inner.starts.get() + 1);
        self.inner.state.replace(State::Running(process));
        Ok(())
    }

    /// The program has exited, or could not be started again.
    fn has_ended(&self, reactor: &Reactor, ran: Duration) {
        let is_stopping = matches!(*self.inner.state.borrow(), State::Stopping(_));
        if is_stopping {
            return self.has_stopped();
        }
        let wait = self.inner.backoff.borrow_mut().next(ran);
        tracing::warn!(
            ?ran,
            ?wait,
            "a program that is kept running has ended; it is started again"
        );
        let service = self.clone();
        let timer = reactor.call_later(wait, move |reactor| service.restart(reactor));
        self.inner.state.replace(State::Waiting(timer));
    }

    fn has_stopped(&self) {
        self.inner.state.replace(State::Idle);
        let waiting = mem::take(&mut *self.inner.stopping.borrow_mut());
        waiting.into_iter().for_each(|promise| promise.resolve(()));
    }

    fn restart(&self, reactor: &Reactor) {
        let what = || "the restart of a program".to_owned();
        let spawned = reactor.guard(what, || self.spawn(reactor));
        let error = match spawned {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(panic) => panic.into(),
        };
        tracing::error!(%error, "a program could not be started again");
        self.has_ended(reactor, Duration::ZERO);
    }

    fn line(&self, program: &str, line: &str, is_error: bool) {
        match &self.settings.output {
            Some(output) => output(line, is_error),
            None => {
                let (program, line) = (Excerpt::new(program), Excerpt::new(line).len_max(LINE_MAX));
                tracing::info!(%program, is_error, "{line}");
            }
        }
    }
}

/// The longest line of a program's output, in bytes. A longer one comes in parts.
const LINE_MAX: usize = 8 * 1024;

impl Service for ProcessService {
    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        match *self.inner.state.borrow() {
            State::Idle => {}
            State::Stopping(_) => return Err(StartError::Stopping),
            State::Running(_) | State::Waiting(_) => return Err(StartError::AlreadyStarted),
        }
        self.inner.backoff.replace(self.settings.backoff.clone());
        self.spawn(reactor)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let before = self.inner.state.take();
        match before {
            State::Running(process) | State::Stopping(process) => {
                self.inner.stopping.borrow_mut().push(promise);
                self.inner.state.replace(State::Stopping(process.clone()));
                // An error says that it has exited: `exited` is about to be called.
                let _ = process.terminate(self.settings.grace);
            }
            State::Waiting(timer) => {
                timer.cancel();
                promise.resolve(());
            }
            State::Idle => promise.resolve(()),
        }
        stopped
    }
}

/// One run of the program.
struct Run {
    service: ProcessService,
    program: String,
    since: Instant,
    out: Lines,
    err: Lines,
}

impl ProcessProtocol for Run {
    fn out_received(&mut self, _: &Process, data: &[u8]) {
        let (service, program) = (&self.service, &self.program);
        self.out.push(data, |line| service.line(program, line, false));
    }

    fn err_received(&mut self, _: &Process, data: &[u8]) {
        let (service, program) = (&self.service, &self.program);
        self.err.push(data, |line| service.line(program, line, true));
    }

    fn out_closed(&mut self, _: &Process) {
        let (service, program) = (&self.service, &self.program);
        self.out.finish(|line| service.line(program, line, false));
    }

    fn err_closed(&mut self, _: &Process) {
        let (service, program) = (&self.service, &self.program);
        self.err.finish(|line| service.line(program, line, true));
    }

    /// Children of the program may still have its pipes, so the end of these is not waited for.
    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let Some(reactor) = process.reactor() else { return };
        let program = Excerpt::new(&self.program);
        tracing::info!(%program, pid = process.pid(), %status, "a program that is kept running has exited");
        let ran = reactor.now().saturating_duration_since(self.since);
        self.service.has_ended(&reactor, ran);
    }
}

impl fmt::Debug for ProcessService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessService")
            .field("process", &self.process())
            .field("starts", &self.starts())
            .finish_non_exhaustive()
    }
}
