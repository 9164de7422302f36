//! Export of a recording as a capture file for Wireshark: [`Recording::write_pcapng`]. A recording has no packets, so
//! segment boundaries, sequence numbers and acknowledgements are synthesized.
//!
//! Sources: draft-ietf-opsawg-pcapng (the file), RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 1071 (checksums).

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{Record, RecordKind, Recording, text::Seconds};
use sinew_transports::{ConnectionLost, Peer};

// draft-ietf-opsawg-pcapng 4.1, 4.2, 4.3
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Link type: packets start with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;

// draft-ietf-opsawg-pcapng 3.5, 4.2, 4.3
const OPT_COMMENT: u16 = 1;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const EPB_INBOUND: u32 = 1;
const EPB_OUTBOUND: u32 = 2;

// RFC 9293 3.1
const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const PROTOCOL_TCP: u8 = 6;
const WINDOW: u16 = u16::MAX;

/// Maximum length of a comment.
const COMMENT_MAX: usize = 1_000;

/// Maximum data per segment, as on Ethernet.
const SEGMENT_MAX: usize = 1_440;

/// Segments per acknowledgement, so that they fit into the window.
const SEGMENTS_PER_ACK: usize = 32;

/// Documentation addresses for ends without one: RFC 5737 and RFC 3849.
const HERE: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

impl Recording {
    /// Writes it as a capture file (pcapng) for Wireshark and tshark. Each record becomes the packets that might have
    /// been seen on the wire, with handshakes, acknowledgements and FINs; callbacks become comments on the following
    /// packet. Times start at 1970, since a recording has no start date, and ends without an address get a synthetic
    /// one.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_pcapng(&self, writer: impl Write) -> io::Result<()> {
        let mut capture = Capture { writer };
        capture.begin()?;
        let mut talks = BTreeMap::<u32, Talk>::new();
        for record in &*self.0.records.borrow() {
            let talk = talks.entry(record.connection).or_insert_with(|| Talk::new(record));
            talk.show(record, &mut capture)?;
        }
        let end = self.0.records.borrow().last().map_or(Duration::ZERO, |record| record.at);
        talks.values_mut().try_for_each(|talk| talk.rest(end, &mut capture))
    }
}

/// The file writer.
struct Capture<W> {
    writer: W,
}

impl<W: Write> Capture<W> {
    fn begin(&mut self) -> io::Result<()> {
        let mut body = Vec::new();
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend([1_u16, 0].map(u16::to_le_bytes).concat());
        // Section length: unspecified.
        body.extend((-1_i64).to_le_bytes());
        self.block(SECTION_HEADER, &body)?;
        let mut body = Vec::new();
        body.extend([LINKTYPE_RAW, 0].map(u16::to_le_bytes).concat());
        // Snapshot length: unlimited.
        body.extend(0_u32.to_le_bytes());
        // Time resolution: 10^-9 seconds.
        option(&mut body, IF_TSRESOL, &[9]);
        option(&mut body, 0, &[]);
        self.block(INTERFACE_DESCRIPTION, &body)
    }

    fn packet(
        &mut self,
        at: Duration,
        flags: u32,
        data: &[u8],
        comments: &[String],
    ) -> io::Result<()> {
        let nanos = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let len = data.len() as u32;
        let head = [0, (nanos >> 32) as u32, nanos as u32, len, len];
        let mut body = head.map(u32::to_le_bytes).concat();
        body.extend(data);
        pad(&mut body);
        for comment in comments {
            option(&mut body, OPT_COMMENT, comment.as_bytes());
        }
        option(&mut body, EPB_FLAGS, &flags.to_le_bytes());
        option(&mut body, 0, &[]);
        self.block(ENHANCED_PACKET, &body)
    }

    /// draft-ietf-opsawg-pcapng 3.1: the total length is at both ends of a block.
    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let len = (body.len() as u32 + 12).to_le_bytes();
        self.writer.write_all(&kind.to_le_bytes())?;
        self.writer.write_all(&len)?;
        self.writer.write_all(body)?;
        self.writer.write_all(&len)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

/// Pads to 32 bits, the alignment of the format.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// An end of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Here = 0,
    There = 1,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Here => Self::There,
            Self::There => Self::Here,
        }
    }
}

