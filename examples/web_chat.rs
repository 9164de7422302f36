//! A chat room with WebSockets, and a page for it: open <http://127.0.0.1:8000/> in several windows.

mod cli;

use std::{cell::RefCell, process::ExitCode, rc::Rc};

use clap::Parser;
use cli::ServerArgs;
use sinew::http::{
    server::{HttpServer, Request, Response, Router, answer},
    websocket::{
        CloseReason, DeflateConfig, MessageLimits, Overflow, PreparedMessage, WebSocket,
        WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};

/// A chat room with WebSockets
#[derive(Parser, Debug)]
struct Args {
    /// Bytes that may wait for a slow member before it is disconnected
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024)]
    backlog: usize,

    #[command(flatten)]
    server: ServerArgs,
}

/// The members of the room.
type Room = Rc<RefCell<Vec<WebSocket>>>;

struct Member {
    name: String,
    room: Room,
    socket: Option<WebSocket>,
}

impl Member {
    fn new(request: &Request, room: &Room) -> Self {
        let name = request.query_value("name").unwrap_or_default();
        let name: String = name.chars().filter(|char| !char.is_control()).take(20).collect();
        let name = if name.is_empty() { "somebody".to_owned() } else { name };
        Self { name, room: room.clone(), socket: None }
    }

    /// The message is encoded and compressed once, however many members there are.
    fn tell_all(&self, line: &str) {
        let message = PreparedMessage::text(line);
        for member in &*self.room.borrow() {
            member.send(&message);
        }
    }
}

impl WebSocketHandler for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.socket = Some(socket.clone());
        self.room.borrow_mut().push(socket.clone());
        let members = self.room.borrow().len();
        self.tell_all(&format!("* {} has joined; {members} in the room", self.name));
    }

    fn text(&mut self, _: &WebSocket, text: &str) {
        self.tell_all(&format!("{}: {text}", self.name));
    }

    fn closed(&mut self, _: &CloseReason) {
        self.room.borrow_mut().retain(|member| Some(member) != self.socket.as_ref());
        self.tell_all(&format!("* {} has left", self.name));
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let room = Room::default();
        let config = WebSocketConfig::default()
            .messages(MessageLimits::default().message_max(4 * 1024))
            .queue_max(args.backlog, Overflow::Disconnect)
            .deflate(DeflateConfig::default());
        let upgrade = WebSocketUpgrade::new(move |request: &Request| Member::new(request, &room));
        let router = Router::new()
            .get("/", answer(|_| Response::html(include_str!("pages/chat.html"))))
            .get("/chat", upgrade.config(config));
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
