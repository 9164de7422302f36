//! Socket options: [`Keepalive`], [`Dscp`], and the calls that set them. Options without a meaning for a kind of stream are
//! skipped; options that the system lacks or refuses are a [`SocketOptionError`].

use std::{fmt, io, time::Duration};

use socket2::{SockRef, Socket, TcpKeepalive};

use crate::StreamConfig;

#[cfg(target_os = "linux")]
mod sys;

/// Whether accepted TCP sockets inherit the options of the listening socket, which saves the system calls to set them.
pub(crate) const INHERITED_BY_TCP: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A socket option could not be set. It is the inner error of the [`io::Error`] of listening or connecting.
///
/// # Examples
///
/// ```
/// use sinew_transports::{ListenError, SocketOptionError};
///
/// fn refused_option(error: &ListenError) -> Option<&'static str> {
///     let ListenError::Listen { source, .. } = error else { return None };
///     let cause = source.get_ref()?.downcast_ref::<SocketOptionError>()?;
///     Some(cause.option)
/// }
/// ```
#[derive(thiserror::Error)]
#[error("{option} cannot be set: {source}")]
#[non_exhaustive]
pub struct SocketOptionError {
    /// The name of the option, as in the manual pages.
    pub option: &'static str,
    /// The cause; [`io::ErrorKind::Unsupported`] if this system lacks the option.
    pub source: io::Error,
}

sinew_reactor::error_debug!(SocketOptionError);

