//! File-descriptor passing over Unix sockets (`SCM_RIGHTS`): the two system calls, and the public error types.

#[cfg(unix)]
use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

#[cfg(unix)]
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Descriptors that may be queued in a stream, and are sent with one call. Linux would accept 253 (`SCM_MAX_FD`).
#[cfg(unix)]
pub(crate) const QUEUED_MAX: usize = 64;

/// The most descriptors that one call can receive (`SCM_MAX_FD`).
#[cfg(unix)]
const RECEIVED_MAX: usize = 253;

/// A descriptor was not sent. The error returns it to the caller.
#[cfg(unix)]
#[derive(thiserror::Error)]
#[error("the descriptor was not sent: {reason}")]
pub struct SendDescriptorError {
    /// The descriptor.
    pub descriptor: OwnedFd,
    /// Why it was not sent.
    pub reason: DescriptorRefused,
}

#[cfg(unix)]
sinew_reactor::error_debug!(SendDescriptorError);

/// Why a descriptor cannot be sent.
#[cfg(unix)]
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorRefused {
    /// The stream is not a Unix socket, or [`Faults`](crate::Faults) wrap its socket.
    #[error("only Unix sockets pass descriptors")]
    NotUnix,
    /// The connection is closing or over, or its output has been ended.
    #[error("the connection is closing, or its output has ended")]
    Closed,
    /// Too many descriptors are queued.
    #[error(
        "{max} descriptors are queued already; they leave with the next bytes that are written"
    )]
    TooMany {
        /// How many may be queued.
        max: usize,
    },
}

#[cfg(unix)]
sinew_reactor::error_debug!(DescriptorRefused);

/// Result of one read.
pub(crate) struct Received {
    pub(crate) bytes: usize,
    #[cfg(unix)]
    pub(crate) descriptors: Vec<OwnedFd>,
}

impl From<usize> for Received {
    fn from(bytes: usize) -> Self {
        Self {
            bytes,
            #[cfg(unix)]
            descriptors: Vec::new(),
        }
    }
}

/// Like `recvmsg(2)`. The kernel ends a read after the bytes that carry descriptors, so no descriptor arrives earlier than that.
#[cfg(unix)]
pub(crate) fn receive(socket: &UnixStream, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(RECEIVED_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    let flags = RecvFlags::empty();
    #[cfg(not(any(target_os = "macos", target_os = "ios")))]
    let flags = RecvFlags::CMSG_CLOEXEC;
    let mut slices = [IoSliceMut::new(buffer)];
    let message = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut slices, &mut control, flags)
    })?;
    let mut descriptors = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = ancillary {
            descriptors.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        // The kernel does not say which descriptors it dropped, so the rest cannot be matched to the peer's messages.
        return Err(io::Error::other(
            "descriptors that the peer sent were lost: more than one read can receive, or than this process may have open",
        ));
    }
    Ok(Received { bytes: message.bytes, descriptors })
}

/// Like `sendmsg(2)`.
#[cfg(unix)]
pub(super) fn send(
    socket: &UnixStream,
    slices: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(QUEUED_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fits = control.push(SendAncillaryMessage::ScmRights(descriptors));
    debug_assert!(fits, "no more than that are queued");
    #[cfg(any(target_os = "macos", target_os = "ios"))]
    let flags = SendFlags::empty();
    #[cfg(not(any(target_os = "macos", target_os = "ios")))]
    let flags = SendFlags::NOSIGNAL;
    Ok(rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket.as_fd(), slices, &mut control, flags)
    })?)
}
