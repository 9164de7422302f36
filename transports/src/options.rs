//! What may be asked of the kernel's sockets beyond their addresses: [`Keepalive`], [`Dscp`], and how all of it is set. What has no
//! meaning for a kind of stream is left out here; what the system does not have, or refuses, is a [`SocketOptionError`].

use std::{fmt, io, time::Duration};

use socket2::{SockRef, Socket, TcpKeepalive};

use crate::StreamConfig;

#[cfg(target_os = "linux")]
mod sys;

/// Whether a socket that TCP has accepted has the options of its listener, which saves the system calls to set them.
pub(crate) const INHERITED_BY_TCP: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A socket could not have an option. It is the cause inside of the [`io::Error`] of whoever opened the socket.
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
    /// The option, as the manuals of the system call it.
    pub option: &'static str,
    /// The cause; [`io::ErrorKind::Unsupported`] if this system has no such option.
    pub source: io::Error,
}

sinew_reactor::error_debug!(SocketOptionError);

/// How the kernel finds out that an idle peer is gone: after how long it asks, how often, and when it gives up (tcp(7),
/// `SO_KEEPALIVE`). The connection is lost then, with [`ConnectionLost::TimedOut`](crate::ConnectionLost::TimedOut).
///
/// Made of a `Duration`, which is the time; of `None`, it is [`OFF`](Self::OFF).
///
/// # Examples
///
/// A peer that is gone is noticed within a minute and a half:
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
    /// Nobody is asked.
    pub const OFF: Self = Self { time: None, interval: None, retries: None };

    /// Asks a peer from which nothing has come for so long (`TCP_KEEPIDLE`). Whole seconds: what is over counts as one more.
    /// Linux takes up to 32,767.
    pub const fn after(time: Duration) -> Self {
        Self { time: Some(time), interval: None, retries: None }
    }

    /// How long an answer is waited for before the next question (`TCP_KEEPINTVL`), in whole seconds as the time is. Default: the
    /// system's, 75 s on Linux.
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// After how many questions without an answer the connection is lost (`TCP_KEEPCNT`). Default: the system's, 9 on Linux, which
    /// takes 1 to 127.
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Sets this on a TCP socket; [`OFF`](Self::OFF) switches it off.
    pub(crate) fn set_on(self, socket: &Socket) -> io::Result<()> {
        let Some(time) = self.time else {
            return named("SO_KEEPALIVE", socket.set_keepalive(false));
        };
        let asked = TcpKeepalive::new().with_time(whole_seconds(time));
        named("SO_KEEPALIVE", self.refine(asked).and_then(|asked| socket.set_tcp_keepalive(&asked)))
    }

    #[cfg(not(any(target_os = "openbsd", target_os = "haiku", target_os = "redox")))]
    #[allow(clippy::unnecessary_wraps, reason = "other systems cannot do this")]
    fn refine(self, mut asked: TcpKeepalive) -> io::Result<TcpKeepalive> {
        if let Some(interval) = self.interval {
            asked = asked.with_interval(whole_seconds(interval));
        }
        if let Some(retries) = self.retries {
            asked = asked.with_retries(retries);
        }
        Ok(asked)
    }

    #[cfg(any(target_os = "openbsd", target_os = "haiku", target_os = "redox"))]
    fn refine(self, asked: TcpKeepalive) -> io::Result<TcpKeepalive> {
        match (self.interval, self.retries) {
            (None, None) => Ok(asked),
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

/// Rounded up: a system that cuts off what is over would make nothing of half a second.
fn whole_seconds(time: Duration) -> Duration {
    let more = u64::from(time.subsec_nanos() > 0);
    Duration::from_secs(time.as_secs().saturating_add(more))
}

/// How packets are to be treated on their way: a code point of DiffServ (RFC 2474), six bits. What routers make of it is up to them.
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
    /// As all the others: 0 (RFC 2474).
    pub const DEFAULT: Self = Self(0);
    /// What can wait: 1 (RFC 8622).
    pub const LOWER_EFFORT: Self = Self(1);
    /// What must not wait, such as voices: 46 (RFC 3246).
    pub const EF: Self = Self(46);

    /// The code point of that number; `None` above 63.
    #[must_use]
    pub const fn new(code_point: u8) -> Option<Self> {
        if code_point < 64 { Some(Self(code_point)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Sets this on a socket of the internet (`IP_TOS`, ip(7); `IPV6_TCLASS`, RFC 3542). The two bits for ECN stay the kernel's.
    pub(crate) fn set_on(self, socket: &Socket, is_v6: bool) -> io::Result<()> {
        let byte = u32::from(self.0) << 2;
        if is_v6 {
            named("IPV6_TCLASS", set_traffic_class(socket, byte))?;
            // What such a socket exchanges over IPv4 goes by the other option, which only Linux lets it have.
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

/// What few configurations ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct UncommonOptions {
    pub(crate) keepalive: Keepalive,
    pub(crate) send_buffer: Option<usize>,
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) dscp: Option<Dscp>,
}

impl StreamConfig {
    /// Sets on a TCP socket what streams are to have. Before it listens or connects: the window that it offers depends on its buffer.
    pub(crate) fn set_on_tcp(&self, socket: &Socket, is_v6: bool) -> io::Result<()> {
        named("TCP_NODELAY", socket.set_tcp_nodelay(self.no_delay))?;
        // A byte that is sent as urgent stays where it is in the stream. Else the system takes it out, and whoever does not ask for
        // it has one byte less than the peer has sent (RFC 6093 5).
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

    /// All that can be asked of a Unix socket.
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

/// Has a UDP socket tell of every datagram where it was sent to.
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

/// Lets others bind to the same port, if that is asked for.
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
    // Zero would be the system's own.
    socket.set_tcp_user_timeout(Some(timeout.max(Duration::from_millis(1))))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &Socket, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Has a listening socket take data with the first packet of a connection, from so many who are not known to be there yet.
pub(crate) fn set_fast_open(socket: &Socket, queue: u16) -> io::Result<()> {
    named("TCP_FASTOPEN", fast_open::listen(socket, queue))
}

/// Has a socket send its first data with the first packet of its connection, if the server has given leave before.
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

/// Whether a TCP socket is one of IPv6.
pub(crate) fn is_v6(socket: &SockRef<'_>) -> bool {
    socket.local_addr().is_ok_and(|addr| addr.is_ipv6())
}

/// Says which option it was.
fn named(option: &'static str, set: io::Result<()>) -> io::Result<()> {
    set.map_err(|source| io::Error::new(source.kind(), SocketOptionError { option, source }))
}
