//! A minimal echo server on `poll(2)`: one array of poll descriptors, kept between the calls.
//!
//! Otherwise as bare_epoll: one buffer for all connections, one read and one write for each event.

#![allow(unsafe_code, reason = "the array borrows sockets that are stored beside it")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};

const BUFFER_LEN: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let listener = bench::convention::listen()?;
    let mut server =
        Server { watched: vec![watch(&listener, PollFlags::IN)], connections: Vec::new() };
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let mut left = match poll(&mut server.watched, None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        // Backwards, so that the entry moved into the place of an ended connection has been handled.
        let mut place = server.watched.len();
        while left > 0 && place > 0 {
            place -= 1;
            if server.watched[place].revents().is_empty() {
                continue;
            }
            left -= 1;
            if place == 0 {
                server.accept(&listener)?;
            } else if !server.ready(place, &mut buffer).unwrap_or(false) {
                server.watched.swap_remove(place);
                server.connections.swap_remove(place - 1);
            }
        }
    }
}

struct Server {
    /// The listener, followed by the connections.
    watched: Vec<PollFd<'static>>,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let stream = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(stream) => TcpStream::from(stream),
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.watched.push(watch(&stream, PollFlags::IN));
            self.connections.push(Connection { stream, unsent: Vec::new() });
        }
    }

    /// Reads and echoes once, or sends more of the rest; `false` when the connection has ended.
    fn ready(&mut self, place: usize, buffer: &mut [u8]) -> Result<bool, Errno> {
        let Connection { stream, unsent } = &mut self.connections[place - 1];
        if unsent.is_empty() {
            let len = match recv(&*stream, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(false),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error),
            };
            let sent = try_send(stream, &buffer[..len])?;
            if sent < len {
                unsent.extend_from_slice(&buffer[sent..len]);
                self.watched[place] = watch(stream, PollFlags::OUT);
            }
        } else {
            let sent = try_send(stream, unsent)?;
            unsent.drain(..sent);
            if unsent.is_empty() {
                self.watched[place] = watch(stream, PollFlags::IN);
            }
        }
        Ok(true)
    }
}

/// An entry of the array. It is removed before its socket is closed.
fn watch(socket: &impl AsRawFd, wanted: PollFlags) -> PollFd<'static> {
    // SAFETY: each entry is in the array no longer than its socket is in `connections`, or in `main`.
    PollFd::from_borrowed_fd(unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }, wanted)
}

/// How much the kernel took: nothing if its buffer is full.
fn try_send(stream: &TcpStream, data: &[u8]) -> Result<usize, Errno> {
    match send(stream, data, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        result => result,
    }
}
