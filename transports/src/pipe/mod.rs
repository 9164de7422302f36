//! Pipes, FIFOs, and standard input and output: [`ReactorPipes`] adds `stdio` and `open_pipe_*` to a reactor. Unix only.

// `nonblocking_fd.rs` makes the system calls, `end.rs` is a registered descriptor, `descriptors.rs` makes a stream of one or two.
// Above that a pipe is an ordinary connection.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, Mode, OFlags};
use sinew_reactor::{Excerpt, Reactor, RegisterError, Token};

use crate::{
    Connection, Peer, Protocol, StreamConfig,
    net::ByteStream,
    sealed::Sealed,
    stream::{Shared, StreamBuilder, socket::Socket},
};

mod descriptors;
mod end;
mod nonblocking_fd;
pub(crate) mod port;
mod standard;

pub(crate) use descriptors::Descriptors;
use descriptors::Opened;
pub(crate) use nonblocking_fd::Descriptor;
use standard::Standard;

/// A pipe or a standard stream could not be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// Standard input or output could not be used, perhaps since it is closed.
    #[error("could not use {name}: {source}")]
    Standard {
        /// `standard input` or `standard output`.
        name: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The path could not be opened.
    #[error("could not open {}: {source}", Excerpt::path(.path))]
    Open {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The path exists, but is not a FIFO.
    #[error("{} is not a FIFO", Excerpt::path(.path))]
    NotFifo {
        /// The path.
        path: PathBuf,
    },
    /// No process has the FIFO open for reading.
    #[error("no process has {} open for reading", Excerpt::path(.path))]
    NoReader {
        /// The path.
        path: PathBuf,
    },
    /// The descriptor could not be used.
    #[error("could not use the descriptor: {0}")]
    Descriptor(#[source] io::Error),
    /// The engine could not register it.
    #[error("could not register with the engine: {0}")]
    Register(#[from] RegisterError),
}

sinew_reactor::error_debug!(PipeError);

/// Pipes, FIFOs, and the process's standard input and output, on a [`Reactor`]. Unix only.
///
/// Each is an ordinary connection, with these differences. Writes to a read-only connection return `Closed`. A write-only
/// connection ends as soon as its reader is gone. `lose_connection` sends everything queued, without a timeout, and closes:
/// [`linger_timeout`](StreamConfig::linger_timeout) is for network peers that vanish, which the other end of a pipe cannot.
///
/// # Examples
///
/// A pipe with both ends on one reactor:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{cell::RefCell, rc::Rc};
/// use sinew_reactor::Reactor;
/// use sinew_transports::{ConnectionLost, Protocol, ReactorPipes, Transport};
///
/// struct Quiet;
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// #[derive(Clone, Default)]
/// struct Collect(Rc<RefCell<Vec<u8>>>);
/// impl Protocol for Collect {
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         self.0.borrow_mut().extend_from_slice(data);
///     }
///     fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
///         if let Some(reactor) = transport.reactor() {
///             let _ = reactor.stop();
///         }
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// let (reader, writer) = std::io::pipe()?;
/// let collect = Collect::default();
/// reactor.open_pipe_reader(reader, collect.clone())?;
/// let writer = reactor.open_pipe_writer(writer, Quiet)?;
/// writer.transport().write(b"through a pipe");
/// writer.transport().lose_connection();
/// reactor.run()?;
/// assert_eq!(*collect.0.borrow(), b"through a pipe");
/// # Ok(())
/// # }
/// ```
pub trait ReactorPipes: Sealed {
    /// Makes a connection of the process's standard input and output, whatever they are: a terminal, pipes, sockets, regular
    /// files, or one of each. `connection_made` is called in the next turn.
    ///
    /// File status flags are not changed where other processes could see it. When the connection ends, descriptors 0 and 1 are redirected
    /// to `/dev/null`, so that the other end sees a close; `close_write` does so for 1.
    ///
    /// # Errors
    ///
    /// [`PipeError::Standard`] if one of them is closed; [`PipeError::Register`] if the engine cannot register them.
    fn stdio<P: Protocol>(&self, protocol: P) -> Result<Connection<P>, PipeError> {
        self.stdio_with(StreamConfig::default(), protocol)
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`stdio`](Self::stdio).
    fn stdio_with<P: Protocol>(
        &self,
        config: StreamConfig,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Reads from a descriptor, usually one end of a pipe. It is set to non-blocking mode, also for other processes that share its
    /// open file description.
    ///
    /// # Errors
    ///
    /// [`PipeError::Descriptor`], [`PipeError::Register`].
    fn open_pipe_reader<P: Protocol>(
        &self,
        reader: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Writes to a descriptor, usually one end of a pipe. It is set to non-blocking mode, also for other processes that share its
    /// open file description.
    ///
    /// # Errors
    ///
    /// [`PipeError::Descriptor`], [`PipeError::Register`].
    fn open_pipe_writer<P: Protocol>(
        &self,
        writer: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Reads from a FIFO. Opening does not wait for a writer; the connection ends when the last writer has closed the FIFO. To read from
    /// the next writer, open it again in `connection_lost`.
    ///
    /// # Errors
    ///
    /// [`PipeError::Open`], [`PipeError::NotFifo`], [`PipeError::Register`].
    fn open_fifo_reader<P: Protocol>(
        &self,
        path: impl AsRef<Path>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Writes to a FIFO that another process has open for reading.
    ///
    /// # Errors
    ///
    /// [`PipeError::NoReader`] if no process has; else as [`open_fifo_reader`](Self::open_fifo_reader).
    fn open_fifo_writer<P: Protocol>(
        &self,
        path: impl AsRef<Path>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;
}

impl ReactorPipes for Reactor {
    fn stdio_with<P: Protocol>(
        &self,
        config: StreamConfig,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        join(self, standard_streams(self), Peer::Stdio, config, protocol)
    }

    fn open_pipe_reader<P: Protocol>(
        &self,
        reader: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        let end = Descriptor::exclusive(reader.into()).map_err(PipeError::Descriptor);
        open_reader(self, end, StreamConfig::default(), protocol)
    }

    fn open_pipe_writer<P: Protocol>(
        &self,
        writer: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        let end = Descriptor::exclusive(writer.into()).map_err(PipeError::Descriptor);
        open_writer(self, end, StreamConfig::default(), protocol)
    }

    fn open_fifo_reader<P: Protocol>(
        &self,
        path: impl AsRef<Path>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        let end = fifo(path.as_ref(), OFlags::RDONLY);
        open_reader(self, end, StreamConfig::default(), protocol)
    }

    fn open_fifo_writer<P: Protocol>(
        &self,
        path: impl AsRef<Path>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        let end = fifo(path.as_ref(), OFlags::WRONLY);
        open_writer(self, end, StreamConfig::default(), protocol)
    }
}

/// A read-only connection.
pub(crate) fn open_reader<P: Protocol>(
    reactor: &Reactor,
    end: Result<Descriptor, PipeError>,
    config: StreamConfig,
    protocol: P,
) -> Result<Connection<P>, PipeError> {
    let descriptors = end.and_then(|end| open(reactor, (Some((end, None)), None)));
    join(reactor, descriptors, Peer::Pipe, config, protocol)
}

/// A write-only connection.
pub(crate) fn open_writer<P: Protocol>(
    reactor: &Reactor,
    end: Result<Descriptor, PipeError>,
    config: StreamConfig,
    protocol: P,
) -> Result<Connection<P>, PipeError> {
    let descriptors = end.and_then(|end| open(reactor, (None, Some((end, None)))));
    join(reactor, descriptors, Peer::Pipe, config, protocol)
}

/// Reads from one descriptor and writes to another.
pub(crate) fn both(
    reactor: &Reactor,
    input: io::Result<Descriptor>,
    output: io::Result<Descriptor>,
) -> Result<Descriptors, PipeError> {
    let ends = input.and_then(|input| Ok((Some((input, None)), Some((output?, None)))));
    open(reactor, ends.map_err(PipeError::Descriptor)?)
}

/// Reads from standard input and writes to standard output.
pub(crate) fn standard_streams(reactor: &Reactor) -> Result<Descriptors, PipeError> {
    let input = standard(Standard::Input)?;
    open(reactor, (Some(input), Some(standard(Standard::Output)?)))
}

type Ends = (Option<Opened>, Option<Opened>);

fn open(reactor: &Reactor, (input, output): Ends) -> Result<Descriptors, PipeError> {
    Ok(Descriptors::open(reactor, input, output)?)
}

/// Builds a connection of descriptors and a protocol.
pub(crate) fn join<P: Protocol>(
    reactor: &Reactor,
    descriptors: Result<Descriptors, PipeError>,
    peer: Peer,
    config: StreamConfig,
    protocol: P,
) -> Result<Connection<P>, PipeError> {
    match descriptors.and_then(|descriptors| registered(reactor, descriptors)) {
        Ok((socket, token)) => {
            let shared = Shared::new(reactor, config, None);
            let transport =
                StreamBuilder { reactor, socket, token, peer, shared }.adopt(Some(protocol));
            reactor.reschedule(token);
            Ok(Connection::new(transport))
        }
        Err(error) => {
            // Dropping the protocol may run user code, so the event loop drops it.
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}

/// Registers descriptors as the socket of a stream.
pub(crate) fn registered(
    reactor: &Reactor,
    descriptors: Descriptors,
) -> Result<(Socket, Token), PipeError> {
    let mut socket = Socket::from(Box::new(descriptors) as Box<dyn ByteStream>);
    let token = socket.watch(reactor)?;
    Ok((socket, token))
}

fn standard(standard: Standard) -> Result<Opened, PipeError> {
    match standard.open() {
        Ok(descriptor) => Ok((descriptor, Some(standard))),
        Err(source) => Err(PipeError::Standard { name: standard.name(), source }),
    }
}

fn fifo(path: &Path, flags: OFlags) -> Result<Descriptor, PipeError> {
    let failed = |source: io::Error| PipeError::Open { path: path.to_owned(), source };
    let found = rustix::fs::stat(path).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(found.st_mode as _) != FileType::Fifo {
        return Err(PipeError::NotFifo { path: path.to_owned() });
    }
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NXIO) => {
            return Err(PipeError::NoReader { path: path.to_owned() });
        }
        opened => opened.map_err(|error| failed(error.into()))?,
    };
    Descriptor::exclusive(fd).map_err(failed)
}
