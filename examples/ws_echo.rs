//! Sends back each WebSocket message, under `/`, and shows a page that tries it under `/page`.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::ServerArgs;
use sinew::http::{
    server::{HttpServer, Response, Router, answer},
    websocket::{
        CloseCode, MessageLimits, WebSocket, WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};

/// Sends back WebSocket messages
#[derive(Parser, Debug)]
struct Args {
    /// Longest message that is taken
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_message: usize,

    #[command(flatten)]
    server: ServerArgs,
}

const PAGE: &str = "<!doctype html>
<title>Echo</title>
<input id=\"text\" placeholder=\"Type, and press Enter\">
<pre id=\"log\"></pre>
<script>
    const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/page$/, ''));
    const log = (line) => { document.getElementById('log').textContent += line + '\\n'; };
    socket.onmessage = (event) => log(event.data);
    socket.onclose = (event) => log('closed: ' + event.code + ' ' + event.reason);
    document.getElementById('text').onchange = (event) => {
        socket.send(event.target.value);
        event.target.value = '';
    };
</script>
";

/// A client that does not read is not read from: over the high watermark, the connection takes no more messages.
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
        let config = WebSocketConfig::default().messages(limits);
        let router = Router::new()
            .get("/", WebSocketUpgrade::new(|_| Echo).config(config))
            .get("/page", answer(|_| Response::html(PAGE)));
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