/// The TCP state of a connection.
struct Talk {
    ends: [End; 2],
    /// Comments for the next packet.
    comments: Vec<String>,
    /// The peer reset the connection, and the RST has not been written yet.
    is_peer_reset: bool,
    /// An RST has been written.
    is_over: bool,
}

struct End {
    addr: SocketAddr,
    /// The sequence number of the next byte.
    next: u32,
    has_ended: bool,
}

impl Talk {
    fn new(record: &Record) -> Self {
        let (peer, local) = match &record.kind {
            RecordKind::Made { peer, local, .. } => (peer, *local),
            // Unreachable: every connection starts with `Made`.
            _ => (&Peer::Memory, None),
        };
        let ends = addresses(record.connection, peer.socket_addr(), local);
        let ends = ends.map(|addr| End { addr, next: 0, has_ended: false });
        Self { ends, comments: Vec::new(), is_peer_reset: false, is_over: false }
    }

    fn show<W: Write>(&mut self, record: &Record, capture: &mut Capture<W>) -> io::Result<()> {
        let at = record.at;
        self.comment(record);
        match &record.kind {
            RecordKind::Made { by_peer, peer, .. } => {
                let opened_by_peer = *by_peer || peer.socket_addr().is_none();
                let opener = if opened_by_peer { Side::There } else { Side::Here };
                let comments = std::mem::take(&mut self.comments);
                self.segment(at, opener, SYN, &[], capture)?;
                self.segment(at, opener.other(), SYN | ACK, &[], capture)?;
                self.comments = comments;
                self.segment(at, opener, ACK, &[], capture)
            }
            RecordKind::Received(data) | RecordKind::Discarded(data) => {
                self.data(at, Side::There, data, capture)
            }
            RecordKind::Sent(data) => self.data(at, Side::Here, data, capture),
            RecordKind::ReadClosed | RecordKind::EndDiscarded => self.end(at, Side::There, capture),
            RecordKind::WriteClosed => self.end(at, Side::Here, capture),
            RecordKind::Failed(why) => {
                self.is_peer_reset = *why == ConnectionLost::Reset.to_string();
                Ok(())
            }
            RecordKind::Reset if !self.is_peer_reset => self.reset(at, Side::Here, capture),
            RecordKind::Closed if self.is_peer_reset => self.reset(at, Side::There, capture),
            RecordKind::Closed => {
                self.end(at, Side::Here, capture)?;
                self.rest(at, capture)
            }
            _ => Ok(()),
        }
    }

    /// Callbacks have no packet of their own, so they become comments.
    fn comment(&mut self, record: &Record) {
        let what = match &record.kind {
            RecordKind::Sent(_)
            | RecordKind::WriteClosed
            | RecordKind::Reset
            | RecordKind::Closed => return,
            RecordKind::Received(_) => "received".to_owned(),
            RecordKind::Discarded(_) => "discarded".to_owned(),
            what => what.to_string(),
        };
        let mut comment = format!("{} {what}", Seconds(record.at));
        comment.truncate(COMMENT_MAX);
        self.comments.push(comment);
    }

    fn data<W: Write>(
        &mut self,
        at: Duration,
        from: Side,
        data: &[u8],
        capture: &mut Capture<W>,
    ) -> io::Result<()> {
        for burst in data.chunks(SEGMENTS_PER_ACK * SEGMENT_MAX) {
            for segment in burst.chunks(SEGMENT_MAX) {
                self.segment(at, from, PSH | ACK, segment, capture)?;
            }
            self.segment(at, from.other(), ACK, &[], capture)?;
        }
        Ok(())
    }

    fn end<W: Write>(
        &mut self,
        at: Duration,
        from: Side,
        capture: &mut Capture<W>,
    ) -> io::Result<()> {
        if self.is_over || self.ends[from as usize].has_ended {
            return Ok(());
        }
        self.segment(at, from, FIN | ACK, &[], capture)?;
        self.ends[from as usize].has_ended = true;
        self.segment(at, from.other(), ACK, &[], capture)
    }

