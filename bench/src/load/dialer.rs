//! Opens connections from many loopback addresses, so that ports do not run out.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

/// Source addresses used in turn: 127.0.0.2 and those after it. Each has some 28,000 ports, and a port
/// stays in TIME-WAIT for a minute after an orderly close.
const SOURCES: u8 = 250;

#[derive(Debug)]
pub(crate) struct Dialer {
    server: SocketAddrV4,
    next_source: u8,
}

impl Dialer {
    pub(crate) fn new(server: SocketAddrV4) -> Self {
        Self { server, next_source: 0 }
    }

    pub(crate) fn server(&self) -> SocketAddrV4 {
        self.server
    }

    /// Starts connecting; the stream becomes writable when it is connected.
    pub(crate) fn dial(&mut self) -> io::Result<TcpStream> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.next_source);
        self.next_source = (self.next_source + 1) % SOURCES;
        bind(&socket, &SocketAddrV4::new(source, 0))?;
        set_tcp_nodelay(&socket, true)?;
        match connect(&socket, &self.server) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from_std(socket.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Self::dial`], with a stream that is reset when dropped: for connections whose end is not
    /// measured, and whose ports should be free at once.
    pub(crate) fn dial_abortive(&mut self) -> io::Result<TcpStream> {
        let stream = self.dial()?;
        set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(stream)
    }
}
