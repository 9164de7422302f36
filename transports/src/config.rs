//! How streams, listeners and connectors are set up. Every limit has a name, a default and a place in the docs.

use std::{net::SocketAddr, time::Duration};

use crate::{
    Dscp, Faults, Keepalive, Peer,
    options::UncommonOptions,
    proxy::{ProxiedEnds, ProxyConfig, ProxyHeader},
    stream::IdleTimeout,
    tcp::Family,
};

/// Less would be no different from trying all at once.
const ATTEMPT_DELAY_MIN: Duration = Duration::from_millis(10);

/// The limits and options of a stream.
///
/// What is asked of the system's sockets has a meaning for TCP; of it, Unix sockets have the sizes of buffers. Other streams, and
/// those of a simulated network, take no notice. An option that this system does not have, or refuses, is an error of whoever listens
/// or connects, which names it ([`SocketOptionError`](crate::SocketOptionError)). On Linux, what is accepted has the options of its
/// port, so that they cost nothing for a connection more.
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
    /// Apart, for every outgoing connection keeps its configuration.
    pub(crate) uncommon: Option<Box<UncommonOptions>>,
    /// Apart, as those.
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
    /// With more bytes than `high` queued for sending, the protocol is told `writing_paused` and the connection stops
    /// reading; at `low` or fewer, `writing_resumed`, and reading goes on. Default 64 KiB and 16 KiB. A `low` above
    /// `high` counts as `high`.
    pub fn watermarks(mut self, high: usize, low: usize) -> Self {
        self.high_watermark = high;
        self.low_watermark = low.min(high);
        self
    }

    /// With more bytes than this queued for sending, the connection is aborted with
    /// [`ConnectionLost::WriteLimit`](crate::ConnectionLost::WriteLimit). Default: no limit.
    pub fn write_limit(mut self, bytes: usize) -> Self {
        self.write_limit = bytes;
        self
    }

    /// Whether a connection over its high watermark stops reading by itself. Default `true`: that is what bounds the
    /// memory of a server that answers what it reads.
    pub fn auto_pause(mut self, auto_pause: bool) -> Self {
        self.auto_pause = auto_pause;
        self
    }

    /// How long a graceful close waits: while bytes are left, for the peer to take any of them; once all are sent, for
    /// the peer to close its side. Default 10 s.
    /// And how long a connection whose output has failed waits for input to be let go on, by
    /// [`resume_reading`](crate::Transport::resume_reading) or by a relay, each time that some was.
    ///
    /// It is what `SO_LINGER` is meant for, and takes its place: with that, the system would hold up the whole loop in close(2), even
    /// of a socket that does not block (socket(7)), while here the loop goes on and the protocol is told how it ended. `SO_LINGER`
    /// with a time of zero, a reset, is [`Transport::abort`](crate::Transport::abort).
    pub fn linger_timeout(mut self, timeout: Duration) -> Self {
        self.linger_timeout = timeout;
        self
    }

    /// The idle timeout that connections start with; see [`Transport::set_idle_timeout`](crate::Transport::set_idle_timeout).
    /// Default: none.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let idle = |after| IdleTimeout { after, counts_sent: true };
        self.idle_timeout = timeout.into().map(idle);
        self
    }

    /// The same, by what is received alone; see [`Transport::set_read_timeout`](crate::Transport::set_read_timeout). Of both, the
    /// last one that was set counts. Default: none.
    pub fn read_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let silent = |after| IdleTimeout { after, counts_sent: false };
        self.idle_timeout = timeout.into().map(silent);
        self
    }

    /// Whether small writes go out at once (`TCP_NODELAY`). Default `true`: what one callback writes is sent together
    /// anyway.
    pub fn no_delay(mut self, no_delay: bool) -> Self {
        self.no_delay = no_delay;
        self
    }

    /// Has the kernel ask an idle peer whether it is still there (`SO_KEEPALIVE`): after so long, or as a [`Keepalive`] says in full.
    /// Default: nobody is asked.
    pub fn keepalive(mut self, keepalive: impl Into<Keepalive>) -> Self {
        self.uncommon().keepalive = keepalive.into();
        self
    }

    /// How many bytes the system takes to be sent, on top of what is queued here (`SO_SNDBUF`, socket(7)). Default: the system's,
    /// which grows as the connection needs it; one that is set does not. Linux doubles the number, for its own needs, and caps it at
    /// `net.core.wmem_max`.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.uncommon().send_buffer = Some(bytes);
        self
    }

    /// How many bytes the system keeps of what has come and was not read yet (`SO_RCVBUF`, socket(7)), as
    /// [`send_buffer`](Self::send_buffer) says, with `net.core.rmem_max` for a cap. Of a Unix socket on Linux, it is the sender's
    /// buffer that counts.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.uncommon().receive_buffer = Some(bytes);
        self
    }

    /// How long the kernel waits for a peer to acknowledge what was sent, or to have room for more, before the connection is lost with
    /// [`ConnectionLost::TimedOut`](crate::ConnectionLost::TimedOut) (`TCP_USER_TIMEOUT`, tcp(7), RFC 5482; on Linux). In milliseconds.
    /// Default: the system's, about a quarter of an hour. With [`keepalive`](Self::keepalive) it takes the place of the retries.
    pub fn user_timeout(mut self, timeout: Duration) -> Self {
        self.uncommon().user_timeout = Some(timeout);
        self
    }

    /// How packets are to be treated on their way (`IP_TOS`, ip(7); `IPV6_TCLASS`). Default: as all the others. Windows has it for
    /// IPv4 only.
    pub fn dscp(mut self, dscp: Dscp) -> Self {
        self.uncommon().dscp = Some(dscp);
        self
    }

    fn uncommon(&mut self) -> &mut UncommonOptions {
        self.uncommon.get_or_insert_default()
    }

    /// Takes in the descriptors that a peer sends over a Unix socket, so that `Transport::take_descriptor` finds them; so
    /// many may wait there, past it the connection is dropped with
    /// [`ConnectionLost::DescriptorLimit`](crate::ConnectionLost::DescriptorLimit). Default 0: none are taken in, the
    /// system closes what comes. Of no meaning for other streams.
    pub fn receive_descriptors(mut self, waiting_max: usize) -> Self {
        self.descriptors_max = waiting_max;
        self
    }

    /// Faults that come between the streams and their sockets on purpose, for tests and for staging. Default: none, and then
    /// nothing is asked.
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
    /// Apart, for few ports have it.
    pub(crate) proxy: Option<Box<ProxyConfig>>,
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
            stream: StreamConfig::default(),
        }
    }
}

