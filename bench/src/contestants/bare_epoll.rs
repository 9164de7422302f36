//! A minimal echo server on epoll, level-triggered, without mio.
//!
//! One buffer for all connections; one read and one write for each event. A connection whose echo the
//! kernel does not take is registered for writing instead of reading, until the rest is sent.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use slab::Slab;

const BUFFER_LEN: usize = 64 * 1024;
const LISTENER: u64 = u64::MAX;

fn main() -> io::Result<()> {
    let listener = bench::convention::listen()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut events = Vec::with_capacity(1024);
    let mut connections = Slab::new();
    let mut buffer = vec![0; BUFFER_LEN];
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    loop {
        match epoll::wait(&poll, spare_capacity(&mut events), None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        for event in events.drain(..) {
            let key = event.data.u64() as usize;
            if event.data.u64() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(key)
                && !Connection::ready(connection, &poll, event.data, &mut buffer).unwrap_or(false)
            {
                connections.remove(key);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &OwnedFd,
    connections: &mut Slab<Connection>,
) -> io::Result<()> {
    loop {
        let stream = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(stream) => TcpStream::from(stream),
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let entry = connections.vacant_entry();
        let data = EventData::new_u64(entry.key() as u64);
        epoll::add(poll, &stream, data, EventFlags::IN)?;
        entry.insert(Connection { stream, unsent: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Connection {
    /// Reads and echoes once, or sends more of the rest; `false` when the connection has ended.
    fn ready(&mut self, poll: &OwnedFd, data: EventData, buffer: &mut [u8]) -> Result<bool, Errno> {
        if self.unsent.is_empty() {
            let len = match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(false),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error),
            };
            let sent = try_send(&self.stream, &buffer[..len])?;
            if sent < len {
                self.unsent.extend_from_slice(&buffer[sent..len]);
                epoll::modify(poll, &self.stream, data, EventFlags::OUT)?;
            }
        } else {
            let sent = try_send(&self.stream, &self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                epoll::modify(poll, &self.stream, data, EventFlags::IN)?;
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
