//! What stands in for `informed.rs` where no datagram can be sent from an address of choice.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::PacketInfo;

pub(super) fn send_from(_: &UdpSocket, _: &[u8], _: SocketAddr, _: &PacketInfo) -> io::Result<()> {
    let why = "this system sends no datagrams from an address of choice";
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}
