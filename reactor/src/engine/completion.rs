//! The results of completion engines, [`Completion`], and what they are asked to do for a source, [`DeliveryMode`].

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{fmt, io, ops::Deref};

/// What the engine does for a source while reading is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryMode {
    /// Reports when a read, or an accept, is worth trying.
    #[default]
    Readiness,
    /// Receives from a connected stream socket, and reports received data.
    Receive,
    /// Accepts from a listening socket, and reports accepted connections.
    Accept,
}

/// The result of an operation that the engine made in a [`DeliveryMode`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Completion {
    /// Bytes were received, at least one.
    Received(ReceivedBytes),
    /// The peer has shut down its sending side; nothing else follows.
    End,
    /// A connection was accepted: its socket, which is non-blocking.
    #[cfg(unix)]
    Accepted(OwnedFd),
    /// The system call failed; nothing else follows until the delivery mode is set again.
    Failed(io::Error),
}

/// Received bytes, in a buffer of the engine that all connections share: read them and drop this soon.
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
