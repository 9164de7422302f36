//! How Unix sockets are set up: [`UnixListenConfig`] and [`UnixDatagramConfig`].

use super::{addr::UnixAddr, file::FileOptions};
use crate::{ListenConfig, StreamConfig, datagram::DatagramConfig};

/// The limits and options of a listening Unix socket.
///
/// # Examples
///
/// ```
/// use sinew_transports::UnixListenConfig;
///
/// let config = UnixListenConfig::default().mode(0o660).max_connections(100);
/// # drop(config);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UnixListenConfig {
    pub(crate) file: FileOptions,
    pub(crate) listen: ListenConfig,
}

impl UnixListenConfig {
    /// The mode of the socket file, set before anybody can connect; on Linux, who may write to it may connect. Default: what
    /// the process's umask leaves. Abstract names have none.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// Whether the path is claimed by a lock on the file `PATH.lock`, for as long as it is listened on. Default `true`.
    /// Without it, two servers that start at the same moment may both take the socket file for one left by the dead.
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// How many connections the kernel may hold ready before they are accepted. Default 1,024; the system caps it.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.listen = self.listen.backlog(connections);
        self
    }

    /// How many connections may be open. Default 1,048,576. Past it nothing is accepted; who comes waits in the backlog until
    /// another connection ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.listen = self.listen.max_connections(connections);
        self
    }

    /// The limits and options of the streams.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.listen = self.listen.stream(stream);
        self
    }
}

/// The limits and options of a Unix socket for datagrams.
///
/// # Examples
///
/// ```
/// use sinew_transports::{DatagramConfig, UnixDatagramConfig};
///
/// let config = UnixDatagramConfig::default()
///     .mode(0o660)
///     .datagrams(DatagramConfig::default().max_len(1024));
/// # drop(config);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UnixDatagramConfig {
    pub(crate) file: FileOptions,
    pub(crate) bind: Option<UnixAddr>,
    pub(crate) datagrams: DatagramConfig,
}

impl UnixDatagramConfig {
    /// The mode of the socket file; on Linux, who may write to it may send. Default: what the process's umask leaves.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// As [`UnixListenConfig::lock`].
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// The address to send from, for a connected socket: without one, nobody can answer. Default: none.
    pub fn bind(mut self, addr: impl Into<UnixAddr>) -> Self {
        self.bind = Some(addr.into());
        self
    }

    /// The limits of the datagrams, and the sizes of the system's buffers. What else is in it is of no meaning here.
    pub fn datagrams(mut self, config: DatagramConfig) -> Self {
        self.datagrams = config;
        self
    }
}
