//! A minimal line server: bare_epoll, with each line found and answered separately, and all answers
//! to one read sent by one write.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use memchr::memchr;
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
    let mut answers = Vec::with_capacity(BUFFER_LEN);
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
                && !Connection::ready(connection, &poll, event.data, &mut buffer, &mut answers)
                    .unwrap_or(false)
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
        entry.insert(Connection { stream, tail: Vec::new(), unsent: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    /// The incomplete line.
    tail: Vec<u8>,
    unsent: Vec<u8>,
}

impl Connection {
    /// Reads and answers once, or sends more of the rest; `false` when the connection has ended.
    fn ready(
        &mut self,
        poll: &OwnedFd,
        data: EventData,
        buffer: &mut [u8],
        answers: &mut Vec<u8>,
    ) -> Result<bool, Errno> {
        if self.unsent.is_empty() {
            let len = match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Ok(false),
                Ok((len, _)) => len,
                Err(Errno::AGAIN) => return Ok(true),
                Err(error) => return Err(error),
            };
            answers.clear();
            self.answer(&buffer[..len], answers);
            if answers.is_empty() {
                return Ok(true);
            }
            let sent = try_send(&self.stream, answers)?;
            if sent < answers.len() {
                self.unsent.extend_from_slice(&answers[sent..]);
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

    fn answer(&mut self, mut input: &[u8], answers: &mut Vec<u8>) {
        while let Some(end) = memchr(b'\n', input) {
            answers.append(&mut self.tail);
            answers.extend_from_slice(&input[..end]);
            answers.push(b'\n');
            input = &input[end + 1..];
        }
        self.tail.extend_from_slice(input);
    }
}

/// How much the kernel took: nothing if its buffer is full.
fn try_send(stream: &TcpStream, data: &[u8]) -> Result<usize, Errno> {
    match send(stream, data, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        result => result,
    }
}
