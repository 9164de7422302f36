//! The baseline: a minimal echo server on mio.
//!
//! Edge-triggered; one buffer for all connections; each connection registered once. A message costs one
//! read and one write: a read that leaves room in the buffer has drained the socket, unless the peer has
//! closed. What the kernel does not take is kept, and its connection is not read until that is sent.

use std::io::{self, ErrorKind, Read, Write};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

const BUFFER_LEN: usize = 64 * 1024;
const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    let mut listener = TcpListener::from_std(bench::convention::listen()?);
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut connections = Slab::new();
    let mut buffer = vec![0; BUFFER_LEN];
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(event.token().0)
                && !Connection::ready(connection, event, &mut buffer).unwrap_or(false)
            {
                connections.remove(event.token().0);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Slab<Connection>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let entry = connections.vacant_entry();
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(entry.key()), both)?;
        entry.insert(Connection { stream, unsent: Vec::new() });
    }
}

struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Connection {
    /// Handles an event; `false` when the connection has ended.
    fn ready(&mut self, event: &Event, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let sent = send(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..sent);
        } else if !event.is_readable() {
            return Ok(true);
        }
        // After a flush too: data that arrived meanwhile causes no further event.
        while self.unsent.is_empty() {
            let len = match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            let sent = send(&mut self.stream, &buffer[..len])?;
            if sent < len {
                self.unsent.extend_from_slice(&buffer[sent..len]);
            } else if len < buffer.len() && !event.is_read_closed() {
                break;
            }
        }
        Ok(true)
    }
}

/// Writes until all is sent or the kernel takes no more, which arms the next edge.
fn send(stream: &mut TcpStream, data: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < data.len() {
        match stream.write(&data[sent..]) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
