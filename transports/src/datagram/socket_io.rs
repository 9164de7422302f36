//! The trait of datagram sockets under a [`Core`](super::core::Core): [`SocketIo`]. Kernel sockets implement it, and the boxed sockets
//! of a network in the kernel's place.

use std::{io, net::SocketAddr};

use mio::net::UdpSocket;
use sinew_reactor::{PacketInfo, Reactor, RegisterError, Token};

use crate::net::{DatagramSocket, Received};

/// A socket for datagrams that never blocks.
pub(crate) trait SocketIo<A> {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError>;
    /// Like `recvfrom(2)`: a longer datagram is truncated.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<A>>;
    /// Like `sendto(2)`; `None` is the peer of a connected socket. `from` chooses one of the host's addresses as the source.
    fn send(&self, data: &[u8], to: Option<&A>, from: Option<&PacketInfo>) -> io::Result<()>;
    fn local(&self) -> io::Result<A>;
    /// The peer of a connected socket, according to the system.
    fn peer(&self) -> io::Result<A> {
        Err(io::ErrorKind::NotConnected.into())
    }
    /// Whether no engine reports events of the socket.
    fn is_unwatched(&self) -> bool {
        false
    }
    /// The engine has reported that there are datagrams.
    fn became_readable(&self) {}
    /// Whether the engine reports when there is room to send again. Linux always reports an unconnected Unix socket as writable,
    /// since it has no peer whose queue could be full.
    fn tells_of_room(&self) -> bool {
        true
    }
    /// The kernel's socket, where options can be set.
    fn as_udp(&self) -> Option<&UdpSocket> {
        None
    }
}

impl SocketIo<SocketAddr> for Box<dyn DatagramSocket> {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        let token = reactor.reserve()?;
        (**self).register(token);
        Ok(token)
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        (**self).receive(buffer)
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        (**self).send(data, to, from)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        (**self).local()
    }

    fn is_unwatched(&self) -> bool {
        true
    }
}
