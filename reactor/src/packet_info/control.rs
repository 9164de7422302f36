//! Reads and writes the control messages that carry a [`PacketInfo`] (cmsg(3), in the layout of Linux). Pure.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::PacketInfo;

/// The size of the header (`struct cmsghdr`): length, level and type.
const HEADER: usize = size_of::<usize>() + 2 * size_of::<i32>();

/// Buffer size for the control messages of one datagram: its packet information, and others that may be enabled on an
/// adopted socket.
pub const CONTROL_LEN: usize = 256;

/// Sizes of `struct in_pktinfo` and `struct in6_pktinfo`.
const V4_LEN: usize = 12;
const V6_LEN: usize = 20;

/// A control message to be sent.
pub(super) struct Message {
    bytes: [u8; HEADER + aligned(V6_LEN)],
    len: usize,
}

/// Finds the packet information among the control messages of a datagram.
#[must_use]
pub fn from_control(mut control: &[u8]) -> Option<PacketInfo> {
    loop {
        let len = usize::from_ne_bytes(array(control, 0)?);
        let level = i32::from_ne_bytes(array(control, size_of::<usize>())?);
        let kind = i32::from_ne_bytes(array(control, size_of::<usize>() + size_of::<i32>())?);
        let data = control.get(HEADER..len)?;
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => return v4(data),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => return v6(data),
            _ => control = control.get(aligned(len)..)?,
        }
    }
}

fn v4(data: &[u8]) -> Option<PacketInfo> {
    let interface = u32::from_ne_bytes(array(data, 0)?);
    let local = Ipv4Addr::from(array::<4>(data, 4)?);
    let to = Ipv4Addr::from(array::<4>(data, 8)?);
    let local = (!local.is_unspecified()).then_some(local.into());
    Some(PacketInfo { to: to.into(), local, interface })
}

fn v6(data: &[u8]) -> Option<PacketInfo> {
    let to = Ipv6Addr::from(array::<16>(data, 0)?);
    let interface = u32::from_ne_bytes(array(data, 16)?);
    let is_own = match to.to_ipv4_mapped() {
        Some(v4) => !v4.is_multicast() && !v4.is_broadcast(),
        None => !to.is_multicast(),
    };
    Some(PacketInfo { to: to.into(), local: is_own.then_some(to.into()), interface })
}

