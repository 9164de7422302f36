//! A minimal echo server on `select(2)`: two sets of descriptors, copied for each call.
//!
//! Otherwise as bare_epoll: one buffer for all connections, one read and one write for each event.

#![allow(unsafe_code, reason = "select takes descriptors as numbers")]

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use rustix::event::{
    FdSetElement, FdSetIter, fd_set_insert, fd_set_num_elements, fd_set_remove, select,
};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};

const BUFFER_LEN: usize = 64 * 1024;

/// Descriptors that fit into a set: FD_SETSIZE.
const DESCRIPTORS_MAX: RawFd = 1024;

fn main() -> io::Result<()> {
    let listener = bench::convention::listen()?;
    let mut server = Server {
        reading: Set::new(),
        writing: Set::new(),
        connections: Vec::new(),
        end: listener.as_raw_fd() + 1,
    };
    let mut buffer = vec![0; BUFFER_LEN];
    server.reading.insert(listener.as_raw_fd());
    loop {
        let (mut readable, mut writable) = (server.reading.clone(), server.writing.clone());
        // SAFETY: the sets contain the listener and open connections.
        let selected =
            unsafe { select(server.end, Some(&mut readable.0), Some(&mut writable.0), None, None) };
        match selected {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        for fd in readable.iter().chain(writable.iter()) {
            if fd == listener.as_raw_fd() {
                server.accept(&listener)?;
            } else if !server.ready(fd, &mut buffer).unwrap_or(false) {
                server.reading.remove(fd);
                server.writing.remove(fd);
                server.connections[fd as usize] = None;
            }
        }
    }
}

#[derive(Clone)]
struct Set(Vec<FdSetElement>);

impl Set {
    fn new() -> Self {
        let elements = fd_set_num_elements(DESCRIPTORS_MAX as usize, DESCRIPTORS_MAX);
        Self(vec![FdSetElement::default(); elements])
    }

    fn insert(&mut self, fd: RawFd) {
        fd_set_insert(&mut self.0, fd);
    }

    fn remove(&mut self, fd: RawFd) {
        fd_set_remove(&mut self.0, fd);
    }

    fn iter(&self) -> FdSetIter<'_> {
        FdSetIter::new(&self.0)
    }
}

struct Server {
    reading: Set,
    writing: Set,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
    /// One past the highest descriptor.
    end: RawFd,
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
            let fd = stream.as_raw_fd();
            if fd >= DESCRIPTORS_MAX {
                // Closed: it does not fit into a set.
                continue;
            }
            self.end = self.end.max(fd + 1);
            self.connections.resize_with(self.connections.len().max(fd as usize + 1), || None);
            self.connections[fd as usize] = Some(Connection { stream, unsent: Vec::new() });
            self.reading.insert(fd);
        }
    }

    /// Reads and echoes once, or sends more of the rest; `false` when the connection has ended.
    fn ready(&mut self, fd: RawFd, buffer: &mut [u8]) -> Result<bool, Errno> {
        let Some(Connection { stream, unsent }) = &mut self.connections[fd as usize] else {
            return Ok(true);
        };
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
                self.reading.remove(fd);
                self.writing.insert(fd);
            }
        } else {
            let sent = try_send(stream, unsent)?;
            unsent.drain(..sent);
            if unsent.is_empty() {
                self.writing.remove(fd);
                self.reading.insert(fd);
            }
        }
        Ok(true)
    }
}

/// How much the kernel took: nothing if its buffer is full.
fn try_send(stream: &TcpStream, data: &[u8]) -> Result<usize, Errno> {
    match send(stream, data, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        result => result,
    }
}
