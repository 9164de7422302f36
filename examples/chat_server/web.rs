//! The door for browsers: a page, and plain text by WebSocket.

use std::rc::Rc;

use sinew::http::{
    server::{HttpServer, Request, Response, Router, answer},
    websocket::{
        CloseReason, MessageLimits, Overflow, PreparedMessage, SendStatus, WebSocket,
        WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew::prelude::*;
use sinew::transports::{
    endpoint::ServerEndpoint,
    reactors::{Reactors, Shard},
};

use super::{
    door::{Door, Language},
    event::Event,
    ports,
    room::{Building, Room, Talker},
    talk::{self, Talk},
};

pub(crate) fn open(
    reactors: Reactors,
    endpoint: ServerEndpoint,
    building: &Building,
) -> Result<Reactors, &'static str> {
    let building = building.clone();
    Ok(reactors.listen_with(endpoint, ports::config(), move |shard: &Shard| {
        HttpServer::new(site(Door::open(Room::of(shard, &building))))
    }))
}

fn site(door: Rc<Door<Web>>) -> Router {
    let config = WebSocketConfig::default()
        .messages(MessageLimits::default().message_max(1024))
        .queue_max(ports::UNREAD_MAX, Overflow::Disconnect);
    let upgrade = WebSocketUpgrade::new(move |_: &Request| Guest(Talk::new(door.clone())));
    Router::new()
        .get("/", answer(|_| Response::html(include_str!("page.html"))))
        .get("/chat", upgrade.config(config))
}

/// Messages of text.
struct Web;

impl Language for Web {
    type Guest = WebSocket;
    type Encoded = PreparedMessage;

    fn encode(event: &Event) -> PreparedMessage {
        PreparedMessage::text(&talk::line(event))
    }

    fn send(guest: &WebSocket, message: &PreparedMessage) -> bool {
        guest.send(message) == SendStatus::Full
    }
}

impl Talker for WebSocket {
    fn reactor(&self) -> Option<Reactor> {
        Self::reactor(self)
    }

    fn pause_reading(&self) {
        Self::pause_reading(self);
    }

    fn resume_reading(&self) {
        Self::resume_reading(self);
    }
}

struct Guest(Talk<Web>);

impl WebSocketHandler for Guest {
    fn opened(&mut self, socket: &WebSocket) {
        socket.send_text(talk::QUESTION);
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        if let Some(answer) = self.0.heard(socket, text.as_bytes()) {
            socket.send_text(&answer);
        }
    }

    fn closed(&mut self, reason: &CloseReason) {
        self.0.lost(if reason.text.is_empty() { "closed by the peer" } else { &reason.text });
    }
}
