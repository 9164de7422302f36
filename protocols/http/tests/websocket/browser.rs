//! A browser as client, headless Chromium: a page with `fetch`, `EventSource` and `WebSocket`. Skipped, aloud, where it is missing.

use std::{
    cell::RefCell,
    path::PathBuf,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use sinew_http::{
    StatusCode,
    server::{
        Event, EventStream, HttpServer, Reply, Request, Response, Router, answer, answer_async,
    },
    websocket::{
        CloseCode, CloseReason, DeflateConfig, WebSocket, WebSocketConfig, WebSocketHandler,
        WebSocketUpgrade,
    },
};
use sinew_transports::{
    ReactorTcp,
    reactor::{Promise, Reactor},
};

/// Killed on drop, with its profile.
struct Browser(Child, PathBuf);

impl Browser {
    /// `None`, aloud, if there is none.
    fn open(url: &str) -> Option<Self> {
        let profile = std::env::temp_dir().join(format!("sinew-browser-{}", std::process::id()));
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--remote-debugging-port=0",
        ];
        for program in ["chromium", "chromium-browser", "google-chrome"] {
            let mut command = Command::new(program);
            command.args(flags).arg(format!("--user-data-dir={}", profile.display())).arg(url);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if let Ok(child) = command.spawn() {
                return Some(Self(child, profile));
            }
        }
        println!("skipped: Chromium is not installed");
        None
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

struct Echo;

impl WebSocketHandler for Echo {
    fn text(&mut self, socket: &WebSocket, text: &str) {
        if text == "close" {
            return socket.close(CloseReason::new(CloseCode::NORMAL, "as you wish"));
        }
        socket.send_text(text);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

fn events(request: Request, reply: Reply) {
    let (stream, response) = EventStream::new();
    reply.send(response);
    let mut number = 0;
    let ticks = request.reactor().call_every(Duration::from_millis(10), move |_| {
        number += 1;
        let event = Event::new(format!("t{number}")).name("tick").unwrap();
        stream.send(&event.id(number.to_string()).unwrap());
    });
    request.on_disconnect(move |_| {
        ticks.stop();
    });
}

async fn echo(request: Request) -> Response {
    match request.collect().await {
        Ok(body) => Response::text(body),
        Err(error) => Response::new(error.status()),
    }
}

fn router(result: Promise<String>) -> Router {
    let takeover = DeflateConfig::default()
        .send_context_takeover(true)
        .receive_context_takeover(true)
        .send_window_bits(12);
    let config = WebSocketConfig::default().deflate(takeover);
    let result = Rc::new(RefCell::new(Some(result)));
    Router::new()
        .get("/", answer(|_| Response::html(include_str!("browser.html"))))
        .get("/hello", answer(|_| "hello"))
        .get("/events", events)
        .get("/socket", WebSocketUpgrade::new(|_| Echo).config(config).protocol("chat"))
        .post("/echo", answer_async(echo))
        .post(
            "/result",
            answer_async(move |request: Request| {
                let result = Rc::clone(&result);
                async move {
                    let text = request.collect().await.unwrap_or_default();
                    if let Some(promise) = result.take() {
                        promise.resolve(String::from_utf8_lossy(&text).into_owned());
                    }
                    StatusCode::NO_CONTENT
                }
            }),
        )
}

#[test]
fn a_page_in_chromium() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let (promise, result) = reactor.promise();
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(router(promise))).unwrap();
    let Some(_browser) = Browser::open(&format!("http://{}/", port.local())) else { return };
    let result = reactor.run_until(result).unwrap().unwrap();
    let expected = [
        "fetches: hello 100000",
        "events: 1t1 2t2 3t3",
        "sockets: 0, chat, permessage-deflate; server_max_window_bits=12, 1000 characters, 70000 bytes, \
         1000 as you wish true",
    ];
    assert_eq!(result.lines().collect::<Vec<_>>(), expected);
}
