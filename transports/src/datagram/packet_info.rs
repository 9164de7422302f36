//! A UDP socket that receives each datagram's local destination address (`IP_PKTINFO`, Linux), and can choose the source address.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::{PacketInfo, Reactor, RegisterError, Token, packet_info};

use super::socket_io::SocketIo;
use crate::net::Received;

/// A UDP socket on which packet info has been [enabled](packet_info::ask).
pub(super) struct WithPacketInfo(pub(super) UdpSocket);

pub(super) fn send_from(
    socket: &UdpSocket,
    data: &[u8],
    to: SocketAddr,
    from: &PacketInfo,
) -> io::Result<()> {
    packet_info::send(socket, data, to, from).map(drop)
}

impl SocketIo<SocketAddr> for WithPacketInfo {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        self.0.register(reactor)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        let (len, from, info) = packet_info::receive(&self.0, buffer)?;
        Ok(Received { len, from, info })
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        SocketIo::send(&self.0, data, to, from)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        self.0.local()
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        self.0.peer()
    }

    fn as_udp(&self) -> Option<&UdpSocket> {
        Some(&self.0)
    }
}
