//! Messages of WebSocket: their echoes on one connection, and a prepared message sent to many.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::Duration;

use bench::websocket::{ACCEPT, HANDSHAKE, frame};
use sinew::http::server::{HttpServer, Request};
use sinew::http::websocket::{PreparedMessage, WebSocket, WebSocketHandler, WebSocketUpgrade};
use sinew::prelude::*;
use sinew::transports::memory::{self, Wire};

use crate::{Failed, PATIENCE};

const MESSAGES: usize = 1_000;
const RECEIVERS: usize = 1_000;
const BROADCASTS: usize = 10;

/// As that of RFC 6455 5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

struct Echo;

impl WebSocketHandler for Echo {
    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

/// Sends what it receives to all that were opened before.
struct Member {
    room: Rc<RefCell<Vec<WebSocket>>>,
}

impl WebSocketHandler for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.room.borrow_mut().push(socket.clone());
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        let message = PreparedMessage::binary(data);
        for other in self.room.borrow().iter().filter(|other| *other != socket) {
            other.send(&message);
        }
    }
}

pub(crate) fn echo() -> Result<(), Failed> {
    let reactor = crate::reactor()?;
    let upgrade = WebSocketUpgrade::new(|_: &Request| Echo);
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(upgrade))?;
    let mut client = TcpStream::connect(port.local())?;
    client.set_nodelay(true)?;
    client.write_all(HANDSHAKE.as_bytes())?;
    while port.connections() == 0 {
        reactor.turn(Some(PATIENCE))?;
    }
    reactor.turn(Some(PATIENCE))?;
    let mut answer = vec![0; 1024];
    let len = client.read(&mut answer)?;
    upgraded(&answer[..len])?;
    let (message, expected) = (frame(&[b'x'; 64], Some(MASK)), frame(&[b'x'; 64], None));
    answer.resize(expected.len(), 0);
    for _ in 0..MESSAGES {
        client.write_all(&message)?;
        crate::turn(&reactor, PATIENCE)?;
        client.read_exact(&mut answer)?;
        if answer != expected {
            return Err(format!("a different message: {}", answer.escape_ascii()).into());
        }
    }
    Ok(())
}

pub(crate) fn broadcast() -> Result<(), Failed> {
    let reactor = Reactor::simulated(0);
    let room = Rc::<RefCell<Vec<_>>>::default();
    let members = Rc::clone(&room);
    let member = move |_: &Request| Member { room: Rc::clone(&members) };
    let server = HttpServer::new(WebSocketUpgrade::new(member));
    let mut connections = Vec::new();
    for _ in 0..=RECEIVERS {
        connections.push(memory::connect(&reactor, StreamConfig::default(), server.connection())?);
    }
    for (_, wire) in &connections {
        wire.receive(HANDSHAKE);
    }
    while room.borrow().len() <= RECEIVERS {
        reactor.turn(Some(Duration::ZERO))?;
    }
    reactor.turn(Some(Duration::ZERO))?;
    for (_, wire) in &connections {
        upgraded(&wire.sent())?;
    }
    let (_, sender) = &connections[0];
    let (message, expected) = (frame(&[b'x'; 64], Some(MASK)), frame(&[b'x'; 64], None));
    for _ in 0..BROADCASTS {
        sender.receive(&message);
        // Data written outside of a connection's own callback is sent in the next turn.
        crate::turn(&reactor, Duration::ZERO)?;
        crate::turn(&reactor, Duration::ZERO)?;
        let has_it = |wire: &Wire| wire.sent() == expected;
        if !connections[1..].iter().all(|(_, wire)| has_it(wire)) {
            return Err("not all receivers got the message".into());
        }
    }
    Ok(())
}

fn upgraded(answer: &[u8]) -> Result<(), Failed> {
    let text = std::str::from_utf8(answer)?;
    if !text.starts_with("HTTP/1.1 101 ") || !text.contains(ACCEPT) {
        return Err(format!("not upgraded: {text:?}").into());
    }
    Ok(())
}
