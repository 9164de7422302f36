//! A minimal broadcast: bare_epoll, with the received data written to all other connections.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use bench::convention::GREETING;
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
            } else {
                ready(&poll, &mut connections, key, event.flags, &mut buffer);
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
        // A new socket has room for a byte.
        try_send(&stream, &[GREETING])?;
        entry.insert(Connection { stream, unsent: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

/// Reads once and broadcasts, or sends more of the rest.
fn ready(
    poll: &OwnedFd,
    connections: &mut Slab<Connection>,
    key: usize,
    flags: EventFlags,
    buffer: &mut [u8],
) {
    let Some(connection) = connections.get_mut(key) else {
        return;
    };
    if flags.contains(EventFlags::OUT) && connection.flush(poll, key).is_err() {
        connections.remove(key);
    } else if flags.contains(EventFlags::IN) {
        match recv(&connection.stream, &mut *buffer, RecvFlags::empty()) {
            Err(Errno::AGAIN) => {}
            Ok((len @ 1.., _)) => broadcast(poll, connections, key, &buffer[..len]),
            Ok(_) | Err(_) => drop(connections.remove(key)),
        }
    }
}

/// A receiver that has failed is removed when it is read.
fn broadcast(poll: &OwnedFd, connections: &mut Slab<Connection>, from: usize, data: &[u8]) {
    for (key, other) in connections.iter_mut().filter(|(key, _)| *key != from) {
        let sent = if other.unsent.is_empty() {
            try_send(&other.stream, data).unwrap_or(data.len())
        } else {
            0
        };
        if sent < data.len() {
            let flags = EventFlags::IN | EventFlags::OUT;
            let _ = epoll::modify(poll, &other.stream, EventData::new_u64(key as u64), flags);
            other.unsent.extend_from_slice(&data[sent..]);
        }
    }
}

impl Connection {
    fn flush(&mut self, poll: &OwnedFd, key: usize) -> Result<(), Errno> {
        let sent = try_send(&self.stream, &self.unsent)?;
        self.unsent.drain(..sent);
        if self.unsent.is_empty() {
            let data = EventData::new_u64(key as u64);
            epoll::modify(poll, &self.stream, data, EventFlags::IN)?;
        }
        Ok(())
    }
}

/// How much the kernel took: nothing if its buffer is full.
fn try_send(stream: &TcpStream, data: &[u8]) -> Result<usize, Errno> {
    match send(stream, data, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        result => result,
    }
}
