//! Classifies socket errors for all crates that make the calls: errors of accept(2) ([`AcceptFailure`]), and errors
//! that a datagram socket reports about something it sent ([`is_about_sent`]). Pure: makes no system call.

use std::io::{self, ErrorKind};

/// How to handle an error of accept(2), in a transport or in an engine that accepts by itself.
///
/// # Examples
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use sinew_reactor::AcceptFailure;
///
/// assert_eq!(AcceptFailure::of(&Error::from(ErrorKind::WouldBlock)), AcceptFailure::Drained);
/// assert_eq!(AcceptFailure::of(&Error::from(ErrorKind::ConnectionAborted)), AcceptFailure::Skip);
/// assert_eq!(AcceptFailure::of(&Error::from(ErrorKind::PermissionDenied)), AcceptFailure::Wait);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub enum AcceptFailure {
    /// The backlog is empty.
    Drained,
    /// The error concerns one connection, which is gone, or a signal interrupted the call. Try the next one.
    Skip,
    /// This process, or the system, has no descriptor left. The connection stays in the backlog.
    NoDescriptors,
    /// The backlog is unchanged and an immediate retry would fail again. Wait before the next try.
    Wait,
}

impl AcceptFailure {
    /// Classifies an error by the tables of accept(2), "ERRORS" and "Error handling".
    pub fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => return Self::Drained,
            // Windows reports ECONNRESET when the peer has gone.
            ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::TimedOut => return Self::Skip,
            _ if is_from_the_network(error) => return Self::Skip,
            _ => {}
        }
        if is_out_of_descriptors(error) { Self::NoDescriptors } else { Self::Wait }
    }
}

/// Whether an error of a datagram socket concerns a datagram that it sent, not the call that reports it: a router or
/// the peer's system has answered with ICMP, or a firewall of this system has dropped it (udp(7), icmp(7)). The socket
/// still works.
///
/// # Examples
///
/// ```
/// use std::io::{Error, ErrorKind};
/// use sinew_reactor::is_about_sent;
///
/// assert!(is_about_sent(&Error::from(ErrorKind::ConnectionRefused)));
/// assert!(!is_about_sent(&Error::from(ErrorKind::WouldBlock)));
/// ```
#[must_use]
pub fn is_about_sent(error: &io::Error) -> bool {
    match error.kind() {
        // ICMP: port unreachable. Windows reports it as ECONNRESET.
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => true,
        // ICMP: time exceeded, on some systems.
        ErrorKind::TimedOut => true,
        // EACCES: ICMPv6 administratively prohibited (RFC 4443 3.1). EPERM: a local packet filter.
        ErrorKind::PermissionDenied => true,
        _ => is_from_the_network(error) || is_too_long_for_the_path(error),
    }
}

/// Errors caused by ICMP, and network errors of the new socket that accept(2) passes on.
#[cfg(unix)]
fn is_from_the_network(error: &io::Error) -> bool {
    use rustix::io::Errno;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if Errno::from_io_error(error) == Some(Errno::NONET) {
        return true;
    }
    match Errno::from_io_error(error) {
        Some(errno) => [
            Errno::NETDOWN,
            Errno::PROTO,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::HOSTUNREACH,
            Errno::OPNOTSUPP,
            Errno::NETUNREACH,
        ]
        .contains(&errno),
        None => is_of_a_network_kind(error),
    }
}

#[cfg(not(unix))]
use is_of_a_network_kind as is_from_the_network;

/// The same for errors without an errno, as from a simulated network.
fn is_of_a_network_kind(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown
    )
}

#[cfg(unix)]
fn is_out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Not reported elsewhere: only on Unix is a spare descriptor kept.
#[cfg(not(unix))]
fn is_out_of_descriptors(_: &io::Error) -> bool {
    false
}

/// ICMP: fragmentation needed, or packet too big.
#[cfg(unix)]
fn is_too_long_for_the_path(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::MSGSIZE)
}

/// // Windows reports this error for a datagram that is longer than the buffer.
#[cfg(not(unix))]
fn is_too_long_for_the_path(_: &io::Error) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use AcceptFailure::{Drained, NoDescriptors, Skip, Wait};

    use super::*;

    /// Each error that accept(2) of Linux documents, some that it does not, and how it is handled; then whether
    /// [`is_about_sent`] holds.
    #[test]
    fn errors_are_classified() {
        let rows = [
            (libc::EAGAIN, Drained, false),
            (libc::EINTR, Skip, false),
            (libc::ECONNABORTED, Skip, false),
            (libc::ECONNRESET, Skip, true),
            (libc::ETIMEDOUT, Skip, true),
            // accept(2): "treat them like EAGAIN by retrying"
            (libc::ENETDOWN, Skip, true),
            (libc::EPROTO, Skip, true),
            (libc::ENOPROTOOPT, Skip, true),
            (libc::EHOSTDOWN, Skip, true),
            (libc::ENONET, Skip, true),
            (libc::EHOSTUNREACH, Skip, true),
            (libc::EOPNOTSUPP, Skip, true),
            (libc::ENETUNREACH, Skip, true),
            (libc::EMFILE, NoDescriptors, false),
            (libc::ENFILE, NoDescriptors, false),
            // A security module or a filter of system calls: nothing was taken from the backlog.
            (libc::EACCES, Wait, true),
            (libc::EPERM, Wait, true),
            (libc::ENOBUFS, Wait, false),
            (libc::ENOMEM, Wait, false),
            // The socket does not listen any more.
            (libc::EINVAL, Wait, false),
            (libc::EBADF, Wait, false),
            (libc::ENOTSOCK, Wait, false),
            (libc::EFAULT, Wait, false),
            (libc::ENOSYS, Wait, false),
            (libc::EIO, Wait, false),
            (libc::ECONNREFUSED, Wait, true),
            (libc::EMSGSIZE, Wait, true),
        ];
        for (errno, failure, about_sent) in rows {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(AcceptFailure::of(&error), failure, "{error}");
            assert_eq!(is_about_sent(&error), about_sent, "{error}");
        }
    }

    /// Errors of a simulated network and of sockets in memory have no errno.
    #[test]
    fn kinds_without_an_errno_are_classified() {
        for kind in [ErrorKind::HostUnreachable, ErrorKind::NetworkDown] {
            let error = io::Error::from(kind);
            assert_eq!((AcceptFailure::of(&error), is_about_sent(&error)), (Skip, true));
        }
        assert_eq!(AcceptFailure::of(&io::Error::other("an unknown error")), Wait);
    }
}