/// TCP keepalive (`SO_KEEPALIVE`, tcp(7)): when the kernel starts to probe an idle peer, how often, and when it gives up. The
/// connection is then lost with [`ConnectionLost::TimedOut`](crate::ConnectionLost::TimedOut).
///
/// A `Duration` converts to [`after`](Self::after), `None` to [`OFF`](Self::OFF).
///
/// # Examples
///
/// Detects a vanished peer within a minute and a half:
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{Keepalive, StreamConfig};
///
/// let keepalive = Keepalive::after(Duration::from_secs(60)).interval(Duration::from_secs(10)).retries(3);
/// let config = StreamConfig::default().keepalive(keepalive);
/// # drop(config);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use]
pub struct Keepalive {
    time: Option<Duration>,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl Keepalive {
    /// No probes.
    pub const OFF: Self = Self { time: None, interval: None, retries: None };

    /// Probes a peer that has sent nothing for this time (`TCP_KEEPIDLE`). Rounded up to whole seconds. Linux accepts up to
    /// 32,767.
    pub const fn after(time: Duration) -> Self {
        Self { time: Some(time), interval: None, retries: None }
    }

    /// Time between probes (`TCP_KEEPINTVL`), rounded up to whole seconds. Default: the kernel's, 75 s on Linux.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Unanswered probes until the connection is lost (`TCP_KEEPCNT`). Default: the kernel's, 9 on Linux, which accepts 1 to 127.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Sets this on a TCP socket; [`OFF`](Self::OFF) turns keepalive off.
    pub(crate) fn set_on(self, socket: &Socket) -> io::Result<()> {
        let Some(time) = self.time else {
            return named("SO_KEEPALIVE", socket.set_keepalive(false));
        };
        let keepalive = TcpKeepalive::new().with_time(whole_seconds(time));
        named(
            "SO_KEEPALIVE",
            self.refine(keepalive).and_then(|keepalive| socket.set_tcp_keepalive(&keepalive)),
        )
    }

    #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "redox")))]
    #[allow(clippy::unnecessary_wraps, reason = "other systems cannot do this")]
    fn refine(self, mut keepalive: TcpKeepalive) -> io::Result<TcpKeepalive> {
        if let Some(interval) = self.interval {
            keepalive = keepalive.with_interval(whole_seconds(interval));
        }
        if let Some(retries) = self.retries {
            keepalive = keepalive.with_retries(retries);
        }
        Ok(keepalive)
    }

    #[cfg(any(target_os = "openbsd", target_os = "haiku", target_os = "redox"))]
    fn refine(self, keepalive: TcpKeepalive) -> io::Result<TcpKeepalive> {
        match (self.interval, self.retries) {
            (None, None) => Ok(keepalive),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl From<Duration> for Keepalive {
    fn from(time: Duration) -> Self {
        Self::after(time)
    }
}

impl From<Option<Duration>> for Keepalive {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(Self::OFF, Self::after)
    }
}

/// Rounds up: half a second must not become zero.
fn whole_seconds(time: Duration) -> Duration {
    let more = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs().saturating_add(more))
}

/// A DiffServ code point (RFC 2474), six bits, which marks packets for special treatment. What routers do with it is up to them.
///
/// # Examples
///
/// ```
/// use sinew_transports::Dscp;
///
/// assert_eq!(Dscp::new(46), Some(Dscp::EF));
/// assert_eq!(Dscp::new(64), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dscp(u8);

impl Dscp {
    /// Default forwarding, best effort: 0 (RFC 2474).
    pub const DEFAULT: Self = Self(0);
    /// Lower effort, for background traffic: 1 (RFC 8622).
    pub const LOWER_EFFORT: Self = Self(1);
    /// Expedited forwarding, for low-latency traffic such as voice: 46 (RFC 3246).
    pub const EF: Self = Self(46);

    /// The code point with this number; `None` above 63.
    #[must_use]
    pub const fn new(code_point: u8) -> Option<Self> {
        if code_point < 64 { Some(Self(code_point)) } else { None }
    }

    /// The number of the code point.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Sets this on an IP socket (`IP_TOS`, ip(7); `IPV6_TCLASS`, RFC 3542). The two ECN bits stay under the kernel's control.
    pub(crate) fn set_on(self, socket: &Socket, is_v6: bool) -> io::Result<()> {
        let byte = u32::from(self.0) << 2;
        if is_v6 {
            named("IPV6_TCLASS", set_traffic_class(socket, byte))?;
            // IPv4 traffic of an IPv6 socket uses the other option, which only Linux accepts on such a socket.
            if !cfg!(any(target_os = "linux", target_os = "android")) {
                return Ok(());
            }
        }
        named("IP_TOS", socket.set_tos_v4(byte))
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(unix)]
fn set_traffic_class(socket: &Socket, byte: u32) -> io::Result<()> {
    socket.set_tclass_v6(byte)
}

#[cfg(not(unix))]
fn set_traffic_class(_: &Socket, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Options that few configurations set.
#[derive(Clone, Debug, Default)]
pub(crate) struct UncommonOptions {
    pub(crate) keepalive: Keepalive,
    pub(crate) send_buffer: Option<usize>,
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) dscp: Option<Dscp>,
}

impl StreamConfig {
    /// Sets the options of this configuration on a TCP socket. To be called before listen or connect, because the window that TCP
    /// offers depends on the receive buffer.
    pub(crate) fn set_on_tcp(&self, socket: &Socket, is_v6: bool) -> io::Result<()> {
        named("TCP_NODELAY", socket.set_tcp_nodelay(self.no_delay))?;
        // Keeps urgent data in the stream. Otherwise the kernel removes the urgent byte, and a reader that does not fetch it
        // receives one byte less than the peer has sent (RFC 6093 section 5).
        named("SO_OOBINLINE", socket.set_out_of_band_inline(true))?;
        let Some(uncommon) = &self.uncommon else { return Ok(()) };
        self.size_buffers(socket)?;
        if uncommon.keepalive != Keepalive::OFF {
            uncommon.keepalive.set_on(socket)?;
        }
        if let Some(timeout) = uncommon.user_timeout {
            named("TCP_USER_TIMEOUT", set_user_timeout(socket, timeout))?;
        }
        match uncommon.dscp {
            Some(dscp) => dscp.set_on(socket, is_v6),
            None => Ok(()),
        }
    }

    /// Sets the only options that Unix sockets have.
    pub(crate) fn size_buffers(&self, socket: &Socket) -> io::Result<()> {
        match &self.uncommon {
            Some(uncommon) => size_buffers(socket, uncommon.send_buffer, uncommon.receive_buffer),
            None => Ok(()),
        }
    }
}

pub(crate) fn size_buffers(
    socket: &Socket,
    send: Option<usize>,
    receive: Option<usize>,
) -> io::Result<()> {
    if let Some(bytes) = receive {
        named("SO_RCVBUF", socket.set_recv_buffer_size(bytes))?;
    }
    match send {
        Some(bytes) => named("SO_SNDBUF", socket.set_send_buffer_size(bytes)),
        None => Ok(()),
    }
}

/// Makes a UDP socket report the destination address of every datagram.
pub(crate) fn set_packet_info(socket: &Socket, is_v6: bool) -> io::Result<()> {
    let option = if is_v6 { "IPV6_RECVPKTINFO" } else { "IP_PKTINFO" };
    named(option, ask_packet_info(socket, is_v6))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
use sinew_reactor::packet_info::ask as ask_packet_info;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn ask_packet_info(_: &Socket, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets other sockets bind to the same port, if `reuse` is set.
pub(crate) fn set_reuse_port(socket: &Socket, reuse: bool) -> io::Result<()> {
    if reuse { named("SO_REUSEPORT", share_port(socket)) } else { Ok(()) }
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(not(all(
    unix,
    not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))
)))]
fn share_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    // Zero would select the kernel's default.
    socket.set_tcp_user_timeout(Some(timeout.max(Duration::from_millis(1))))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets a listening socket accept data in the SYN (TCP fast open). `queue` bounds the connections whose handshake is not
/// complete.
pub(crate) fn set_fast_open(socket: &Socket, queue: u16) -> io::Result<()> {
    named("TCP_FASTOPEN", fast_open::listen(socket, queue))
}

/// Sends the first data in the SYN (TCP fast open), if the server has issued a cookie before.
pub(crate) fn set_fast_open_connect(socket: &Socket) -> io::Result<()> {
    named("TCP_FASTOPEN_CONNECT", fast_open::connect(socket))
}

#[cfg(target_os = "linux")]
use sys as fast_open;

#[cfg(not(target_os = "linux"))]
mod fast_open {
    use std::io;

    use socket2::Socket;

    pub(super) fn listen(_: &Socket, _: u16) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn connect(_: &Socket) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether a TCP socket is an IPv6 socket.
pub(crate) fn is_v6(socket: &SockRef<'_>) -> bool {
    socket.local_addr().is_ok_and(|addr| addr.is_ipv6())
}

/// Adds the name of the option to an error.
fn named(option: &'static str, set: io::Result<()>) -> io::Result<()> {
    set.map_err(|source| io::Error::new(source.kind(), SocketOptionError { option, source }))
}

/// Whether a TCP or Unix socket listens.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

/// Elsewhere SO_ACCEPTCONN is not available, but a listening socket has no peer.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(socket.peer_addr().is_err())
}
