//! Tells pages the time, by server-sent events.
//!
//! ```text
//! $ curl --no-buffer http://127.0.0.1:8000/events
//! data: 1
//!
//! data: 2
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use cli::ServerArgs;
use sinew::{
    http::server::{Event, EventStream, HttpServer, Reply, Request, Response, Router, answer},
    transports::WriteStatus,
};

const PAGE: &str = "<!doctype html>\n<title>Clock</title>\n<p>Seconds since you came: <b id=seconds>0</b>\n<script>\n\
    const seconds = document.getElementById('seconds');\n\
    new EventSource('/events').onmessage = event => seconds.textContent = event.data;\n</script>\n";

/// An event a second, for as long as the page looks.
fn events(request: Request, reply: Reply) {
    let (stream, response) = EventStream::new();
    reply.send(response);
    let mut seconds = 0_u64;
    let ticks = request.reactor().call_every(Duration::from_secs(1), move |_| {
        seconds += 1;
        // A page that does not take what is sent misses some.
        if stream.send(&Event::new(seconds.to_string())) == WriteStatus::AboveHighWatermark {
            tracing::warn!("a page is slow");
        }
    });
    request.on_disconnect(move |_| {
        ticks.stop();
    });
}

fn main() -> ExitCode {
    cli::main_about("Tells pages the time, by server-sent events", |args: ServerArgs| {
        let router =
            Router::new().get("/", answer(|_| Response::html(PAGE))).get("/events", events);
        let reactor = args.reactor()?;
        let port = args.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
