//! Opens connections from many loopback addresses, so that ports do not run out; with WebSocket, up to the end of the handshake.

use std::io::{self, Read, Write};
use std::net::{self, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bench::websocket::{ACCEPT, HANDSHAKE};
use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use crate::SILENCE_MAX;

/// Source addresses used in turn: 127.0.0.2 and those after it. Each has some 28,000 ports, and a port
/// stays in TIME-WAIT for a minute after an orderly close.
const SOURCES: u8 = 250;

#[derive(Debug)]
pub(crate) struct Dialer {
    server: SocketAddrV4,
    next_source: u8,
    is_web_socket: bool,
}

/// The longest answer to a handshake.
const ANSWER_MAX: usize = 1024;

impl Dialer {
    pub(crate) fn new(server: SocketAddrV4) -> Self {
        Self { server, next_source: 0, is_web_socket: false }
    }

    /// One whose connections are WebSockets.
    pub(crate) fn web_socket(server: SocketAddrV4) -> Self {
        Self { is_web_socket: true, ..Self::new(server) }
    }

    pub(crate) fn server(&self) -> SocketAddrV4 {
        self.server
    }

    /// Starts connecting; the stream becomes writable when it is connected. A WebSocket is open when this returns.
    pub(crate) fn dial(&mut self) -> io::Result<TcpStream> {
        let blocking = SocketFlags::CLOEXEC;
        let flags = if self.is_web_socket { blocking } else { blocking | SocketFlags::NONBLOCK };
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.next_source);
        self.next_source = (self.next_source + 1) % SOURCES;
        bind(&socket, &SocketAddrV4::new(source, 0))?;
        set_tcp_nodelay(&socket, true)?;
        match connect(&socket, &self.server) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let mut stream = net::TcpStream::from(socket);
        if self.is_web_socket {
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            upgrade(&mut stream)?;
            stream.set_nonblocking(true)?;
        }
        Ok(TcpStream::from_std(stream))
    }

    /// As [`Self::dial`], with a stream that is reset when dropped: for connections whose end is not
    /// measured, and whose ports should be free at once.
    pub(crate) fn dial_abortive(&mut self) -> io::Result<TcpStream> {
        let stream = self.dial()?;
        set_socket_linger(&stream, Some(Duration::ZERO))?;
        Ok(stream)
    }
}

/// The opening handshake; nothing behind it is read.
fn upgrade(stream: &mut net::TcpStream) -> io::Result<()> {
    stream.write_all(HANDSHAKE.as_bytes())?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") && answer.len() < ANSWER_MAX {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let is_open = answer.starts_with(b"HTTP/1.1 101 ")
        && memchr::memmem::find(&answer, ACCEPT.as_bytes()).is_some();
    let refused = || io::Error::other(format!("no handshake: {}", answer.escape_ascii()));
    is_open.then_some(()).ok_or_else(refused)
}