impl ListenConfig {
    /// How many connections the kernel may hold ready before they are accepted. Default 1,024; the system caps it.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.backlog = i32::from(connections);
        self
    }

    /// Whether several sockets may listen on this port and share its connections (`SO_REUSEPORT`, socket(7); on Unix). Default
    /// `false`.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether a socket on an IPv6 address takes no IPv4 connections (`IPV6_V6ONLY`, ipv6(7)). Default `false`: `[::]` listens on
    /// both.
    pub fn v6_only(mut self, v6_only: bool) -> Self {
        self.v6_only = v6_only;
        self
    }

    /// Takes what clients send with the very first packet of a connection (`TCP_FASTOPEN`, tcp(7), RFC 7413; on Linux), from up to so
    /// many of them at a time that have not proved yet to be where they say. Default: nothing is taken so early.
    ///
    /// The system has to allow it, too: the second bit of `/proc/sys/net/ipv4/tcp_fastopen` (2, or 3 with clients), which is not set
    /// unless somebody did. Without it, connections are made as ever. What comes so early may come twice: a network may duplicate a
    /// packet that opens a connection, so what is asked in it should do no harm when it is done again.
    pub fn fast_open(mut self, queue: u16) -> Self {
        self.fast_open = Some(queue);
        self
    }

    /// How many connections of this port may be open. Default 1,048,576. Past it nothing is accepted; who comes waits in
    /// the backlog until another connection ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// How many connections one client may have open. Default: no limit. Past it a connection is closed at once.
    ///
    /// A client is an IPv4 address, also in the form of IPv6 (`::ffff:192.0.2.7`), or a network of IPv6
    /// ([`ipv6_prefix`](Self::ipv6_prefix)).
    pub fn max_per_ip(mut self, connections: usize) -> Self {
        self.connections_per_ip_max = connections.max(1);
        self
    }

    /// For [`max_per_ip`](Self::max_per_ip), how many bits the IPv6 addresses of one client have in common. Default 64, for so large
    /// is the smallest network that a site is given, with all of its addresses to choose from (RFC 6177); 56 or 48 for sites with
    /// several networks; 128 counts each address by itself, as is always done with those of neighbours (`fe80::/10`). At most 128.
    pub fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits.min(128);
        self
    }

    /// Has every connection begin with a header of the [PROXY protocol](crate::proxy), in which a proxy says for whom it connects.
    /// Default: none. Connections whose header is still to come count for [`max_connections`](Self::max_connections); for
    /// [`max_per_ip`](Self::max_per_ip) it is the client's address that counts.
    pub fn proxy(mut self, proxy: impl Into<Option<ProxyConfig>>) -> Self {
        self.proxy = proxy.into().map(Box::new);
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
/// Somebody who does not answer within five seconds is given up; nothing listens on port 1 here, which is known at once.
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
    /// Apart, for few connections have it.
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
    /// How long the whole attempt may take, the resolving of the name included. Default 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Of several addresses, how long one has to answer before the next is tried beside it. Default 250 ms; no less than 10 ms
    /// (RFC 8305, sections 5 and 8). One that fails is followed at once.
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay.max(ATTEMPT_DELAY_MIN);
        self
    }

    /// The family that is tried first when a name has addresses of both. Default: that of the address which the resolver gives
    /// first (RFC 8305, section 4).
    pub fn first_family(mut self, family: impl Into<Option<Family>>) -> Self {
        self.first_family = family.into();
        self
    }

    /// Sends a header of the [PROXY protocol](crate::proxy) first, before anything that the protocol writes and before a TLS handshake.
    /// Default: none. It holds for connections of every kind; the server has to expect it.
    ///
    /// # Examples
    ///
    /// A proxy that passes on where its client comes from:
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

    /// The bytes that go out first on a connection.
    pub(crate) fn first_bytes(&self, local: Option<SocketAddr>, peer: &Peer) -> Vec<u8> {
        let header = self.proxy_header.as_ref();
        header.map(|header| header.to_bytes(&ProxiedEnds::own(local, peer))).unwrap_or_default()
    }

    /// The address to connect from; only addresses of its family are tried. Port 0 lets the system choose one.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Sends the first bytes with the very first packet (`TCP_FASTOPEN_CONNECT`, tcp(7), RFC 7413; on Linux), to servers that have
    /// given leave in a connection before. Default `false`. The first bit of `/proc/sys/net/ipv4/tcp_fastopen` has to be set, as it is
    /// by default.
    ///
    /// Only for protocols that write first, best in `connection_made`: to such a server, nothing is sent before they do. The
    /// connection counts as made then, and whether anybody is there shows later, by its end. What was sent so may come twice.
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
