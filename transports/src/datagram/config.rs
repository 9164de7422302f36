//! Configuration of datagram sockets: [`DatagramConfig`]. Every limit has a name and a default.

use std::{io, net::SocketAddr};

use socket2::Socket;

use crate::{Dscp, options};

/// Longest datagram that is received: the maximum of UDP, applied to Unix datagrams as well.
pub(super) const LEN_MAX: usize = 65_535;

/// Maximum datagrams per system call.
const BATCH_MAX: usize = 256;

/// Limits and options of a datagram socket.
///
/// # Examples
///
/// ```
/// use sinew_transports::{DatagramConfig, Overflow};
///
/// let config = DatagramConfig::default().send_queue(16, 64 * 1024).overflow(Overflow::DropOldest);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DatagramConfig {
    pub(super) len_max: usize,
    pub(super) queued_max: usize,
    pub(super) queued_bytes_max: usize,
    pub(super) overflow: Overflow,
    pub(super) received_per_turn: usize,
    pub(super) batch: usize,
    pub(super) broadcast: bool,
    pub(super) reuse_address: bool,
    pub(super) reuse_port: bool,
    pub(super) v6_only: bool,
    pub(super) receive_buffer: Option<usize>,
    pub(super) send_buffer: Option<usize>,
    pub(super) dscp: Option<Dscp>,
    pub(super) bind: Option<SocketAddr>,
    pub(super) packet_info: bool,
}

/// Handling of a datagram when the send queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused; [`sending_resumed`](crate::DatagramProtocol::sending_resumed) is called when the queue is empty again.
    #[default]
    Refuse,
    /// It is dropped.
    DropNewest,
    /// The oldest datagrams in the queue are dropped to make room.
    DropOldest,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self {
            len_max: LEN_MAX,
            queued_max: 256,
            queued_bytes_max: 1 << 20,
            overflow: Overflow::default(),
            received_per_turn: 64,
            batch: 1,
            broadcast: false,
            reuse_address: false,
            reuse_port: false,
            v6_only: false,
            receive_buffer: None,
            send_buffer: None,
            dscp: None,
            bind: None,
            packet_info: false,
        }
    }
}

impl DatagramConfig {
    /// Longest datagram delivered. Default and maximum: 65,535 bytes. A longer one is dropped and counted
    /// ([`DatagramStats::truncated`](crate::DatagramStats::truncated)), never delivered in part.
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.len_max = bytes.min(LEN_MAX);
        self
    }

    /// Limits of the send queue, which is used while the socket's buffer is full: datagrams, and bytes in total. Default 256
    /// and 1 MiB. [`overflow`](Self::overflow) sets what happens beyond them.
    pub fn send_queue(mut self, datagrams: usize, bytes: usize) -> Self {
        self.queued_max = datagrams;
        self.queued_bytes_max = bytes;
        self
    }

    /// Handling of a datagram when the send queue is full. Default: it is refused.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Maximum datagrams received per turn of the event loop, so that other handlers are not starved. Default 64.
    pub fn max_per_turn(mut self, datagrams: usize) -> Self {
        self.received_per_turn = datagrams.max(1);
        self
    }

    /// Maximum datagrams received by one system call: `recvmmsg(2)`, on Linux; ignored elsewhere, and for sockets other than UDP.
    /// Default 1, maximum 256. For servers of many small datagrams: the socket keeps a buffer for that many datagrams of
    /// [`max_len`](Self::max_len), which should be set to the actual length; and each datagram is copied once more.
    pub fn batch(mut self, datagrams: usize) -> Self {
        self.batch = datagrams.clamp(1, BATCH_MAX);
        self
    }

    /// Whether sending to broadcast addresses is allowed (`SO_BROADCAST`). Default `false`.
    pub fn broadcast(mut self, broadcast: bool) -> Self {
        self.broadcast = broadcast;
        self
    }

    /// Whether other sockets may bind to the same address (`SO_REUSEADDR`), as needed to share a multicast group.
    /// Default `false`.
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether several sockets may share the port, with datagrams distributed among them (`SO_REUSEPORT`, on Unix). Default
    /// `false`.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether a socket on an IPv6 address receives IPv6 only. Default `false`: `[::]` is dual-stack.
    pub fn v6_only(mut self, v6_only: bool) -> Self {
        self.v6_only = v6_only;
        self
    }

    /// Size of the kernel's receive buffer (`SO_RCVBUF`); the kernel drops datagrams that do not fit. Default: the
    /// system's.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Size of the kernel's send buffer (`SO_SNDBUF`). Default: the system's.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = Some(bytes);
        self
    }

    /// Priority of packets in the network: DSCP (`IP_TOS`, ip(7); `IPV6_TCLASS`). Default: best effort. Windows supports it for
    /// IPv4 only; ignored by Unix sockets and simulated networks.
    pub fn dscp(mut self, dscp: Dscp) -> Self {
        self.dscp = Some(dscp);
        self
    }

    /// The address to send from, for a connected UDP socket. With port 0 the system chooses one. Default: the system's choice.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Whether to receive each datagram's local destination address (`IP_PKTINFO`, ip(7);
    /// `IPV6_RECVPKTINFO`, ipv6(7)). On Linux and in simulated networks; an error elsewhere. Default `false`.
    ///
    /// For servers on an address such as `0.0.0.0` or `::` of a multi-homed machine. Without it, the system chooses the source address
    /// of an answer, and a client that has sent to another address ignores it. With it, an answer to the sender from within
    /// [`datagram_received`](crate::DatagramProtocol::datagram_received) has the address that the client has sent to.
    /// [`DatagramTransport::packet_info`](crate::DatagramTransport::packet_info) returns that address, and
    /// [`send_from`](crate::DatagramTransport::send_from) sends a later answer. Ignored by Unix sockets.
    pub fn packet_info(mut self, packet_info: bool) -> Self {
        self.packet_info = packet_info;
        self
    }

    /// Length of the receive buffer: one byte more than `len_max`, to detect longer datagrams.
    pub(super) const fn room(&self) -> usize {
        self.len_max + 1
    }

    pub(super) fn size_buffers(&self, socket: &Socket) -> io::Result<()> {
        options::size_buffers(socket, self.send_buffer, self.receive_buffer)
    }
}
