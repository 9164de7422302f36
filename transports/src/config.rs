//! Configuration of streams, listening ports and outgoing connections. Every limit is named and has a documented default.

use std::{net::SocketAddr, time::Duration};

#[cfg(unix)]
use crate::HandedPort;
use crate::{
    Dscp, Faults, Keepalive, Peer,
    options::UncommonOptions,
    proxy::{ProxiedEnds, ProxyConfig, ProxyHeader},
    sharing::Share,
    tcp::interleave::Family,
};

/// A shorter delay would be the same as trying all addresses at once.
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// How long a connection may be idle, and which data counts as activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdleTimeout {
    pub(crate) after: Duration,
    /// Whether sent data counts. Received data always does.
    pub(crate) counts_sent: bool,
}

/// The limits and options of a stream.
///
/// Socket options apply to TCP; Unix sockets have only the buffer sizes. Other streams, and those of a simulated network, ignore
/// them. An option that this system lacks or refuses is an error of listening or connecting that names the option
/// ([`SocketOptionError`](crate::SocketOptionError)). On Linux, accepted connections inherit the options of the listening socket,
/// at no cost per connection.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::StreamConfig;
///
/// let config = StreamConfig::default()
///     .write_limit(1 << 20)
///     .idle_timeout(Duration::from_secs(300));
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct StreamConfig {
    pub(crate) high_watermark: usize,
    pub(crate) low_watermark: usize,
    pub(crate) write_limit: usize,
    pub(crate) auto_pause: bool,
    pub(crate) linger_timeout: Duration,
    pub(crate) idle_timeout: Option<IdleTimeout>,
    pub(crate) no_delay: bool,
    pub(crate) descriptors_max: usize,
    /// Boxed, because every outgoing connection keeps its configuration.
    pub(crate) uncommon: Option<Box<UncommonOptions>>,
    /// Boxed for the same reason.
    pub(crate) faults: Option<Box<Faults>>,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            high_watermark: 64 * 1024,
            low_watermark: 16 * 1024,
            write_limit: usize::MAX,
            auto_pause: true,
            linger_timeout: Duration::from_secs(10),
            idle_timeout: None,
            no_delay: true,
            descriptors_max: 0,
            uncommon: None,
            faults: None,
        }
    }
}

impl StreamConfig {
    /// The backpressure watermarks of the output queue, in bytes. Above `high`, `writing_paused` is called and the connection
    /// stops reading; at `low` or below, `writing_resumed` is called and reading continues. Default 64 KiB and 16 KiB. A `low`
    /// above `high` counts as `high`.
    pub fn watermarks(mut self, high: usize, low: usize) -> Self {
        self.high_watermark = high;
        self.low_watermark = low.min(high);
        self
    }

    /// With more than this many bytes queued for sending, the connection is aborted with
    /// [`ConnectionLost::WriteLimit`](crate::ConnectionLost::WriteLimit). Default: no limit.
    pub fn write_limit(mut self, bytes: usize) -> Self {
        self.write_limit = bytes;
        self
    }

    /// Whether a connection above its high watermark stops reading by itself. Default `true`, which bounds the memory of a server
    /// that answers what it reads.
    pub fn auto_pause(mut self, auto_pause: bool) -> Self {
        self.auto_pause = auto_pause;
        self
    }

    /// The longest time without progress of a graceful close: while data is unsent, until the peer receives some of it; after
    /// that, until the peer closes its side. Default 10 s. Also how long a connection whose output has failed keeps paused input,
    /// counted anew each time that some of it is delivered or relayed.
    ///
    /// It replaces `SO_LINGER`, which would block the whole event loop in close(2), even for a non-blocking socket (socket(7)).
    /// Here the event loop continues, and the protocol receives the reason of the end. `SO_LINGER` with a time of zero, a reset,
    /// is [`Transport::abort`](crate::Transport::abort).
    pub fn linger_timeout(mut self, timeout: Duration) -> Self {
        self.linger_timeout = timeout;
        self
    }

