//! A remote end with TLS, independent of the implementation under test: rustls with its own buffers on a socket of
//! the standard library.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

/// A TLS socket.
pub(crate) struct SecuredSocket {
    pub(crate) socket: TcpStream,
    pub(crate) session: Box<rustls::Connection>,
}

impl SecuredSocket {
    pub(crate) fn new(socket: TcpStream, session: rustls::Connection) -> Self {
        let mut session = Box::new(session);
        session.set_buffer_limit(Some(16 * 1024));
        Self { socket, session }
    }

    /// Continues the handshake, and sends pending records.
    pub(crate) fn pump(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.session.is_handshaking() {
            self.fill()?;
            self.flush()?;
        }
        Ok(())
    }

    /// Sends pending records, as far as the socket accepts them.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once; `false` if nothing is available.
    fn fill(&mut self) -> io::Result<bool> {
        match self.session.read_tls(&mut self.socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if let Err(error) = self.session.process_new_packets() {
            // Sends the alert.
            let _ = self.flush();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(true)
    }

    /// Sends as much as the socket accepts.
    pub(crate) fn send(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        loop {
            self.flush()?;
            let taken = self.session.writer().write(&data[sent..])?;
            if taken == 0 {
                return Ok(sent);
            }
            sent += taken;
        }
    }

    /// Like `read(2)`. EOF without close_notify is an error.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // Received data can be read even if nothing can be sent any more.
        let flushed = self.flush();
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The kernel reports a reset only once, and EOF afterwards.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return flushed.and(Err(error));
                }
                result => return result,
            }
            if !self.fill()? {
                return flushed.and(Err(ErrorKind::WouldBlock.into()));
            }
        }
    }

    /// Sends close_notify, then FIN.
    pub(crate) fn end(&mut self) {
        self.session.send_close_notify();
        // The other end may already have reset the connection.
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
