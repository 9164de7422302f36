//! Pipes, FIFOs, and standard input and output: [`ReactorPipes`] gives a reactor its `stdio` and `open_pipe_*`. Unix only.

// `nonblocking_fd.rs` makes the system calls, `end.rs` is a descriptor on an engine, `descriptors.rs` one or two of them as the bytes of
// a stream. From there on a pipe is a connection like any other.

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

/// A pipe, or a standard descriptor, could not be had.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// Standard input or output cannot be used; it may have been closed.
    #[error("{name}: {source}")]
    Standard {
        /// Which of them.
        name: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The path could not be opened.
    #[error("{}: {source}", Excerpt::path(.path))]
    Open {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// There is something at the path, but no FIFO.
    #[error("{} is not a FIFO", Excerpt::path(.path))]
    NotFifo {
        /// The path.
        path: PathBuf,
    },
    /// Nobody has the FIFO open for reading, so nobody would read what is written to it.
    #[error("nobody reads from {}", Excerpt::path(.path))]
    NoReader {
        /// The path.
        path: PathBuf,
    },
    /// The descriptor is of no use.
    #[error("the descriptor cannot be used: {0}")]
    Descriptor(#[source] io::Error),
    /// The engine cannot watch it.
    #[error("the engine cannot watch it: {0}")]
    Register(#[from] RegisterError),
}

sinew_reactor::error_debug!(PipeError);

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

/// Pipes, FIFOs, and the process's standard input and output, on a [`Reactor`]. Unix only.
///
/// Each is a connection like one over TCP, with these differences. What only reads answers `Closed` to every write. What only
/// writes ends as soon as nobody reads any more. `lose_connection` sends what is queued, however long that takes, and closes:
/// [`linger_timeout`](StreamConfig::linger_timeout) is for peers that may be gone without a word, and a pipe's cannot be.
///
/// # Examples
///
/// A pipe, with both of its ends on one reactor:
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
pub trait ReactorPipes: sealed::Sealed {
    /// Joins a protocol to the process's standard input and output, whatever they are: a terminal, pipes, sockets, regular
    /// files, or one of each. The loop tells it `connection_made` in its next turn.
    ///
    /// No flag of the descriptors is changed that another process could see. When the connection is over, descriptors 0 and 1
    /// lead to `/dev/null`, so that whoever was at the other end sees a close; `close_write` does so for 1.
    ///
    /// # Errors
    ///
    /// [`PipeError::Standard`] if one of them is closed; [`PipeError::Register`] if the engine cannot watch them.
    fn stdio<P: Protocol>(&self, protocol: P) -> Result<Connection<P>, PipeError> {
        self.stdio_with(StreamConfig::default(), protocol)
    }

    /// The same, as configured.
    ///
    /// # Errors
    ///
    /// As [`stdio`](Self::stdio).
    fn stdio_with<P: Protocol>(
        &self,
        config: StreamConfig,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Reads from a descriptor: the end of a pipe, usually. It does not block from now on, and nor does it for others who share
    /// its open file description.
    ///
    /// # Errors
    ///
    /// [`PipeError::Descriptor`], [`PipeError::Register`].
    fn open_pipe_reader<P: Protocol>(
        &self,
        reader: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Writes to a descriptor: the end of a pipe, usually. It does not block from now on, and nor does it for others who share
    /// its open file description.
    ///
    /// # Errors
    ///
    /// [`PipeError::Descriptor`], [`PipeError::Register`].
    fn open_pipe_writer<P: Protocol>(
        &self,
        writer: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError>;

    /// Reads from a FIFO. It begins whether or not anybody writes yet, and ends when the last writer has closed it. To go on with
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

    /// Writes to a FIFO that somebody has open for reading.
    ///
    /// # Errors
    ///
    /// [`PipeError::NoReader`] if nobody has; else as [`open_fifo_reader`](Self::open_fifo_reader).
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
        let end = Descriptor::own(reader.into()).map_err(PipeError::Descriptor);
        open_reader(self, end, StreamConfig::default(), protocol)
    }

    fn open_pipe_writer<P: Protocol>(
        &self,
        writer: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, PipeError> {
        let end = Descriptor::own(writer.into()).map_err(PipeError::Descriptor);
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

/// A connection that only reads.
pub(crate) fn open_reader<P: Protocol>(
    reactor: &Reactor,
    end: Result<Descriptor, PipeError>,
    config: StreamConfig,
    protocol: P,
) -> Result<Connection<P>, PipeError> {
    let descriptors = end.and_then(|end| open(reactor, (Some((end, None)), None)));
    join(reactor, descriptors, Peer::Pipe, config, protocol)
}

/// A connection that only writes.
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

/// Gives them a protocol.
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
            // Its drop may be user code, and no call runs that.
            reactor.defer_drop(protocol);
            Err(error)
        }
    }
}

/// As a socket of a stream to be, with its token.
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
    Descriptor::own(fd).map_err(failed)
}
