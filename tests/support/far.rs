//! The far end of a connection: a socket of the standard library, or the end of a wire in memory. It never blocks.

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

/// What the far end has seen of the near one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Open,
    /// It ended its output (FIN).
    Ended,
    /// It reset the connection.
    Reset,
    /// It ended its output, and not the TLS stream in it.
    Cut,
}

/// See the head of this file.
pub(crate) struct Far {
    end: End,
    fate: Fate,
}

enum End {
    Socket(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Wire(Wire),
    Secured(SecuredSocket),
}

impl Far {
    pub(crate) fn socket(socket: TcpStream) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Socket(socket), fate: Fate::Open }
    }

    #[cfg(unix)]
    pub(crate) fn unix(socket: UnixStream) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Unix(socket), fate: Fate::Open }
    }

    /// One that speaks TLS. The handshake is still to come.
    pub(crate) fn secured(socket: TcpStream, session: rustls::Connection) -> Self {
        socket.set_nonblocking(true).expect("a socket can be made non-blocking");
        Self { end: End::Secured(SecuredSocket::new(socket, session)), fate: Fate::Open }
    }

    /// Goes on with the handshake, if there is one. Whether it is done.
    pub(crate) fn pump(&mut self) -> bool {
        let End::Secured(secured) = &mut self.end else { return true };
        let pumped = secured.pump();
        let is_done = !secured.session.is_handshaking();
        if let Err(error) = pumped {
            self.learn(fate_of(&error));
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
        Self { end: End::Wire(wire), fate: Fate::Open }
    }

    /// The socket under it, where there is one.
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

    /// Sends as much as goes at once, and says how much that was.
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
                self.learn(fate_of(&error));
                0
            }
        }
    }

    /// Sends something short, all of it.
    pub(crate) fn send(&mut self, data: &[u8]) {
        assert_eq!(self.try_send(data), data.len(), "the far end could not send ({:?})", self.fate);
    }

    /// Takes what has come.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        let fate = match &mut self.end {
            End::Wire(wire) => {
                taken = wire.sent();
                match (wire.was_reset(), wire.is_ended()) {
                    (true, _) => Fate::Reset,
                    (false, true) => Fate::Ended,
                    (false, false) => Fate::Open,
                }
            }
            End::Secured(secured) => loop {
                let mut buffer = [0; 16 * 1024];
                match secured.receive(&mut buffer) {
                    Ok(0) => break Fate::Ended,
                    Ok(n) => taken.extend_from_slice(&buffer[..n]),
                    Err(error) => break fate_after(Err(error)),
                }
            },
            End::Socket(socket) => fate_after(socket.read_to_end(&mut taken)),
            #[cfg(unix)]
            End::Unix(socket) => fate_after(socket.read_to_end(&mut taken)),
        };
        self.learn(fate);
        taken
    }

    /// Takes what has come and fits into `buffer`, without an allocation.
    pub(crate) fn take_into(&mut self, buffer: &mut [u8]) -> usize {
        let read = match &mut self.end {
            End::Socket(socket) => socket.read(buffer),
            #[cfg(unix)]
            End::Unix(socket) => socket.read(buffer),
            End::Secured(secured) => secured.receive(buffer),
            End::Wire(_) => panic!("a wire hands out what it has"),
        };
        match read {
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => panic!("the far end failed: {error}"),
        }
    }

    /// Takes at most so much of what has come.
    pub(crate) fn take_some(&mut self, max: usize) -> Vec<u8> {
        let mut buffer = vec![0; max];
        let read = match &mut self.end {
            End::Socket(socket) => socket.read(&mut buffer),
            #[cfg(unix)]
            End::Unix(socket) => socket.read(&mut buffer),
            End::Secured(secured) => secured.receive(&mut buffer),
            End::Wire(_) => return self.take(),
        };
        let (n, fate) = match read {
            Ok(0) => (0, Fate::Ended),
            Ok(n) => (n, Fate::Open),
            Err(error) if error.kind() == ErrorKind::WouldBlock => (0, Fate::Open),
            Err(error) => (0, fate_of(&error)),
        };
        self.learn(fate);
        buffer.truncate(n);
        buffer
    }

    /// The kernel tells of a reset once, and of the end of the stream from then on: the first news counts.
    fn learn(&mut self, fate: Fate) {
        if self.fate == Fate::Open {
            self.fate = fate;
        }
    }

    /// Looks, and says what it knows. What has come is thrown away.
    pub(crate) fn fate(&mut self) -> Fate {
        if self.fate == Fate::Open {
            drop(self.take());
        }
        self.fate
    }

    /// What it knows from what it has read so far.
    pub(crate) fn fate_so_far(&self) -> Fate {
        self.fate
    }

    /// Sends as much as goes, all the time, from a thread of its own, until the near end is gone.
    pub(crate) fn flood(self) -> JoinHandle<()> {
        let piece = [7; 64 * 1024];
        match self.end {
            End::Wire(_) => panic!("a wire belongs to one thread"),
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

    /// Goes away, as a process that ends: a socket is closed, a wire ended.
    pub(crate) fn close(self) {
        match self.end {
            End::Wire(wire) => wire.close(),
            End::Secured(mut secured) => secured.end(),
            End::Socket(_) => {}
            #[cfg(unix)]
            End::Unix(_) => {}
        }
    }

    /// Ends its output (FIN), and goes on reading.
    pub(crate) fn end(&mut self) {
        match &mut self.end {
            End::Secured(secured) => secured.end(),
            // The near end may have been faster, and reset the connection.
            End::Socket(socket) => drop(socket.shutdown(Shutdown::Write)),
            #[cfg(unix)]
            End::Unix(socket) => drop(socket.shutdown(Shutdown::Write)),
            End::Wire(wire) => wire.close(),
        }
    }

    /// Resets the connection; over a Unix socket, closes it.
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

fn fate_after(read: io::Result<usize>) -> Fate {
    match read {
        Ok(_) => Fate::Ended,
        Err(error) if error.kind() == ErrorKind::WouldBlock => Fate::Open,
        Err(error) => fate_of(&error),
    }
}

fn fate_of(error: &io::Error) -> Fate {
    match error.kind() {
        ErrorKind::UnexpectedEof => Fate::Cut,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Fate::Reset
        }
        _ => panic!("the far end failed: {error}"),
    }
}
