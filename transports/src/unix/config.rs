//! How Unix sockets are set up: [`UnixListenConfig`] and [`UnixDatagramConfig`].

use super::{addr::UnixAddr, file::FileOptions};
use crate::{
    config::{ListenConfig, StreamConfig},
    datagram::config::DatagramConfig,
};

/// Limits and options of a listening Unix socket.
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
    /// The mode of the socket file, set before a client can connect; on Linux, connecting requires write permission. Default: as given by
    /// the process's umask. Ignored for abstract names.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// Whether the path is claimed by a lock on the file `PATH.lock` while listening. Default `true`.
    /// Without it, two servers that start at the same moment may both take the socket file for a stale one.
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// Maximum connections in the kernel's backlog. Default 1,024; the system caps it.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.listen = self.listen.backlog(connections);
        self
    }

    /// Connection limit. Default 1,048,576. At the limit nothing is accepted; new connections wait in the backlog until
    /// another connection ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.listen = self.listen.max_connections(connections);
        self
    }

    /// Limits and options of the streams.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.listen = self.listen.stream(stream);
        self
    }
}

/// Limits and options of a Unix datagram socket.
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
    /// The mode of the socket file; on Linux, sending requires write permission. Default: as given by the process's umask.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// As [`UnixListenConfig::lock`].
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// The address to send from, for a connected socket: without one, the peer cannot answer. Default: none.
    pub fn bind(mut self, addr: impl Into<UnixAddr>) -> Self {
        self.bind = Some(addr.into());
        self
    }

    /// Limits of the datagrams, and the sizes of the kernel's buffers. Other options are ignored.
    pub fn datagrams(mut self, config: DatagramConfig) -> Self {
        self.datagrams = config;
        self
    }
}