impl Message {
    /// The control message that sets the source address of a datagram to `to`. `None` if `info` leaves the choice to
    /// the system.
    ///
    /// # Errors
    ///
    /// If the two addresses are of different families.
    pub(super) fn new(info: &PacketInfo, to: SocketAddr) -> io::Result<Option<Self>> {
        let Some(local) = info.local else { return Ok(None) };
        Ok(Some(match (local.to_canonical(), to) {
            (IpAddr::V4(local), SocketAddr::V4(_)) => Self::of_v4(local),
            (IpAddr::V4(local), SocketAddr::V6(_)) => Self::of_v6(local.to_ipv6_mapped(), 0),
            (IpAddr::V6(local), SocketAddr::V6(_)) => {
                let interface = if local.is_unicast_link_local() { info.interface } else { 0 };
                Self::of_v6(local, interface)
            }
            (IpAddr::V6(local), SocketAddr::V4(_)) => {
                let why = format!(
                    "cannot send a datagram from {local} to {to}: different address families"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
        }))
    }

    fn of_v4(local: Ipv4Addr) -> Self {
        let mut data = [0; V4_LEN];
        data[4..8].copy_from_slice(&local.octets());
        Self::of(libc::IPPROTO_IP, libc::IP_PKTINFO, &data)
    }

    fn of_v6(local: Ipv6Addr, interface: u32) -> Self {
        let mut data = [0; V6_LEN];
        data[..16].copy_from_slice(&local.octets());
        data[16..].copy_from_slice(&interface.to_ne_bytes());
        Self::of(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &data)
    }

    fn of(level: i32, kind: i32, data: &[u8]) -> Self {
        let mut bytes = [0; HEADER + aligned(V6_LEN)];
        let len = HEADER + data.len();
        let (header, rest) = bytes.split_at_mut(HEADER);
        let (header_len, types) = header.split_at_mut(size_of::<usize>());
        header_len.copy_from_slice(&len.to_ne_bytes());
        types[..4].copy_from_slice(&level.to_ne_bytes());
        types[4..].copy_from_slice(&kind.to_ne_bytes());
        rest[..data.len()].copy_from_slice(data);
        Self { bytes, len: aligned(len) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Control messages start at multiples of a word.
const fn aligned(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn info(to: &str, local: Option<&str>, interface: u32) -> PacketInfo {
        PacketInfo { to: ip(to), local: local.map(ip), interface }
    }

    fn v4_data(interface: u32, local: &str, to: &str) -> Message {
        let (local, to): (Ipv4Addr, Ipv4Addr) = (local.parse().unwrap(), to.parse().unwrap());
        let data = [interface.to_ne_bytes(), local.octets(), to.octets()].concat();
        Message::of(libc::IPPROTO_IP, libc::IP_PKTINFO, &data)
    }

    #[test]
    fn received_control_messages_are_read() {
        let cases = [
            (v4_data(7, "127.0.0.2", "127.0.0.2"), info("127.0.0.2", Some("127.0.0.2"), 7)),
            (v4_data(2, "10.0.0.1", "10.0.0.255"), info("10.0.0.255", Some("10.0.0.1"), 2)),
            (v4_data(2, "0.0.0.0", "224.0.0.1"), info("224.0.0.1", None, 2)),
            (Message::of_v6("::1".parse().unwrap(), 1), info("::1", Some("::1"), 1)),
            (Message::of_v6("ff02::1".parse().unwrap(), 3), info("ff02::1", None, 3)),
            (
                Message::of_v6("::ffff:127.0.0.2".parse().unwrap(), 1),
                info("::ffff:127.0.0.2", Some("::ffff:127.0.0.2"), 1),
            ),
            (
                Message::of_v6("::ffff:224.0.0.1".parse().unwrap(), 1),
                info("::ffff:224.0.0.1", None, 1),
            ),
        ];
        let other = Message::of(libc::SOL_SOCKET, libc::SO_TIMESTAMP, &[0; 16]);
        for (message, expected) in cases {
            assert_eq!(from_control(message.bytes()), Some(expected));
            let behind = [other.bytes(), message.bytes()].concat();
            assert_eq!(from_control(&behind), Some(expected), "after another message");
            for len in 0..HEADER + V4_LEN {
                assert_eq!(from_control(&message.bytes()[..len]), None, "truncated at {len}");
            }
        }
        assert_eq!(from_control(other.bytes()), None);
        assert_eq!(from_control(&[0; 64]), None, "length zero");
        assert_eq!(from_control(&[0xff; 64]), None, "length past the end");
    }

    /// Cases: the packet information, the destination, and the source address and interface in the message.
    #[test]
    fn sent_control_messages_are_written() {
        let link_local = info("ff02::1", Some("fe80::1"), 3);
        let global = info("2001:db8::1", Some("2001:db8::1"), 3);
        let cases = [
            (info("127.0.0.2", Some("127.0.0.2"), 7), "127.0.0.1:1", Some(("127.0.0.2", 0))),
            (
                info("::ffff:127.0.0.2", Some("::ffff:127.0.0.2"), 7),
                "[::ffff:127.0.0.1]:1",
                Some(("::ffff:127.0.0.2", 0)),
            ),
            (ip("127.0.0.2").into(), "[::ffff:127.0.0.1]:1", Some(("::ffff:127.0.0.2", 0))),
            (ip("::ffff:127.0.0.2").into(), "127.0.0.1:1", Some(("127.0.0.2", 0))),
            (link_local, "[fe80::2]:1", Some(("fe80::1", 3))),
            (global, "[2001:db8::2]:1", Some(("2001:db8::1", 0))),
            (info("ff02::1", None, 3), "[fe80::2]:1", None),
        ];
        for (info, to, expected) in cases {
            let message = Message::new(&info, to.parse().unwrap()).unwrap();
            let read = message.and_then(|message| from_control(message.bytes()));
            let read = read.map(|read| (read.local.unwrap(), read.interface));
            assert_eq!(read, expected.map(|(local, interface)| (ip(local), interface)), "{info:?}");
        }
        let error = Message::new(&global, "127.0.0.1:1".parse().unwrap()).map(drop).unwrap_err();
        assert!(error.to_string().contains("2001:db8::1"), "{error}");
    }
}
