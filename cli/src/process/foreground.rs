//! Into the background, and what the process that was started says meanwhile: [`Foreground`].
//!
//! ```text
//! started by the user ── fork ──> setsid ── fork ──> the server
//!        │                         ends                 │
//!        └── waits <──────────── status pipe ───────────┘  ready, or the failure and its code
//! ```

use std::{
    fs::OpenOptions,
    io::{Read, Write},
    os::fd::OwnedFd,
    process,
};

use nix::{sys::wait::waitpid, unistd};

use super::sys;
use crate::exit::{Code, Failure};

/// The longest failure that goes through the pipe. A pipe takes so much without blocking.
const TEXT_MAX: usize = 4_000;

/// Where the result of the start is reported.
#[derive(Debug)]
pub(crate) enum Foreground {
    /// This process is the one that was started.
    Terminal,
    /// That process waits at the other end of this pipe.
    Pipe(std::fs::File),
    /// The start is over, and nobody waits.
    Gone,
}

impl Foreground {
    /// Goes into the background. Returns in the server; the process that was started waits here for the result, and ends with it.
    /// There must be no threads yet.
    pub(crate) fn daemonize() -> Result<Self, Failure> {
        let failed = |what: &str, error: nix::Error| {
            Failure::new(Code::System, format!("cannot go into the background: {what}: {error}"))
        };
        let (reader, writer) =
            unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|error| failed("pipe", error))?;
        if let Some(child) = sys::fork_process().map_err(|error| failed("fork", error))? {
            drop(writer);
            let _ = waitpid(child, None);
            await_result(reader);
        }
        drop(reader);
        let this = Self::Pipe(writer.into());
        // From here on, failures reach the first process through the pipe.
        match this.detach_from_terminal() {
            Ok(()) => Ok(this),
            Err(failure) => this.end(failure),
        }
    }

    fn detach_from_terminal(&self) -> Result<(), Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(Code::System, format!("cannot go into the background: {what}: {error}"))
        };
        unistd::setsid().map_err(|error| failed("setsid", &error))?;
        // Without the session's leadership it never gets a terminal again.
        if sys::fork_process().map_err(|error| failed("fork", &error))?.is_some() {
            process::exit(0);
        }
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        let null: OwnedFd = null.map_err(|error| failed("/dev/null", &error))?.into();
        sys::redirect_standard_descriptors(&null).map_err(|error| failed("dup2", &error))
    }

    /// The server serves. The process that was started ends with success.
    pub(crate) fn ready(&mut self) {
        if let Self::Pipe(mut pipe) = std::mem::replace(self, Self::Gone) {
            let _ = pipe.write_all(&[0]);
        }
    }

    /// Whether the start is over, so that nobody waits for a result.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Gone)
    }

    /// Reports why the start failed to the process that was started. Returns the failure that is left to print, which says nothing
    /// if that process prints it, or if the log has it.
    pub(crate) fn report(&mut self, failure: Failure) -> Failure {
        match std::mem::replace(self, Self::Gone) {
            Self::Terminal => return failure,
            Self::Pipe(mut pipe) => {
                let text = failure.to_string();
                let mut message = vec![failure.code()];
                message.extend(text.bytes().take(TEXT_MAX));
                let _ = pipe.write_all(&message);
            }
            Self::Gone => {}
        }
        failure.silent()
    }

    fn end(mut self, failure: Failure) -> ! {
        let code = failure.code();
        self.report(failure);
        process::exit(code.into());
    }
}

/// In the process that was started: waits for what the server says, and ends with it.
fn await_result(reader: OwnedFd) -> ! {
    let mut message = Vec::new();
    let _ = std::fs::File::from(reader).read_to_end(&mut message);
    match message.split_first() {
        Some((0, _)) => process::exit(0),
        Some((code, text)) => {
            eprintln!("sinew: {}", String::from_utf8_lossy(text));
            process::exit((*code).into());
        }
        None => {
            eprintln!("sinew: the server ended before it was ready, and did not say why");
            process::exit(Code::Software as i32);
        }
    }
}
