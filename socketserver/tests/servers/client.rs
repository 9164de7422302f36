//! The test client, for any family: [`Client`].

use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixStream},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use socket2::SockRef;

use super::process::{Family, TEST_TIMEOUT};

/// A datagram may get lost; after this time it is sent again.
const RESEND: Duration = Duration::from_secs(2);

/// A client that gives up after `TEST_TIMEOUT`.
#[derive(Debug)]
pub(crate) enum Client {
    Tcp(BufReader<TcpStream>),
    UnixStream(BufReader<UnixStream>),
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
}

impl Client {
    pub(crate) fn connect(family: Family, address: &str, folder: &Path) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let inet = || address.parse::<SocketAddr>().unwrap();
        match family {
            Family::Tcp => {
                let stream = TcpStream::connect(inet()).unwrap();
                stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
                Self::Tcp(BufReader::new(stream))
            }
            Family::UnixStream => {
                let stream = UnixStream::connect(address).unwrap();
                stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
                Self::UnixStream(BufReader::new(stream))
            }
            Family::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.connect(inet()).unwrap();
                Self::Udp(socket)
            }
            Family::UnixDatagram => {
                let number = COUNT.fetch_add(1, Ordering::Relaxed);
                let socket = UnixDatagram::bind(folder.join(format!("client-{number}"))).unwrap();
                socket.connect(address).unwrap();
                Self::UnixDatagram(socket)
            }
        }
    }

    /// Whether a stream server listens there.
    pub(crate) fn can_connect(family: Family, address: &str) -> bool {
        match family {
            Family::Tcp => TcpStream::connect(address).is_ok(),
            _ => UnixStream::connect(address).is_ok(),
        }
    }

    pub(crate) fn send(&mut self, question: &str) {
        match self {
            Self::Tcp(stream) => writeln!(stream.get_mut(), "{question}").unwrap(),
            Self::UnixStream(stream) => writeln!(stream.get_mut(), "{question}").unwrap(),
            Self::Udp(socket) => drop(socket.send(question.as_bytes()).unwrap()),
            Self::UnixDatagram(socket) => drop(socket.send(question.as_bytes()).unwrap()),
        }
    }

    /// The reply, or nothing if the connection ends without one.
    pub(crate) fn answer(&mut self) -> String {
        let mut buffer = [0; 65_536];
        let mut text = String::new();
        match self {
            Self::Tcp(stream) => drop(stream.read_line(&mut text).unwrap()),
            Self::UnixStream(stream) => drop(stream.read_line(&mut text).unwrap()),
            Self::Udp(socket) => {
                socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
                let len = socket.recv(&mut buffer).unwrap();
                text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            }
            Self::UnixDatagram(socket) => {
                socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
                let len = socket.recv(&mut buffer).unwrap();
                text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            }
        }
        text.trim_end().to_owned()
    }

    /// Whether the connection ends, in any way, without a reply.
    pub(crate) fn is_cut(&mut self) -> bool {
        let mut text = String::new();
        let read = match self {
            Self::Tcp(stream) => stream.read_line(&mut text),
            Self::UnixStream(stream) => stream.read_line(&mut text),
            Self::Udp(_) | Self::UnixDatagram(_) => {
                unreachable!("a datagram socket has no connection")
            }
        };
        let is_end =
            read.map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |n| n == 0);
        text.is_empty() && is_end
    }

    /// As `answer`; resends a question that may have been lost.
    pub(crate) fn answer_to(&mut self, question: &str) -> String {
        for _ in 0..TEST_TIMEOUT.as_secs() / RESEND.as_secs() {
            let Self::Udp(socket) = self else { break };
            socket.set_read_timeout(Some(RESEND)).unwrap();
            match socket.peek(&mut [0; 1024]) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    self.send(question);
                }
                _ => break,
            }
        }
        self.answer()
    }

    pub(crate) fn ask(&mut self, question: &str) -> String {
        self.send(question);
        self.answer_to(question)
    }

    /// Expects the other end to close without further data.
    pub(crate) fn expect_end(&mut self) {
        if matches!(self, Self::Tcp(_) | Self::UnixStream(_)) {
            assert_eq!(self.answer(), "");
        }
    }

    /// Shuts down the sending side.
    pub(crate) fn close_write(&self) {
        match self {
            Self::Tcp(stream) => {
                SockRef::from(stream.get_ref()).shutdown(std::net::Shutdown::Write).unwrap()
            }
            Self::UnixStream(stream) => {
                SockRef::from(stream.get_ref()).shutdown(std::net::Shutdown::Write).unwrap();
            }
            _ => {}
        }
    }
}
