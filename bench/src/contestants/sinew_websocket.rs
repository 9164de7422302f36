//! A server of WebSocket as a user of sinew would write it: messages are echoed, or with `--broadcast` sent to all others.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use bench::convention::{GREETING, Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::http::server::{HttpServer, Request};
use sinew::http::websocket::{
    CloseReason, PreparedMessage, WebSocket, WebSocketHandler, WebSocketUpgrade,
};
use sinew::prelude::*;

/// Echoes WebSocket messages, or sends them to all others
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,

    /// Send each message to all other connections
    #[arg(long)]
    broadcast: bool,
}

struct Echo;

impl WebSocketHandler for Echo {
    fn text(&mut self, socket: &WebSocket, text: &str) {
        socket.send_text(text);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

#[derive(Default)]
struct Member {
    room: Rc<RefCell<Vec<WebSocket>>>,
    socket: Option<WebSocket>,
}

impl WebSocketHandler for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.socket = Some(socket.clone());
        self.room.borrow_mut().push(socket.clone());
        socket.send_binary([GREETING]);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        let message = PreparedMessage::binary(data);
        for other in self.room.borrow().iter().filter(|other| *other != socket) {
            other.send(&message);
        }
    }

    fn closed(&mut self, _: &CloseReason) {
        self.room.borrow_mut().retain(|other| Some(other) != self.socket.as_ref());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let config = ListenConfig::default().backlog(Listen::backlog());
    let addr = args.listen.listen;
    let port = if args.broadcast {
        let room = Rc::default();
        let member = move |_: &Request| Member { room: Rc::clone(&room), socket: None };
        let server = HttpServer::new(WebSocketUpgrade::new(member));
        reactor.listen_tcp_with(addr, config, server)?
    } else {
        let server = HttpServer::new(WebSocketUpgrade::new(|_: &Request| Echo));
        reactor.listen_tcp_with(addr, config, server)?
    };
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
