//! The door for browsers: a page, and plain text by WebSocket.

use std::rc::Rc;

use sinew::http::{
    server::{Request, Response, Router, answer},
    websocket::{
        CloseCode, CloseReason, MessageLimits, Overflow, PreparedMessage, SendStatus, WebSocket,
        WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew::prelude::*;

use super::{
    door::{Door, Language},
    event::Event,
    room::Talker,
    talk::{self, Talk},
};

/// The page, and the room behind it.
pub(crate) fn site(door: Rc<Door<Web>>) -> Router {
    let config = WebSocketConfig::default()
        .messages(MessageLimits::default().message_max(1024))
        .queue_max(door.rules().unread_max, Overflow::Disconnect);
    let upgrade = WebSocketUpgrade::new(move |_: &Request| Guest(Talk::new(door.clone())));
    Router::new()
        .get("/", answer(|_| Response::html(include_str!("page.html"))))
        .get("/chat", upgrade.config(config))
}

/// Messages of text.
pub(crate) struct Web;

impl Language for Web {
    type Guest = WebSocket;
    type Encoded = PreparedMessage;

    fn encode(event: &Event) -> PreparedMessage {
        PreparedMessage::text(&talk::line(event))
    }

    fn send(guest: &WebSocket, message: &PreparedMessage) -> bool {
        guest.send(message) == SendStatus::Full
    }

    fn dismiss(guest: &WebSocket, why: &str) {
        guest.send_text(why);
        guest.close(CloseCode::NORMAL);
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
        if let Some(told) = self.0.begin(socket) {
            socket.send_text(told);
        }
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        for answer in self.0.heard(socket, text.as_bytes()) {
            socket.send_text(&answer);
        }
    }

    fn closed(&mut self, reason: &CloseReason) {
        self.0.lost(if reason.text.is_empty() { "closed by the peer" } else { &reason.text });
    }
}