    /// The initial idle timeout of connections; see [`Transport::set_idle_timeout`](crate::Transport::set_idle_timeout). Default:
    /// none.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let idle = |after| IdleTimeout { after, counts_sent: true };
        self.idle_timeout = timeout.into().map(idle);
        self
    }

    /// The same, counting only received data as activity; see
    /// [`Transport::set_read_timeout`](crate::Transport::set_read_timeout). This setting and [`idle_timeout`](Self::idle_timeout)
    /// replace each other. Default: none.
    pub fn read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let silent = |after| IdleTimeout { after, counts_sent: false };
        self.idle_timeout = timeout.into().map(silent);
        self
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`). Default `true`: what one callback writes is sent together
    /// anyway.
    pub fn no_delay(mut self, no_delay: bool) -> Self {
        self.no_delay = no_delay;
        self
    }

    /// TCP keepalive (`SO_KEEPALIVE`): probes of an idle peer, after this time, or as a [`Keepalive`] specifies. Default: off.
    pub fn keepalive(mut self, keepalive: impl Into<Keepalive>) -> Self {
        self.uncommon().keepalive = keepalive.into();
        self
    }

    /// Size of the kernel's send buffer, in bytes, in addition to the queue of the transport (`SO_SNDBUF`, socket(7)). Default:
    /// the kernel's, which grows with the connection; a size set here is fixed. Linux doubles the number for its own overhead and
    /// caps it at `net.core.wmem_max`.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.uncommon().send_buffer = Some(bytes);
        self
    }

    /// Size of the kernel's receive buffer, in bytes (`SO_RCVBUF`, socket(7)): as [`send_buffer`](Self::send_buffer), capped at
    /// `net.core.rmem_max`. For a Unix socket on Linux only the sender's buffer matters.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.uncommon().receive_buffer = Some(bytes);
        self
    }

    /// How long the kernel waits for a peer to acknowledge sent data, or to open its window, before the connection is lost with
    /// [`ConnectionLost::TimedOut`](crate::ConnectionLost::TimedOut) (`TCP_USER_TIMEOUT`, tcp(7), RFC 5482; on Linux). In
    /// milliseconds. Default: the kernel's, about a quarter of an hour. With [`keepalive`](Self::keepalive) it replaces the
    /// number of retries.
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.uncommon().user_timeout = Some(timeout);
        self
    }

    /// DiffServ code point of sent packets (`IP_TOS`, ip(7); `IPV6_TCLASS`). Default: 0, best effort. Windows supports it for
    /// IPv4 only.
    pub fn dscp(mut self, dscp: Dscp) -> Self {
        self.uncommon().dscp = Some(dscp);
        self
    }

    fn uncommon(&mut self) -> &mut UncommonOptions {
        self.uncommon.get_or_insert_default()
    }

    /// Accepts file descriptors that a peer sends over a Unix socket, for `Transport::take_descriptor`. At most this many wait
    /// there; past it the connection is dropped with [`ConnectionLost::DescriptorLimit`](crate::ConnectionLost::DescriptorLimit).
    /// Default 0: none are accepted, and the kernel closes those that arrive. No effect on other streams.
    pub fn receive_descriptors(mut self, waiting_max: usize) -> Self {
        self.descriptors_max = waiting_max;
        self
    }

    /// Fault injection between streams and their sockets, for tests and staging. Default: none, at no cost.
    pub fn faults(mut self, faults: impl Into<Option<Faults>>) -> Self {
        self.faults = faults.into().map(Box::new);
        self
    }
}

/// The limits and options of a listening port.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{ListenConfig, Peer, Protocol, ReactorTcp, StreamConfig, Transport, reactor::Reactor};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = StreamConfig::default().idle_timeout(Duration::from_secs(300));
/// let config = ListenConfig::default().max_connections(10_000).max_per_ip(100).stream(stream);
/// let reactor = Reactor::new()?;
/// reactor.listen_tcp_with("127.0.0.1:0", config, |_: &Peer| Echo)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ListenConfig {
    pub(crate) backlog: i32,
    pub(crate) reuse_port: bool,
    pub(crate) v6_only: bool,
    pub(crate) fast_open: Option<u16>,
    pub(crate) connections_max: usize,
    pub(crate) connections_per_ip_max: usize,
    pub(crate) ipv6_prefix: u8,
    /// Boxed, because few ports have it.
    pub(crate) proxy: Option<Box<ProxyConfig>>,
    /// The reactors that the port is shared with.
    pub(crate) share: Option<Share>,
    #[cfg(unix)]
    pub(crate) handed_over: Option<HandedPort>,
    #[cfg(unix)]
    pub(crate) others_handed_over: Vec<HandedPort>,
    pub(crate) stream: StreamConfig,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            backlog: 1024,
            reuse_port: false,
            v6_only: false,
            fast_open: None,
            connections_max: 1 << 20,
            connections_per_ip_max: usize::MAX,
            ipv6_prefix: 64,
            proxy: None,
            share: None,
            #[cfg(unix)]
            handed_over: None,
            #[cfg(unix)]
            others_handed_over: Vec::new(),
            stream: StreamConfig::default(),
        }
    }
}

impl ListenConfig {
    /// Connections that the kernel queues before they are accepted. Default 1,024; the kernel caps it.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.backlog = i32::from(connections);
        self
    }

    /// Sets whether several sockets may listen on this port and share its connections (`SO_REUSEPORT`, socket(7); on Unix).
    /// Default `false`.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Sets whether a socket on an IPv6 address refuses IPv4 connections (`IPV6_V6ONLY`, ipv6(7)). Default `false`: `[::]`
    /// listens on both.
    pub fn v6_only(mut self, v6_only: bool) -> Self {
        self.v6_only = v6_only;
        self
    }

    /// Accepts data in the SYN of a connection (TCP fast open, `TCP_FASTOPEN`, tcp(7), RFC 7413; on Linux). `queue` bounds the
    /// connections whose handshake is not complete, so whose address is not proved. Default: off.
    ///
    /// The kernel must allow it, too: the second bit of `/proc/sys/net/ipv4/tcp_fastopen` (2, or 3 with clients), which is off by
    /// default. Without it connections work as usual. Data in a SYN may arrive twice, because a network may duplicate the packet,
    /// so the requests in it should be idempotent.
    pub fn fast_open(mut self, queue: u16) -> Self {
        self.fast_open = Some(queue);
        self
    }

    /// Connection limit of this port. Default 1,048,576. At the limit nothing is accepted; clients wait in the backlog until a
    /// connection ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Connection limit per client. Default: no limit. Above it a connection is closed at once.
    ///
    /// A client is an IPv4 address, also in IPv4-mapped form (`::ffff:192.0.2.7`), or an IPv6 network
    /// ([`ipv6_prefix`](Self::ipv6_prefix)).
    pub fn max_per_ip(mut self, connections: usize) -> Self {
        self.connections_per_ip_max = connections.max(1);
        self
    }

    /// The prefix length that identifies a client by its IPv6 address, for [`max_per_ip`](Self::max_per_ip). Default 64: the
    /// smallest network that a site is assigned, which may use any address in it (RFC 6177). Use 56 or 48 for sites with several
    /// networks; 128 counts each address by itself, as is always done for link-local addresses (`fe80::/10`). At most 128.
    pub fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits.min(128);
        self
    }

    /// Requires a header of the [PROXY protocol](crate::proxy) at the start of every connection, in which a proxy gives the
    /// client's address. Default: none. Connections whose header has not arrived count for
    /// [`max_connections`](Self::max_connections); [`max_per_ip`](Self::max_per_ip) uses the client's address.
    pub fn proxy(mut self, proxy: impl Into<Option<ProxyConfig>>) -> Self {
        self.proxy = proxy.into().map(Box::new);
        self
    }

    /// Listens on this socket, which another process hands over, in place of opening one. Options that must be set before a
    /// socket listens are left as they are. If it does not listen where the port is to be, or the kind of endpoint has no
    /// socket of the kernel's, it is not used. Default: none. Unix only.
    #[cfg(unix)]
    pub fn handed_over(mut self, port: impl Into<Option<HandedPort>>) -> Self {
        self.handed_over = port.into();
        self
    }

    /// Sockets of other ports that were handed over. One that listens exactly on the wanted address is used, if
    /// [`handed_over`](Self::handed_over) is not: that address cannot be bound again.
    #[cfg(unix)]
    #[doc(hidden)]
    pub fn others_handed_over(mut self, ports: Vec<HandedPort>) -> Self {
        self.others_handed_over = ports;
        self
    }

    /// The same for a further socket of a port that several reactors share.
    #[doc(hidden)]
    pub fn unshared(mut self) -> Self {
        self.share = None;
        self
    }

    /// The limits and options of the streams.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.stream = stream;
        self
    }
}

/// The limits and options of an outgoing connection.
///
/// # Examples
///
/// Gives up after five seconds without an answer. Nothing listens on port 1 here, which is known at once.
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{ConnectConfig, Peer, Protocol, ReactorTcp, Transport, reactor::Reactor};
///
/// struct Print;
///
/// impl Protocol for Print {
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         println!("{}", data.escape_ascii());
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ConnectConfig::default().timeout(Duration::from_secs(5));
/// let reactor = Reactor::new()?;
/// let connecting = reactor.connect_tcp_with("127.0.0.1:1", config, |_: &Peer| Print);
/// let error = reactor.run_until(connecting)?.unwrap_err();
/// assert!(error.is_refused());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConnectConfig {
    pub(crate) timeout: Duration,
    pub(crate) attempt_delay: Duration,
    pub(crate) first_family: Option<Family>,
    pub(crate) bind: Option<SocketAddr>,
    pub(crate) fast_open: bool,
    /// Boxed, because few connections have it.
    pub(crate) proxy_header: Option<Box<ProxyHeader>>,
    pub(crate) stream: StreamConfig,
}

impl Default for ConnectConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            attempt_delay: Duration::from_millis(250),
            first_family: None,
            bind: None,
            fast_open: false,
            proxy_header: None,
            stream: StreamConfig::default(),
        }
    }
}

impl ConnectConfig {
    /// Timeout of the whole attempt, name resolution included. Default 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Happy Eyeballs: how long an address has to answer before the next one is tried in parallel. Default 250 ms, at least 10 ms
    /// (RFC 8305, sections 5 and 8). After a failure the next one is tried at once.
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay.max(ATTEMPT_DELAY_MIN);
        self
    }

    /// The address family that is tried first when a name has addresses of both. Default: the family of the first address from
    /// the resolver (RFC 8305, section 4).
    pub fn first_family(mut self, family: impl Into<Option<Family>>) -> Self {
        self.first_family = family.into();
        self
    }

    /// Sends a header of the [PROXY protocol](crate::proxy) before a TLS handshake and all data of the protocol. Default: none.
    /// Applies to connections of every kind; the server must expect it.
    ///
    /// # Examples
    ///
    /// A proxy that passes on its client's address:
    ///
    /// ```
    /// use sinew_transports::{ConnectConfig, Transport, proxy::ProxyHeader};
    ///
    /// fn on_behalf_of(client: &Transport) -> ConnectConfig {
    ///     ConnectConfig::default().proxy_header(ProxyHeader::v2().on_behalf_of(client))
    /// }
    /// ```
    pub fn proxy_header(mut self, header: impl Into<Option<ProxyHeader>>) -> Self {
        self.proxy_header = header.into().map(Box::new);
        self
    }

    /// The bytes that are sent first on a connection.
    pub(crate) fn first_bytes(&self, local: Option<SocketAddr>, peer: &Peer) -> Vec<u8> {
        let header = self.proxy_header.as_ref();
        header.map(|header| header.to_bytes(&ProxiedEnds::own(local, peer))).unwrap_or_default()
    }

    /// The local address to connect from; only addresses of its family are tried. Port 0 lets the kernel choose.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Sends the first data in the SYN (TCP fast open, `TCP_FASTOPEN_CONNECT`, tcp(7), RFC 7413; on Linux), to servers that have
    /// issued a cookie in an earlier connection. Default `false`. The first bit of `/proc/sys/net/ipv4/tcp_fastopen` must be set,
    /// as it is by default.
    ///
    /// Only for protocols that write first, best in `connection_made`: to such a server nothing is sent before that. The
    /// connection counts as made at once, and a failure to connect shows later as the end of the connection. The first data may
    /// arrive twice.
    pub fn fast_open(mut self, fast_open: bool) -> Self {
        self.fast_open = fast_open;
        self
    }

    /// The limits and options of the stream.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.stream = stream;
        self
    }
}