    fn reset<W: Write>(
        &mut self,
        at: Duration,
        from: Side,
        capture: &mut Capture<W>,
    ) -> io::Result<()> {
        self.segment(at, from, RST | ACK, &[], capture)?;
        self.is_over = true;
        Ok(())
    }

    /// Writes comments that are left without a packet.
    fn rest<W: Write>(&mut self, at: Duration, capture: &mut Capture<W>) -> io::Result<()> {
        if self.comments.is_empty() {
            return Ok(());
        }
        self.segment(at, Side::Here, ACK, &[], capture)
    }

    fn segment<W: Write>(
        &mut self,
        at: Duration,
        from: Side,
        flags: u8,
        data: &[u8],
        capture: &mut Capture<W>,
    ) -> io::Result<()> {
        if self.is_over {
            return Ok(());
        }
        let (sender, receiver) = (&self.ends[from as usize], &self.ends[from.other() as usize]);
        let ack = if flags & ACK == 0 { 0 } else { receiver.next };
        let packet = ip_packet(sender, receiver.addr, ack, flags, data);
        let direction = if from == Side::Here { EPB_OUTBOUND } else { EPB_INBOUND };
        capture.packet(at, direction, &packet, &std::mem::take(&mut self.comments))?;
        // RFC 9293 3.4: SYN and FIN count as a byte each.
        let len = data.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        let sender = &mut self.ends[from as usize];
        sender.next = sender.next.wrapping_add(len);
        Ok(())
    }
}

/// The local and the remote address, both of one family.
fn addresses(number: u32, peer: Option<SocketAddr>, local: Option<SocketAddr>) -> [SocketAddr; 2] {
    let canonical = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
    // Distinct ports, to distinguish connections.
    let port = 1024 + (number % 60_000) as u16;
    let peer = peer.map_or(SocketAddr::new(THERE.into(), port), canonical);
    let here = if peer.is_ipv4() { HERE.0.into() } else { HERE.1.into() };
    let local = local.map_or(SocketAddr::new(here, port), canonical);
    let mapped = |addr: SocketAddr| match addr.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port()),
        IpAddr::V6(_) => addr,
    };
    if peer.is_ipv4() == local.is_ipv4() { [local, peer] } else { [local, peer].map(mapped) }
}

fn ip_packet(sender: &End, to: SocketAddr, ack: u32, flags: u8, data: &[u8]) -> Vec<u8> {
    let segment = tcp_segment(sender, to, ack, flags, data);
    let mut packet = match (sender.addr.ip(), to.ip()) {
        // RFC 791 3.1
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = vec![0x45, 0];
            header.extend((20 + segment.len() as u16).to_be_bytes());
            // Don't fragment, TTL 64.
            header.extend([0, 0, 0x40, 0, 64, PROTOCOL_TCP, 0, 0]);
            header.extend(from.octets());
            header.extend(to.octets());
            let sum = checksum(&header);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            header
        }
        // RFC 8200 3
        (from, to) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend((segment.len() as u16).to_be_bytes());
            header.extend([PROTOCOL_TCP, 64]);
            header.extend(in_v6(from));
            header.extend(in_v6(to));
            header
        }
    };
    packet.extend(segment);
    packet
}

/// RFC 9293 3.1
fn tcp_segment(sender: &End, to: SocketAddr, ack: u32, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut segment = [sender.addr.port(), to.port()].map(u16::to_be_bytes).concat();
    segment.extend([sender.next, ack].map(u32::to_be_bytes).concat());
    // Header length: five words.
    segment.extend([5 << 4, flags]);
    segment.extend([WINDOW, 0, 0].map(u16::to_be_bytes).concat());
    segment.extend(data);
    // The pseudo-header; its sum is the same in the formats of RFC 9293 3.1 and RFC 8200 8.1.
    let mut summed = match (sender.addr.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
        (from, to) => [in_v6(from), in_v6(to)].concat(),
    };
    summed.extend([0, PROTOCOL_TCP]);
    summed.extend((segment.len() as u16).to_be_bytes());
    summed.extend(&segment);
    let sum = checksum(&summed);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    segment
}

fn in_v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// RFC 1071
fn checksum(data: &[u8]) -> u16 {
    let words = data.chunks(2).map(|word| match word {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        _ => u32::from(word[0]) << 8,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
