//! A minimal HTTP server on epoll, level-triggered, with httparse: it answers every request with the same text, and the date.
//!
//! One buffer for all connections; one read and one write for each event. No limits, no timeouts, no bodies, no routes: what any server
//! has to do at least.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

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
    let mut server = Server::new();
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    loop {
        match epoll::wait(&poll, spare_capacity(&mut events), None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        server.refresh();
        for event in events.drain(..) {
            let key = event.data.u64() as usize;
            if event.data.u64() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(key)
                && !server.ready(connection, &poll, event.data).unwrap_or(false)
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
        entry.insert(Connection { stream, unread: Vec::new(), unsent: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

/// The buffers that all connections share, and the answer.
struct Server {
    input: Vec<u8>,
    output: Vec<u8>,
    answer: Vec<u8>,
    until: Instant,
}

impl Server {
    fn new() -> Self {
        let (input, output) = (vec![0; BUFFER_LEN], Vec::with_capacity(BUFFER_LEN));
        let mut server = Self { input, output, answer: Vec::new(), until: Instant::now() };
        server.refresh();
        server
    }

    /// Writes the answer anew once a second.
    fn refresh(&mut self) {
        let now = Instant::now();
        if now < self.until && !self.answer.is_empty() {
            return;
        }
        let date = httpdate::fmt_http_date(SystemTime::now());
        self.answer.clear();
        // Writing to a vector does not fail.
        let _ = write!(
            self.answer,
            "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nhello, world\n"
        );
        self.until = now + Duration::from_secs(1);
    }

    /// Reads and answers once, or sends more of the rest; `false` when the connection has ended.
    fn ready(
        &mut self,
        connection: &mut Connection,
        poll: &OwnedFd,
        data: EventData,
    ) -> Result<bool, Errno> {
        if !connection.unsent.is_empty() {
            let sent = try_send(&connection.stream, &connection.unsent)?;
            connection.unsent.drain(..sent);
            if connection.unsent.is_empty() {
                epoll::modify(poll, &connection.stream, data, EventFlags::IN)?;
            }
            return Ok(true);
        }
        let len = match recv(&connection.stream, &mut *self.input, RecvFlags::empty()) {
            Ok((0, _)) => return Ok(false),
            Ok((len, _)) => len,
            Err(Errno::AGAIN) => return Ok(true),
            Err(error) => return Err(error),
        };
        self.output.clear();
        if connection.unread.is_empty() {
            let Some(used) = answer_all(&self.input[..len], &self.answer, &mut self.output) else {
                return Ok(false);
            };
            connection.unread.extend_from_slice(&self.input[used..len]);
        } else {
            connection.unread.extend_from_slice(&self.input[..len]);
            let Some(used) = answer_all(&connection.unread, &self.answer, &mut self.output) else {
                return Ok(false);
            };
            connection.unread.drain(..used);
        }
        let sent = try_send(&connection.stream, &self.output)?;
        if sent < self.output.len() {
            connection.unsent.extend_from_slice(&self.output[sent..]);
            epoll::modify(poll, &connection.stream, data, EventFlags::OUT)?;
        }
        Ok(true)
    }
}

/// Answers all requests that are whole; how much of the input they are. `None` for what is no request.
fn answer_all(input: &[u8], answer: &[u8], output: &mut Vec<u8>) -> Option<usize> {
    let mut used = 0;
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&input[used..]).ok()? {
            httparse::Status::Partial => return Some(used),
            httparse::Status::Complete(len) => used += len,
        }
        output.extend_from_slice(answer);
    }
}

/// How much the kernel took: nothing if its buffer is full.
fn try_send(stream: &TcpStream, data: &[u8]) -> Result<usize, Errno> {
    match send(stream, data, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        result => result,
    }
}
