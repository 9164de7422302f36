//! WebSocket connections: [`dial`] opens them, and sends messages that the server is to send back.

use std::rc::Rc;

use sinew::{
    http::websocket::{CloseCode, CloseReason, WebSocket, WebSocketClient, WebSocketHandler},
    prelude::*,
    transports::endpoint::ClientEndpoint,
};

use super::{
    lane::{Lane, Wire},
    load::{Dial, Load},
    tally::Trouble,
};

/// What the handler and the lane share.
struct SocketWire {
    socket: WebSocket,
    message: Rc<[u8]>,
}

impl Wire for SocketWire {
    fn send(&self) -> usize {
        self.socket.send_binary(&self.message);
        self.message.len()
    }

    fn abort(&self) {
        self.socket.close_now(CloseReason::from(CloseCode::NORMAL));
    }
}

struct SocketClient {
    load: Rc<Load>,
    lane: Rc<Lane>,
    message: Rc<[u8]>,
    reactor: WeakReactor,
    wire: Option<Rc<dyn Wire>>,
    trouble: Option<Trouble>,
}

/// WebSockets of `client` over `endpoint`. Each sends binary messages of `size` bytes.
pub(crate) fn dial(client: WebSocketClient, endpoint: ClientEndpoint, size: usize) -> Dial {
    let message: Rc<[u8]> = (0..size).map(|at| (at % 251) as u8).collect();
    Box::new(move |reactor, load, lane| {
        let handler = SocketClient {
            load: load.clone(),
            lane: lane.clone(),
            message: message.clone(),
            reactor: reactor.downgrade(),
            wire: None,
            trouble: None,
        };
        let client = client
            .clone()
            .timeout(load.timeout())
            .connect_config(ConnectConfig::default().timeout(load.timeout()));
        let (load, lane) = (load.clone(), lane.clone());
        client.connect_to(reactor, &endpoint, handler).then(move |reactor, opened| {
            if let Err(error) = opened {
                load.not_connected(reactor, &lane, error.to_string());
            }
        });
    })
}

impl SocketClient {
    fn is_current(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| self.lane.is_on(wire))
    }

    fn received(&mut self, socket: &WebSocket, data: &[u8], is_binary: bool) {
        let Some(reactor) = self.reactor.upgrade().filter(|_| self.is_current()) else { return };
        self.load.received(data.len());
        if self.lane.is_idle() {
            self.load.unasked();
            self.trouble = Some(Trouble::Unasked);
        } else if !is_binary || data != &*self.message {
            self.trouble = Some(Trouble::Wrong("another message than was sent".into()));
        } else {
            return self.load.answered(&reactor, &self.lane, None);
        }
        socket.close_now(CloseReason::from(CloseCode::NORMAL));
        self.over(&reactor, "closed");
    }

    /// The requests that are left will have no answer.
    fn over(&mut self, reactor: &Reactor, why: &str) {
        if self.is_current() {
            let unanswered = self.lane.disconnected();
            let trouble = self.trouble.take().unwrap_or_else(|| Trouble::Lost(why.to_owned()));
            self.load.lost(reactor, &self.lane, unanswered, &trouble);
        }
    }
}

impl WebSocketHandler for SocketClient {
    fn opened(&mut self, socket: &WebSocket) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let wire = SocketWire { socket: socket.clone(), message: self.message.clone() };
        let wire: Rc<dyn Wire> = Rc::new(wire);
        self.wire = Some(wire.clone());
        self.lane.connect(wire);
        self.load.connected(&reactor, &self.lane);
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        self.received(socket, text.as_bytes(), false);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        self.received(socket, data, true);
    }

    fn closed(&mut self, reason: &CloseReason) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.over(&reactor, &format!("closed with code {}", reason.code.number()));
        }
    }
}
