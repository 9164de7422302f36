//! Child processes: [`ReactorProcesses`] adds `spawn_process` to a reactor, for a [`ProcessProtocol`]. Unix only.

// Each pipe to a child is an ordinary connection (`pipe/`) with a `ChildPipe` as its protocol, which passes callbacks on to the
// one `ProcessProtocol` of the process. `lifecycle.rs` is the state of the process itself.

use std::process::Command;

use sinew_reactor::Reactor;

use crate::{Connection, Protocol, sealed::Sealed};

mod child_pipe;
mod config;
mod exit_watch;
mod handle;
mod lifecycle;
mod protocol;
mod pty;
mod spawn;
mod status;
mod sys;
#[cfg(test)]
mod tests;

use exit_watch::ExitDetection;
pub(crate) use spawn::connect_with;
pub use {
    config::{AtStop, ChildFd, ChildIo, ProcessConfig, WindowSize},
    handle::{Process, SignalError},
    protocol::ProcessProtocol,
    spawn::SpawnError,
    status::ProcessStatus,
};

/// Child processes on a [`Reactor`]. Unix only.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::process::Command;
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Process, ProcessProtocol, ProcessStatus, ReactorProcesses};
///
/// struct Sort(Vec<u8>);
///
/// impl ProcessProtocol for Sort {
///     fn started(&mut self, process: &Process) {
///         process.write(b"pear\napple\n");
///         process.close_stdin();
///     }
///     fn out_received(&mut self, _: &Process, data: &[u8]) {
///         self.0.extend_from_slice(data);
///     }
///     fn ended(&mut self, process: &Process, status: &ProcessStatus) {
///         assert!(status.is_success());
///         assert_eq!(self.0, b"apple\npear\n");
///         if let Some(reactor) = process.reactor() {
///             let _ = reactor.stop();
///         }
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// reactor.spawn_process(Sort(Vec::new()), Command::new("sort"))?;
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub trait ReactorProcesses: Sealed {
    /// Starts a program, with pipes for its standard input, output and error, and the defaults of [`ProcessConfig`].
    /// No callback is made before the event loop runs. Arguments, environment,
    /// directory and user are set on the [`Command`]. Signals that this process ignores have their default effect in the program, as
    /// in Twisted.
    ///
    /// The call blocks until the program has been executed, which takes a moment unless it lies on a
    /// disk that hangs.
    ///
    /// # Errors
    ///
    /// [`SpawnError`], with the program's name.
    fn spawn_process(
        &self,
        protocol: impl ProcessProtocol,
        command: Command,
    ) -> Result<Process, SpawnError> {
        self.spawn_process_with(protocol, command, ProcessConfig::default())
    }

    /// Starts a program with `config`.
    ///
    /// # Errors
    ///
    /// As [`spawn_process`](Self::spawn_process).
    fn spawn_process_with(
        &self,
        protocol: impl ProcessProtocol,
        command: Command,
        config: ProcessConfig,
    ) -> Result<Process, SpawnError>;

    /// Starts a program with a protocol on its standard input and output: its output is received, and writes go to its input. Its
    /// standard error is as set on the command; by default it is inherited. The automatic pause of reading while the write queue is full
    /// is off ([`Transport::set_auto_pause`](crate::Transport::set_auto_pause)), since a program may have to
    /// write before it reads on.
    ///
    /// The connection ends as others do; the program sees the end of its input. Its exit status is available from
    /// the [`Process`], which has no [`channel`](Process::channel)s: it has [`ended`](Process::when_ended) when it has exited. If it
    /// still runs when the reactor stops, it is killed.
    ///
    /// # Errors
    ///
    /// As [`spawn_process`](Self::spawn_process).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::process::Command;
    /// use sinew_reactor::Reactor;
    /// use sinew_transports::{ConnectionLost, Protocol, ReactorProcesses, Transport};
    ///
    /// /// The same protocol could be used over TCP.
    /// struct Hello;
    ///
    /// impl Protocol for Hello {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         transport.write(b"hello");
    ///     }
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         assert_eq!(data, b"hello");
    ///         transport.lose_connection();
    ///     }
    ///     fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
    ///         assert!(reason.is_clean());
    ///         if let Some(reactor) = transport.reactor() {
    ///             let _ = reactor.stop();
    ///         }
    ///     }
    /// }
    ///
    /// let reactor = Reactor::new()?;
    /// reactor.connect_process(Hello, Command::new("cat"))?;
    /// reactor.run()?;
    /// # Ok(())
    /// # }
    /// ```
    fn connect_process<P: Protocol>(
        &self,
        protocol: P,
        command: Command,
    ) -> Result<(Connection<P>, Process), SpawnError>;
}

impl ReactorProcesses for Reactor {
    fn spawn_process_with(
        &self,
        protocol: impl ProcessProtocol,
        command: Command,
        config: ProcessConfig,
    ) -> Result<Process, SpawnError> {
        spawn::spawn(self, Box::new(protocol), command, config, ExitDetection::Pidfd)
    }

    fn connect_process<P: Protocol>(
        &self,
        protocol: P,
        command: Command,
    ) -> Result<(Connection<P>, Process), SpawnError> {
        spawn::connect(self, protocol, command)
    }
}
