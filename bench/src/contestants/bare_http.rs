//! The least that a server of HTTP does on epoll: reads, parses heads by httparse, compares the path, and answers from a constant. One write
//! answers all requests that one read completes. No date, no bodies, no limits, no timeouts.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

use bench::http::{TEXT, TEXT_PATH, TEXT_TYPE};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use slab::Slab;

const BUFFER_LEN: usize = 64 * 1024;
const LISTENER: u64 = u64::MAX;
const FIELDS_MAX: usize = 32;

fn main() -> io::Result<()> {
    let listener = bench::convention::listen()?;
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut events = Vec::with_capacity(1024);
    let mut connections = Slab::new();
    let mut buffer = vec![0; BUFFER_LEN];
    let mut answers = Vec::new();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {TEXT_TYPE}\r\nContent-Length: {}\r\n\r\n{TEXT}",
        TEXT.len()
    );
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
            } else if let Some(connection) = connections.get_mut(key) {
                answers.clear();
                if !connection.ready(&mut buffer, &mut answers, answer.as_bytes()).unwrap_or(false)
                {
                    connections.remove(key);
                }
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
        entry.insert(Connection { stream, unused: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    /// A part of a head.
    unused: Vec<u8>,
}

impl Connection {
    /// Reads once and answers; `false` when the connection has ended, or has sent what is no request.
    fn ready(
        &mut self,
        buffer: &mut [u8],
        answers: &mut Vec<u8>,
        answer: &[u8],
    ) -> Result<bool, Errno> {
        let len = match recv(&self.stream, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(false),
            Ok((len, _)) => len,
            Err(Errno::AGAIN) => return Ok(true),
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..len];
        let joined;
        if !self.unused.is_empty() {
            self.unused.extend_from_slice(rest);
            joined = std::mem::take(&mut self.unused);
            rest = &joined;
        }
        while !rest.is_empty() {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut request = httparse::Request::new(&mut fields);
            match request.parse(rest) {
                Ok(httparse::Status::Complete(len)) if request.path == Some(TEXT_PATH) => {
                    answers.extend_from_slice(answer);
                    rest = &rest[len..];
                }
                Ok(httparse::Status::Partial) => break,
                _ => return Ok(false),
            }
        }
        if !rest.is_empty() {
            self.unused = rest.to_vec();
        }
        // Answers are short, and clients wait for them: the kernel takes them all.
        let sent =
            if answers.is_empty() { 0 } else { send(&self.stream, answers, SendFlags::NOSIGNAL)? };
        Ok(sent == answers.len())
    }
}
