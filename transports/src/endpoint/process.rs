//! Child processes as endpoints: `process:PROGRAM:ARGUMENT:…`, for clients.

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

/// Longest line of standard error that is log as one; longer ones are split.
const LINE_MAX: usize = 1024;

/// A program that is started for each connection, with its standard input and output as the stream, as with
/// [`connect_process`](crate::ReactorProcesses::connect_process). `process:PROGRAM:ARGUMENT:ARGUMENT`, with `stderr=log` or
/// `stderr=drop`. The program is looked up in `PATH` and run without a shell; colons, backslashes and equals signs in its arguments
/// must be [quoted](quote).
///
/// The stream ends when the program closes its output. An exit code other than 0 is log as a warning. A program that still
/// runs when the reactor stops is killed.
#[derive(Clone, Debug)]
pub struct ProcessClient {
    program: String,
    arguments: Vec<String>,
    stderr: ProcessStderr,
}

/// Handling of the standard error of a [`ProcessClient`]'s program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessStderr {
    /// Inherited from this process: `stderr=inherit`.
    #[default]
    Inherit,
    /// ProcessLog at level `INFO`, line by line: `stderr=log`.
    Log,
    /// Discarded: `stderr=drop`.
    Drop,
}

impl ProcessClient {
    /// A program, without arguments.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), stderr: ProcessStderr::default() }
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Handling of its standard error. Default: [`ProcessStderr::Inherit`].
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
        _ => Err(value.error("must be inherit, log or drop")),
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
            ProcessStderr::Inherit => ChildIo::FromCommand,
            ProcessStderr::Drop => {
                command.stderr(Stdio::null());
                ChildIo::FromCommand
            }
        };
        let log = ProcessLog { program: self.program.clone(), line: Vec::new() };
        process::connect_with(reactor, log, command, stderr, config, factory)
    }
}

/// Logs a program's standard error and exit status.
struct ProcessLog {
    program: String,
    /// The incomplete line.
    line: Vec<u8>,
}

impl ProcessLog {
    fn log_line(&mut self, process: &Process) {
        let text = Excerpt::new(&self.line).len_max(LINE_MAX);
        tracing::info!(program = self.program, pid = process.pid(), "{text}");
        self.line = Vec::new();
    }
}

impl ProcessProtocol for ProcessLog {
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
                tracing::warn!(program, pid, %status, "the program of a connection has failed");
            }
            _ => tracing::debug!(program, pid, %status, "the program of a connection has exited"),
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
