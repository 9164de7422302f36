//! System calls of datagram sockets. Knows no protocols, queues or limits.

#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
use std::{fmt, io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::{Interest, PacketInfo, Reactor, RegisterError, Token};

use super::packet_info;
use super::socket_io::SocketIo;
use crate::net::Received;
#[cfg(unix)]
use crate::unix::{addr::UnixAddr, file::SocketFile};

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {
        /// Whether both are the same address.
        fn is(&self, other: &Self) -> bool;
    }

    impl Sealed for std::net::SocketAddr {
        /// Ignores scope and flow info of IPv6, which system calls do not report consistently.
        fn is(&self, other: &Self) -> bool {
            (self.ip(), self.port()) == (other.ip(), other.port())
        }
    }

    #[cfg(unix)]
    impl Sealed for crate::UnixAddr {
        fn is(&self, other: &Self) -> bool {
            self == other
        }
    }
}

/// An address of datagrams: `SocketAddr` or `UnixAddr`.
pub trait DatagramAddr: sealed::Sealed + Clone + fmt::Debug + fmt::Display + 'static {}

impl DatagramAddr for SocketAddr {}
#[cfg(unix)]
impl DatagramAddr for UnixAddr {}

impl SocketIo<SocketAddr> for UdpSocket {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        reactor.register_source(self, Interest::READ)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        let (len, from) = self.recv_from(buffer)?;
        Ok(Received { len, from, info: None })
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        match (to, from) {
            (Some(to), Some(from)) => packet_info::send_from(self, data, *to, from),
            (Some(to), None) => self.send_to(data, *to).map(drop),
            // A connected socket has one source address only.
            (None, _) => Self::send(self, data).map(drop),
        }
    }

    fn local(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn peer(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn as_udp(&self) -> Option<&UdpSocket> {
        Some(self)
    }
}

/// A Unix datagram socket, and its socket file if it has one.
#[cfg(unix)]
pub(crate) struct UnixDatagrams {
    socket: UnixDatagram,
    is_connected: bool,
    _file: Option<SocketFile>,
}

#[cfg(unix)]
impl UnixDatagrams {
    pub(crate) fn new(socket: UnixDatagram, is_connected: bool, file: Option<SocketFile>) -> Self {
        Self { socket, is_connected, _file: file }
    }
}

#[cfg(unix)]
impl SocketIo<UnixAddr> for UnixDatagrams {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        reactor.register_source(&mut self.socket, Interest::READ)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<UnixAddr>> {
        let (len, from) = self.socket.recv_from(buffer)?;
        Ok(Received { len, from: UnixAddr::from_std(&from), info: None })
    }

    fn send(&self, data: &[u8], to: Option<&UnixAddr>, _: Option<&PacketInfo>) -> io::Result<()> {
        let flags = rustix::net::SendFlags::empty();
        match to {
            Some(to) => rustix::net::sendto(&self.socket, data, flags, &to.to_system()?)?,
            None => self.socket.send(data)?,
        };
        Ok(())
    }

    fn local(&self) -> io::Result<UnixAddr> {
        self.socket.local_addr().map(|addr| UnixAddr::from_std(&addr))
    }

    fn peer(&self) -> io::Result<UnixAddr> {
        self.socket.peer_addr().map(|addr| UnixAddr::from_std(&addr))
    }

    fn tells_of_room(&self) -> bool {
        self.is_connected
    }
}
