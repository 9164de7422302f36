//! A far end that speaks TLS, by another road than ours: rustls with buffers of its own, on a socket of the standard library.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

/// See the head of this file.
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

    /// Goes on with the handshake, or with whatever else is to be said.
    pub(crate) fn pump(&mut self) -> io::Result<()> {
        self.flush()?;
        if self.session.is_handshaking() {
            self.fill()?;
            self.flush()?;
        }
        Ok(())
    }

    /// Sends what is to be sent, as far as it goes.
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

    /// One read; `false` if nothing has come.
    fn fill(&mut self) -> io::Result<bool> {
        match self.session.read_tls(&mut self.socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
        if let Err(error) = self.session.process_new_packets() {
            // For the alert.
            let _ = self.flush();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(true)
    }

    /// Takes as much as goes at once.
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

    /// As `read(2)`. An end of the stream without `close_notify` is an error.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What has come is there, whether or not anything can be sent any more.
        let flushed = self.flush();
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The system tells of a reset once, and of the end from then on.
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

    /// Ends the output, as TLS does and as TCP does.
    pub(crate) fn end(&mut self) {
        self.session.send_close_notify();
        // The near end may have been faster, and reset the connection.
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}
