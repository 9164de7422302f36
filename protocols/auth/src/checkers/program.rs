//! A program that checks passwords: [`Program`]. Unix only.

use std::{
    cell::RefCell,
    fmt,
    process::{Command, Stdio},
    rc::Rc,
    time::Duration,
};

use sinew_transports::{
    ChildFd, ChildIo, Process, ProcessConfig, ProcessProtocol, ProcessStatus, ReactorProcesses,
    SpawnError,
    reactor::{Deferred, Promise, Reactor, error_debug},
};
use zeroize::Zeroizing;

use super::gate::Gate;
use crate::{AuthError, Checker, Credentials, Identity};

/// Most programs that run at once.
const RUNNING_MAX: usize = 4;

/// Most logins that wait for one to end.
const WAITING_MAX: usize = 100;

/// Why a program has not checked a password.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It took too long, and was killed.
    #[error("the program that checks passwords has taken more than {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// It ended in another way than with 0 for right and 1 for wrong.
    #[error("the program that checks passwords has ended with {0}")]
    Ended(ProcessStatus),
}

error_debug!(ProgramError);

/// Has a program check passwords, one process for each login, by the protocol of
/// [checkpassword](https://cr.yp.to/checkpwd/interface.html): it reads `user NUL password NUL timestamp NUL` from descriptor 3, and
/// exits with 0 if the password is right, and with 1 if it is wrong. The timestamp is empty. Anything else is a failure, not a refusal.
///
/// At most 4 run at once and 100 logins wait. A program that takes longer than 10 seconds is killed. Its standard input and output
/// are `/dev/null`.
///
/// # Examples
///
/// ```
/// use std::process::Command;
/// use sinew_auth::Program;
///
/// let users = Program::new(|| {
///     let mut command = Command::new("/usr/bin/checkpassword-pam");
///     command.args(["-s", "mail", "/bin/true"]);
///     command
/// });
/// # drop(users);
/// ```
#[must_use]
pub struct Program {
    command: Box<dyn Fn() -> Command>,
    on_stdin: bool,
    timeout: Duration,
    gate: Gate,
}

impl Program {
    /// Checks passwords by the program that `command` makes; it is called for each login.
    pub fn new(command: impl Fn() -> Command + 'static) -> Self {
        Self {
            command: Box::new(command),
            on_stdin: false,
            timeout: Duration::from_secs(10),
            gate: Gate::new(RUNNING_MAX, WAITING_MAX),
        }
    }

    /// Whether the program reads its standard input in the place of descriptor 3, which is easier for scripts. Default `false`.
    pub fn on_stdin(mut self, on_stdin: bool) -> Self {
        self.on_stdin = on_stdin;
        self
    }

    /// How long it may take. Default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The most that run at once, and the most logins that wait. Default 4 and 100.
    pub fn at_once(mut self, running: usize, waiting: usize) -> Self {
        self.gate = Gate::new(running, waiting);
        self
    }
}

impl Checker for Program {
    fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
        let Credentials::Password { user, password } = credentials else {
            return Deferred::failed_on(reactor, AuthError::Refused);
        };
        // NUL would move the end of the name into the password.
        if user.contains('\0') || password.bytes().contains(&0) {
            return Deferred::failed_on(reactor, AuthError::Refused);
        }
        let input = [user.as_bytes(), password.bytes(), b"", b""].join(&0);
        let mut command = (self.command)();
        command.stdout(Stdio::null());
        let mut config =
            ProcessConfig::default().stdout(ChildIo::FromCommand).stderr(ChildIo::FromCommand);
        let fd = if self.on_stdin { ChildFd::STDIN } else { ChildFd(3) };
        if !self.on_stdin {
            command.stdin(Stdio::null());
            config = config.stdin(ChildIo::FromCommand).write_to(fd);
        }
        let (input, timeout) = (Zeroizing::new(input), self.timeout);
        let job = move |reactor: &Reactor| {
            run(reactor, command, config, Login { fd, input, user }, timeout)
        };
        self.gate.run(reactor, job)
    }
}

/// What the program is asked.
struct Login {
    fd: ChildFd,
    input: Zeroizing<Vec<u8>>,
    user: String,
}

fn run(
    reactor: &Reactor,
    command: Command,
    config: ProcessConfig,
    login: Login,
    timeout: Duration,
) -> Deferred<Identity, AuthError> {
    let (promise, identity) = reactor.promise();
    let verdict: Verdict = Rc::new(RefCell::new(Some(promise)));
    let checking = Checking { login, verdict: Rc::clone(&verdict) };
    let process = match reactor.spawn_process_with(checking, command, config) {
        Ok(process) => process,
        Err(error) => {
            settle(&verdict, Err(unavailable(error.into())));
            return identity;
        }
    };
    let timer = reactor.call_later(timeout, {
        let process = process.clone();
        move |_| {
            // It may have exited just now.
            let _ = process.kill();
            settle(&verdict, Err(unavailable(ProgramError::TimedOut { after: timeout })));
        }
    });
    process.when_ended().then(move |_, _| {
        timer.cancel();
    });
    identity
}

fn unavailable(error: ProgramError) -> AuthError {
    AuthError::Unavailable(error.into())
}

/// The promise of a check, until there is a result.
type Verdict = Rc<RefCell<Option<Promise<Identity, AuthError>>>>;

fn settle(verdict: &Verdict, result: Result<Identity, AuthError>) {
    let promise = verdict.borrow_mut().take();
    if let Some(promise) = promise {
        promise.settle(result);
    }
}

/// The protocol of one process.
struct Checking {
    login: Login,
    verdict: Verdict,
}

impl ProcessProtocol for Checking {
    fn started(&mut self, process: &Process) {
        if let Some(pipe) = process.channel(self.login.fd) {
            pipe.write(&*self.login.input);
            pipe.lose_connection();
        }
    }

    /// What its own children do with the pipes is not waited for.
    fn exited(&mut self, _: &Process, status: &ProcessStatus) {
        let result = match status.code() {
            Some(0) => Ok(Identity::new(std::mem::take(&mut self.login.user))),
            Some(1) => Err(AuthError::Refused),
            _ => Err(unavailable(ProgramError::Ended(*status))),
        };
        settle(&self.verdict, result);
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
