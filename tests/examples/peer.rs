//! The remote end of a connection, with plain sockets: [`Peer`].

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
};

use socket2::SockRef;

use crate::PATIENCE;

/// A connected socket with `PATIENCE` as its timeout.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::new(TcpStream::connect_timeout(&addr, PATIENCE).unwrap())
    }

    /// Accepts the next connection.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        SockRef::from(listener).set_read_timeout(Some(PATIENCE)).unwrap();
        Self::new(listener.accept().unwrap().0)
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// A duplicate for another thread.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.socket().try_clone().unwrap())
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.socket().local_addr().unwrap()
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Half-closes.
    pub(crate) fn close_write(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub(crate) fn reset(self) {
        SockRef::from(self.socket()).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }

    /// Reads the next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the stream ended with {line:?}");
        line.trim_end().to_owned()
    }

    pub(crate) fn exactly(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let got = self.exactly(bytes.len());
        assert!(got == bytes, "{} instead of {}", got.escape_ascii(), bytes.escape_ascii());
    }

    /// Reads everything up to EOF.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Asserts that the other end has closed gracefully, and that everything was read.
    pub(crate) fn expect_end(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "before the end came {}", rest.escape_ascii());
    }

    /// Asserts that the other end has reset the connection.
    pub(crate) fn expect_reset(&mut self) {
        let error = self.stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    /// Sends `piece` repeatedly until nothing is accepted for a while; returns the number of bytes.
    pub(crate) fn send_until_full(&mut self, piece: &[u8], bytes_max: usize) -> usize {
        let short = std::time::Duration::from_millis(200);
        self.socket().set_write_timeout(Some(short)).unwrap();
        let mut sent = 0;
        while sent < bytes_max {
            let at = sent % piece.len();
            match self.stream.get_mut().write(&piece[at..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        self.socket().set_write_timeout(Some(PATIENCE)).unwrap();
        sent
    }
}
