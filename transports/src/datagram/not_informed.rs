//! What stands in for `informed.rs` where the system is not asked which address a datagram was sent to.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::PacketInfo;
use socket2::Socket;

pub(super) fn ask(_: &Socket, _: bool) -> io::Result<()> {
    Err(unsupported())
}

pub(super) fn send_from(_: &UdpSocket, _: &[u8], _: SocketAddr, _: &PacketInfo) -> io::Result<()> {
    Err(unsupported())
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "packet information is to be had on Linux only")
}
