//! What is under a [`Core`](super::core::Core): [`SocketIo`], the calls on a socket for datagrams. The kernel's sockets implement it;
//! those of a network in the kernel's place are [`Foreign`].

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::{PacketInfo, Reactor, RegisterError, Token};

use crate::net::{DatagramSocket, Received};

/// A socket for datagrams that never blocks.
pub(crate) trait SocketIo<A> {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError>;
    /// As `recvfrom(2)`: what does not fit is cut off.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<A>>;
    /// As `sendto(2)`; `None` is the peer of a connected socket. `from` says which of the host's addresses it is to leave from.
    fn send(&self, data: &[u8], to: Option<&A>, from: Option<&PacketInfo>) -> io::Result<()>;
    fn local(&self) -> io::Result<A>;
    /// Who the socket is connected to, as the system has it.
    fn peer(&self) -> io::Result<A> {
        Err(io::ErrorKind::NotConnected.into())
    }
    /// Whether no engine tells of it.
    fn is_unwatched(&self) -> bool {
        false
    }
    /// Whether the engine tells when there is room to send again. Linux says of Unix sockets that are not connected that there
    /// always is, for it knows no peer whose queue might be full.
    fn tells_of_room(&self) -> bool {
        true
    }
    /// The kernel's socket, where options can be set.
    fn as_udp(&self) -> Option<&UdpSocket> {
        None
    }
}

/// A socket that a network has brought.
pub(super) struct Foreign(pub(super) Box<dyn DatagramSocket>);

impl SocketIo<SocketAddr> for Foreign {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        let token = reactor.reserve()?;
        self.0.register(token);
        Ok(token)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        self.0.receive(buffer)
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        self.0.send(data, to, from)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        self.0.local()
    }

    fn is_unwatched(&self) -> bool {
        true
    }
}
