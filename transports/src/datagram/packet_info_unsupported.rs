//! Stands in for `packet_info.rs` on systems where the source address of a datagram cannot be chosen.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::PacketInfo;

pub(super) fn send_from(_: &UdpSocket, _: &[u8], _: SocketAddr, _: &PacketInfo) -> io::Result<()> {
    let why = "this system cannot choose the source address of a datagram";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
