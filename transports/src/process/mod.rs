//! Child processes: [`ReactorProcesses`] gives a reactor its `spawn_process`, for a [`ProcessProtocol`]. Unix only.

// Each pipe to a child is a connection like any other (`pipe/`), with a `ChildPipe` for its protocol, which passes on what happens
// to the one `ProcessProtocol` of the process. `lifecycle.rs` is what the process itself goes through.

use std::process::Command;

use sinew_reactor::Reactor;

use crate::{Connection, Protocol};

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

use exit_watch::Exits;
pub(crate) use spawn::connect_with;
pub use {
    config::{AtStop, ChildFd, ChildIo, ProcessConfig, WindowSize},
    handle::{Process, SignalError},
    protocol::ProcessProtocol,
    spawn::SpawnError,
    status::ProcessStatus,
};

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

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
pub trait ReactorProcesses: sealed::Sealed {
    /// Starts a program, with pipes for its standard input, output and error, and the defaults of [`ProcessConfig`].
    /// Nothing is told before the loop turns. What else there is to say about the program (arguments, environment,
    /// directory, user) is said by the [`Command`].
    ///
    /// The call waits until the program has been found and begun, which the system does in a moment unless the program lies on
    /// a disk that hangs.
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

    /// Starts a program, as configured.
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

    /// Starts a program and joins a protocol to it: what the program writes to its standard output is received, what is written
    /// goes to its standard input. Its standard error goes where the command says: by default, where ours goes. Input that waits to
    /// be taken does not hold back output ([`Transport::set_auto_pause`](crate::Transport::set_auto_pause)): a program may have to
    /// write before it reads on.
    ///
    /// The connection ends as others do. The program is told by the end of its input, and what becomes of it can be asked of
    /// the [`Process`], whose [`channel`](Process::channel)s are none: it [`ended`](Process::when_ended) when it has exited. If it
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
    /// /// The same protocol could talk to a server by TCP.
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
        spawn::spawn(self, Box::new(protocol), command, config, Exits::ByDescriptor)
    }

    fn connect_process<P: Protocol>(
        &self,
        protocol: P,
        command: Command,
    ) -> Result<(Connection<P>, Process), SpawnError> {
        spawn::connect(self, protocol, command)
    }
}
