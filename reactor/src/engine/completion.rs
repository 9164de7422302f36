//! What an engine hands over that does more than tell of readiness: [`Completion`], and what it is to do for a source, [`DeliveryMode`].

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{fmt, io, ops::Deref};

/// What the engine does for a source when reading is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryMode {
    /// Tells when a read, or an accept, is worth trying.
    #[default]
    Readiness,
    /// Receives from a connected stream socket, and tells when something has come.
    Receive,
    /// Accepts from a listening socket, and tells when a connection has come.
    Accept,
}

/// What has come of a [`DeliveryMode`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Completion {
    /// Bytes were received, at least one.
    Received(ReceivedBytes),
    /// The peer will send no more; nothing else follows.
    End,
    /// A connection was accepted: its socket, which does not block.
    #[cfg(unix)]
    Accepted(OwnedFd),
    /// The system says no; nothing else follows until the duty is set again.
    Failed(io::Error),
}

/// Bytes that an engine has received. They lie in memory that all connections share: take them and let go.
pub struct ReceivedBytes(ReceivedStorage);

enum ReceivedStorage {
    #[cfg(target_os = "linux")]
    InRing(super::uring::Buffer),
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no engine here receives"))]
    Copied(Box<[u8]>),
}

impl ReceivedBytes {
    #[cfg(target_os = "linux")]
    pub(super) const fn in_ring(buffer: super::uring::Buffer) -> Self {
        Self(ReceivedStorage::InRing(buffer))
    }

    #[cfg(target_os = "linux")]
    pub(super) const fn copied(bytes: Box<[u8]>) -> Self {
        Self(ReceivedStorage::Copied(bytes))
    }
}

impl Deref for ReceivedBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            #[cfg(target_os = "linux")]
            ReceivedStorage::InRing(buffer) => buffer,
            ReceivedStorage::Copied(bytes) => bytes,
        }
    }
}

impl fmt::Debug for ReceivedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceivedBytes({} bytes)", self.len())
    }
}
