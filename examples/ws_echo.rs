//! Echoes WebSocket messages at `/`, and serves a page at `/page` that shows it.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::ServerArgs;
use sinew::http::{
    server::{HttpServer, Response, Router, answer},
    websocket::{
        CloseCode, DeflateConfig, MessageLimits, WebSocket, WebSocketConfig, WebSocketHandler,
        WebSocketUpgrade,
    },
};

/// Echoes WebSocket messages
#[derive(Parser, Debug)]
struct Args {
    /// Longest message that is accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_message: usize,

    /// Compress messages, if the client does, too
    #[arg(long)]
    deflate: bool,

    #[command(flatten)]
    server: ServerArgs,
}

/// A client that does not receive is not read from: while messages wait to be sent, no more are received.
struct Echo;

impl WebSocketHandler for Echo {
    fn text(&mut self, socket: &WebSocket, text: &str) {
        if text == "quit" {
            return socket.close(CloseCode::NORMAL);
        }
        socket.send_text(text);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let limits = MessageLimits::default().message_max(args.max_message);
        let takeover =
            || DeflateConfig::default().send_context_takeover(true).receive_context_takeover(true);
        let config =
            WebSocketConfig::default().messages(limits).deflate(args.deflate.then(takeover));
        let router = Router::new()
            .get("/", WebSocketUpgrade::new(|_| Echo).config(config))
            .get("/page", answer(|_| Response::html(include_str!("pages/echo.html"))));
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
