//! How sockets for datagrams are set up: [`DatagramConfig`]. Every limit has a name and a default.

use std::{io, net::SocketAddr};

use socket2::Socket;

use crate::{Dscp, options};

/// The longest datagram that is ever received: as long as UDP knows, and as long as a Unix datagram may be here.
pub(super) const LEN_MAX: usize = 65_535;

/// The most that one system call receives.
const BATCH_MAX: usize = 256;

/// The limits and options of a socket for datagrams.
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

/// What becomes of a datagram for which the send queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused, and [`sending_resumed`](crate::DatagramProtocol::sending_resumed) tells when the queue is empty again.
    #[default]
    Refuse,
    /// It is dropped.
    DropNewest,
    /// Those that have waited longest are dropped for it: what is old is worth least.
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
    /// The longest datagram that is delivered. Default, and most, 65,535 bytes. A longer one is dropped and counted
    /// ([`DatagramStats::truncated`](crate::DatagramStats::truncated)), never delivered in part.
    pub fn max_len(mut self, bytes: usize) -> Self {
        self.len_max = bytes.min(LEN_MAX);
        self
    }

    /// How much may wait to be sent while the system takes nothing: so many datagrams, and so many bytes in all. Default 256
    /// and 1 MiB. What is past it, [`overflow`](Self::overflow) decides.
    pub fn send_queue(mut self, datagrams: usize, bytes: usize) -> Self {
        self.queued_max = datagrams;
        self.queued_bytes_max = bytes;
        self
    }

    /// What becomes of a datagram for which the send queue has no room. Default: it is refused.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// How many datagrams are received in a turn before others have theirs. Default 64.
    pub fn max_per_turn(mut self, datagrams: usize) -> Self {
        self.received_per_turn = datagrams.max(1);
        self
    }

    /// How many datagrams one system call may receive (`recvmmsg(2)`, on Linux; elsewhere, and for sockets that are not UDP, one
    /// whatever is said here). Default 1; most 256. For servers of many small datagrams: each socket then keeps a buffer for so
    /// many of [`max_len`](Self::max_len), which had better be set to what is really sent; and each datagram is copied once more.
    pub fn batch(mut self, datagrams: usize) -> Self {
        self.batch = datagrams.clamp(1, BATCH_MAX);
        self
    }

    /// Whether it may send to broadcast addresses (`SO_BROADCAST`). Default `false`.
    pub fn broadcast(mut self, broadcast: bool) -> Self {
        self.broadcast = broadcast;
        self
    }

    /// Whether others may bind to the same address (`SO_REUSEADDR`), as those do who listen to the same multicast group.
    /// Default `false`.
    pub fn reuse_address(mut self, reuse: bool) -> Self {
        self.reuse_address = reuse;
        self
    }

    /// Whether several sockets may share the port, and what comes in is spread over them (`SO_REUSEPORT`, on Unix). Default
    /// `false`.
    pub fn reuse_port(mut self, reuse: bool) -> Self {
        self.reuse_port = reuse;
        self
    }

    /// Whether a socket on an IPv6 address takes nothing over IPv4. Default `false`: `[::]` takes both.
    pub fn v6_only(mut self, v6_only: bool) -> Self {
        self.v6_only = v6_only;
        self
    }

    /// How much the system keeps of what has come and was not received yet (`SO_RCVBUF`); past it, it drops. Default: the
    /// system's.
    pub fn receive_buffer(mut self, bytes: usize) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// How much the system takes to be sent (`SO_SNDBUF`). Default: the system's.
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = Some(bytes);
        self
    }

    /// How packets are to be treated on their way (`IP_TOS`, ip(7); `IPV6_TCLASS`). Default: as all the others. Windows has it for
    /// IPv4 only; Unix sockets and simulated networks take no notice.
    pub fn dscp(mut self, dscp: Dscp) -> Self {
        self.dscp = Some(dscp);
        self
    }

    /// The address to send from, for a connected UDP socket. Port 0 lets the system choose one. Default: the system's choice.
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Whether the system tells of each datagram which of this machine's addresses it was sent to (`IP_PKTINFO`, ip(7);
    /// `IPV6_RECVPKTINFO`, ipv6(7); on Linux and in simulated networks, elsewhere an error). Default `false`.
    ///
    /// For servers on an address such as `0.0.0.0` or `::` of a machine that has several. Without it, an answer leaves from the address
    /// that the system would choose for a datagram of its own accord, and a client that asked at another one takes it for a
    /// stranger's. With it, what is sent to the sender from within
    /// [`datagram_received`](crate::DatagramProtocol::datagram_received) leaves from the address that was asked;
    /// [`DatagramTransport::packet_info`](crate::DatagramTransport::packet_info) tells which that is, and
    /// [`send_from`](crate::DatagramTransport::send_from) sends a later answer. Unix sockets take no notice.
    pub fn packet_info(mut self, packet_info: bool) -> Self {
        self.packet_info = packet_info;
        self
    }

    /// What one datagram is received into: one byte more than may come, so that what fills it was longer.
    pub(super) const fn room(&self) -> usize {
        self.len_max + 1
    }

    pub(super) fn size_buffers(&self, socket: &Socket) -> io::Result<()> {
        options::size_buffers(socket, self.send_buffer, self.receive_buffer)
    }
}
