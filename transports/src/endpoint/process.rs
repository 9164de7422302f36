//! Programs as endpoints: `process:PROGRAM:ARGUMENT:…`, for clients.

use std::{
    fmt,
    process::{Command, Stdio},
};

use sinew_reactor::{Excerpt, Reactor};

use super::{Arguments, ClientEndpoint, Connect, EndpointError, Value, quote};
use crate::{
    ChildIo, ConnectConfig, Connecting, DynFactory, DynProtocol, Process, ProcessProtocol,
    ProcessStatus, process,
};

/// Of a line that a program writes to its standard error, so much is one line in the log.
const LINE_MAX: usize = 1024;

/// A program that is started for each connection: its standard input and output are the stream, as with
/// [`connect_process`](crate::ReactorProcesses::connect_process). `process:PROGRAM:ARGUMENT:ARGUMENT`, with `stderr=log` or
/// `stderr=drop`. It is looked for in `PATH`, no shell has a part in it, and colons, backslashes and equals signs of its arguments
/// are [quoted](quote).
///
/// The end of its output is the end of the stream. One that exits with another code than 0 has a warning in the log. If it still
/// runs when the reactor stops, it is killed.
#[derive(Clone, Debug)]
pub struct ProcessClient {
    program: String,
    arguments: Vec<String>,
    stderr: ProcessStderr,
}

/// What becomes of what the program of a [`ProcessClient`] writes to its standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessStderr {
    /// It goes where ours goes: `stderr=inherit`.
    #[default]
    Inherit,
    /// It goes to the log, at level `INFO`, a line each: `stderr=log`.
    Log,
    /// It goes nowhere: `stderr=drop`.
    Drop,
}

impl ProcessClient {
    /// A program, without arguments.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), stderr: ProcessStderr::default() }
    }

    /// A further argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// What becomes of its standard error. Default: [`ProcessStderr::Inherit`].
    #[must_use]
    pub const fn stderr(mut self, stderr: ProcessStderr) -> Self {
        self.stderr = stderr;
        self
    }
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    let program = arguments.require("program")?.as_str().to_owned();
    let stderr = arguments.named("stderr").map(|value| stderr(&value)).transpose()?;
    let arguments = arguments.all("argument");
    let arguments = arguments.iter().map(|value| value.as_str().to_owned()).collect();
    let stderr = stderr.unwrap_or_default();
    Ok(ClientEndpoint::new(ProcessClient { program, arguments, stderr }))
}

fn stderr(value: &Value) -> Result<ProcessStderr, EndpointError> {
    match value.as_str() {
        "inherit" => Ok(ProcessStderr::Inherit),
        "log" => Ok(ProcessStderr::Log),
        "drop" => Ok(ProcessStderr::Drop),
        _ => Err(value.error("is neither inherit nor log nor drop")),
    }
}

impl Connect for ProcessClient {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let stderr = match self.stderr {
            ProcessStderr::Log => ChildIo::Piped,
            ProcessStderr::Inherit => ChildIo::AsCommanded,
            ProcessStderr::Drop => {
                command.stderr(Stdio::null());
                ChildIo::AsCommanded
            }
        };
        let logged = Logged { program: self.program.clone(), line: Vec::new() };
        process::connect_with(reactor, logged, command, stderr, config, factory)
    }
}

/// What is heard of a program beside its stream.
struct Logged {
    program: String,
    /// Begun, and not ended.
    line: Vec<u8>,
}

impl Logged {
    fn log_line(&mut self, process: &Process) {
        let text = Excerpt::new(&self.line).len_max(LINE_MAX);
        tracing::info!(program = self.program, pid = process.pid(), "{text}");
        self.line = Vec::new();
    }
}

impl ProcessProtocol for Logged {
    fn err_received(&mut self, process: &Process, data: &[u8]) {
        for &byte in data {
            if byte != b'\n' {
                self.line.push(byte);
            }
            if byte == b'\n' || self.line.len() == LINE_MAX {
                self.log_line(process);
            }
        }
    }

    fn err_closed(&mut self, process: &Process) {
        if !self.line.is_empty() {
            self.log_line(process);
        }
    }

    fn exited(&mut self, process: &Process, status: &ProcessStatus) {
        let (program, pid) = (&self.program, process.pid());
        match status {
            ProcessStatus::Exited(code) if *code != 0 => {
                tracing::warn!(program, pid, %status, "the program of a connection has ended");
            }
            _ => tracing::debug!(program, pid, %status, "the program of a connection has ended"),
        }
    }
}

impl fmt::Display for ProcessClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process:{}", quote(&self.program))?;
        for argument in &self.arguments {
            write!(f, ":{}", quote(argument))?;
        }
        match self.stderr {
            ProcessStderr::Inherit => Ok(()),
            ProcessStderr::Log => f.write_str(":stderr=log"),
            ProcessStderr::Drop => f.write_str(":stderr=drop"),
        }
    }
}
