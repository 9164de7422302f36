//! The remote end of a connection under test: a socket of the standard library, or the other end of an in-memory
//! connection. Nonblocking.

#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread::{self, JoinHandle},
    time::Duration,
};

use sinew::transports::memory::Wire;

use super::secured::SecuredSocket;

/// How the connection has ended, as seen by the remote end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    Open,
    /// FIN.
    Ended,
    /// RST.
    Reset,
    /// FIN without close_notify: the TLS stream is truncated.
    Cut,
}

/// The remote end of a connection.
pub(crate) struct RemoteEnd {
    end: End,
    end_state: EndState,
}

enum End {
    Socket(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Wire(Wire),
    Secured(SecuredSocket),
}

impl RemoteEnd {
    pub(crate) fn socket(socket: TcpStream) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Socket(socket), end_state: EndState::Open }
    }

    #[cfg(unix)]
    pub(crate) fn unix(socket: UnixStream) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Unix(socket), end_state: EndState::Open }
    }

    /// A remote end with TLS. The handshake has not started yet.
    pub(crate) fn secured(socket: TcpStream, session: rustls::Connection) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Secured(SecuredSocket::new(socket, session)), end_state: EndState::Open }
    }

    /// Continues the handshake, if there is one; returns whether it is complete.
    pub(crate) fn pump(&mut self) -> bool {
        let End::Secured(secured) = &mut self.end else { return true };
        let pumped = secured.pump();
        let is_done = !secured.session.is_handshaking();
        if let Err(error) = pumped {
            self.record_end(end_state_of(&error));
        }
        is_done
    }

    pub(crate) fn as_secured(&mut self) -> Option<&mut SecuredSocket> {
        match &mut self.end {
            End::Secured(secured) => Some(secured),
            _ => None,
        }
    }

    pub(crate) fn wire(wire: Wire) -> Self {
        Self { end: End::Wire(wire), end_state: EndState::Open }
    }

    /// The underlying socket, if any.
    pub(crate) fn as_socket(&self) -> Option<&TcpStream> {
        match &self.end {
            End::Socket(socket) => Some(socket),
            #[cfg(unix)]
            End::Unix(_) => None,
            End::Secured(secured) => Some(&secured.socket),
            End::Wire(_) => None,
        }
    }

    pub(crate) fn as_wire(&self) -> Option<&Wire> {
        match &self.end {
            End::Wire(wire) => Some(wire),
            _ => None,
        }
    }

    #[cfg(unix)]
    pub(crate) fn as_unix(&self) -> Option<&UnixStream> {
        match &self.end {
            End::Unix(socket) => Some(socket),
            _ => None,
        }
    }

    /// Sends as much as the socket accepts; returns the number of bytes.
    pub(crate) fn try_send(&mut self, data: &[u8]) -> usize {
        let sent = match &mut self.end {
            End::Wire(wire) => {
                wire.receive(data);
                return data.len();
            }
            End::Socket(socket) => socket.write(data),
            #[cfg(unix)]
            End::Unix(socket) => socket.write(data),
            End::Secured(secured) => secured.send(data),
        };
        match sent {
            Ok(sent) => sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.record_end(end_state_of(&error));
                0
            }
        }
    }

    /// Sends a short message completely.
    pub(crate) fn send(&mut self, data: &[u8]) {
        assert_eq!(
            self.try_send(data),
            data.len(),
            "the remote end could not send ({:?})",
            self.end_state
        );
    }

    /// Receives everything available.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        let end_state = match &mut self.end {
            End::Wire(wire) => {
                taken = wire.sent();
                match (wire.was_reset(), wire.is_ended()) {
                    (true, _) => EndState::Reset,
                    (false, true) => EndState::Ended,
                    (false, false) => EndState::Open,
                }
            }
            End::Secured(secured) => loop {
                let mut buffer = [0; 16 * 1024];
                match secured.receive(&mut buffer) {
                    Ok(0) => break EndState::Ended,
                    Ok(n) => taken.extend_from_slice(&buffer[..n]),
                    Err(error) => break end_state_after(Err(error)),
                }
            },
            End::Socket(socket) => end_state_after(socket.read_to_end(&mut taken)),
            #[cfg(unix)]
            End::Unix(socket) => end_state_after(socket.read_to_end(&mut taken)),
        };
        self.record_end(end_state);
        taken
    }

    /// Receives what fits into `buffer`, without allocating.
    pub(crate) fn take_into(&mut self, buffer: &mut [u8]) -> usize {
        let read = match &mut self.end {
            End::Socket(socket) => socket.read(buffer),
            #[cfg(unix)]
            End::Unix(socket) => socket.read(buffer),
            End::Secured(secured) => secured.receive(buffer),
            End::Wire(_) => panic!("not supported for in-memory connections"),
        };
        match read {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("the far end failed: {error}"),
        }
    }

    /// Receives at most `max` bytes.
    pub(crate) fn take_some(&mut self, max: usize) -> Vec<u8> {
        let mut buffer = vec![0; max];
        let read = match &mut self.end {
            End::Socket(socket) => socket.read(&mut buffer),
            #[cfg(unix)]
            End::Unix(socket) => socket.read(&mut buffer),
            End::Secured(secured) => secured.receive(&mut buffer),
            End::Wire(_) => return self.take(),
        };
        let (n, end_state) = match read {
            Ok(0) => (0, EndState::Ended),
            Ok(n) => (n, EndState::Open),
            Err(error) if error.kind() == ErrorKind::WouldBlock => (0, EndState::Open),
            Err(error) => (0, end_state_of(&error)),
        };
        self.record_end(end_state);
        buffer.truncate(n);
        buffer
    }

    /// Records how the connection ended. The kernel reports a reset only once, and EOF afterwards, so the first
    /// result counts.
    fn record_end(&mut self, end_state: EndState) {
        if self.end_state == EndState::Open {
            self.end_state = end_state;
        }
    }

    /// How the connection has ended. Discards received data.
    pub(crate) fn end_state(&mut self) -> EndState {
        if self.end_state == EndState::Open {
            drop(self.take());
        }
        self.end_state
    }

    /// How the connection has ended, according to the data read so far.
    pub(crate) fn end_state_so_far(&self) -> EndState {
        self.end_state
    }

    /// Sends continuously on a separate thread until the connection ends.
    pub(crate) fn flood(self) -> JoinHandle<()> {
        let piece = [7; 64 * 1024];
        match self.end {
            End::Wire(_) => panic!("in-memory connections belong to one thread"),
            End::Socket(mut socket) => thread::spawn(move || {
                socket.set_nonblocking(false).expect("a socket can be made blocking");
                while socket.write(&piece).is_ok() {}
            }),
            #[cfg(unix)]
            End::Unix(mut socket) => thread::spawn(move || {
                socket.set_nonblocking(false).expect("a socket can be made blocking");
                while socket.write(&piece).is_ok() {}
            }),
            End::Secured(mut secured) => thread::spawn(move || {
                secured.socket.set_nonblocking(false).expect("a socket can be made blocking");
                while secured.send(&piece).is_ok() {}
            }),
        }
    }

    /// Closes the connection, as when a process exits.
    pub(crate) fn close(self) {
        match self.end {
            End::Wire(wire) => wire.close(),
            End::Secured(mut secured) => secured.end(),
            End::Socket(_) => {}
            #[cfg(unix)]
            End::Unix(_) => {}
        }
    }

    /// Half-closes (FIN); reading continues.
    pub(crate) fn end(&mut self) {
        match &mut self.end {
            End::Secured(secured) => secured.end(),
            // The other end may already have reset the connection.
            End::Socket(socket) => drop(socket.shutdown(Shutdown::Write)),
            #[cfg(unix)]
            End::Unix(socket) => drop(socket.shutdown(Shutdown::Write)),
            End::Wire(wire) => wire.close(),
        }
    }

    /// Resets the connection (RST); a Unix socket is closed.
    pub(crate) fn reset(self) {
        let socket = match self.end {
            End::Socket(socket) => socket,
            #[cfg(unix)]
            End::Unix(_) => return,
            End::Secured(secured) => secured.socket,
            End::Wire(wire) => return wire.reset(),
        };
        let linger = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        linger.expect("SO_LINGER can be set");
    }
}

fn end_state_after(read: io::Result<usize>) -> EndState {
    match read {
        Ok(_) => EndState::Ended,
        Err(error) if error.kind() == ErrorKind::WouldBlock => EndState::Open,
        Err(error) => end_state_of(&error),
    }
}

fn end_state_of(error: &io::Error) -> EndState {
    match error.kind() {
        ErrorKind::UnexpectedEof => EndState::Cut,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            EndState::Reset
        }
        _ => panic!("the far end failed: {error}"),
    }
}
