//! WebSockets with other implementations, at both ends, with and without compression: Python's `websockets` and Node's `ws`. Skipped,
//! aloud, where they are missing; `.ci/peers` installs them.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use sinew_http::{
    server::{HttpServer, Request},
    websocket::{
        CloseCode, DeflateConfig, MessageLimits, ReceivedMessage, WebSocket, WebSocketClient,
        WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew_transports::{ReactorTcp, reactor::Reactor};

/// Another implementation: how its programs are run.
struct Other {
    program: PathBuf,
    suffix: &'static str,
    /// Where Node finds packages.
    modules: PathBuf,
}

impl Other {
    /// Python with `websockets`: of `.ci/peers`, of the path, or of the system.
    fn python() -> Option<Self> {
        let own = target().join("peers/python/bin/python3");
        let programs = [own, "python3".into(), "/usr/bin/python3".into()];
        programs
            .into_iter()
            .map(|program| Self::new(program, "py"))
            .find(|other| other.runs(&["-c", "import websockets"]))
            .or_else(|| skipped("Python with the package websockets"))
    }

    /// Node with `ws`.
    fn node() -> Option<Self> {
        let node = Self::new("node".into(), "js");
        if node.runs(&["-e", "require('ws')"]) {
            Some(node)
        } else {
            skipped("Node with the package ws")
        }
    }

    fn new(program: PathBuf, suffix: &'static str) -> Self {
        Self { program, suffix, modules: target().join("peers/node/node_modules") }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("NODE_PATH", &self.modules).stdin(Stdio::null());
        command
    }

    fn runs(&self, args: &[&str]) -> bool {
        let run = self.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    }

    /// A program of the folder `interop`.
    fn program(&self, name: &str, args: &[&str]) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/websocket/interop");
        let mut command = self.command();
        command.arg(folder.join(name).with_extension(self.suffix)).args(args);
        command
    }
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder").into()
}

fn skipped(what: &str) -> Option<Other> {
    println!("skipped: {what} is not installed; .ci/peers installs it");
    None
}

/// Killed on drop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

/// Our ways to compress, and how the other end is told.
fn configs() -> [(WebSocketConfig, &'static str); 4] {
    let takeover = DeflateConfig::default()
        .send_context_takeover(true)
        .receive_context_takeover(true)
        .compress_from(0);
    let small = takeover.clone().send_window_bits(9).receive_window_bits(10);
    let config = |deflate: Option<DeflateConfig>| {
        let limits = MessageLimits::default().message_max(1 << 24);
        WebSocketConfig::default().messages(limits).deflate(deflate)
    };
    [
        (config(None), "plain"),
        (config(Some(DeflateConfig::default())), "deflate"),
        (config(Some(takeover)), "deflate"),
        (config(Some(small)), "deflate"),
    ]
}

/// Its client against our server.
fn their_client(other: &Other) {
    for (number, (config, mode)) in configs().into_iter().enumerate() {
        let (ready, listening) = mpsc::channel();
        let server = std::thread::spawn(move || {
            let reactor = Reactor::new().unwrap();
            let upgrade = WebSocketUpgrade::new(|_: &Request| Echo).config(config).protocol("a");
            let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(upgrade)).unwrap();
            ready.send((reactor.remote(), port.local())).unwrap();
            reactor.run().unwrap();
        });
        let (remote, addr) = listening.recv().unwrap();
        let output = other.program("client", &[&format!("ws://{addr}/"), mode]).output().unwrap();
        remote
            .call(|reactor| {
                let _ = reactor.stop();
            })
            .unwrap();
        server.join().unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.starts_with("ok"), "{number}: {out}{error}");
        assert_eq!(out.to_lowercase().contains("deflate"), mode == "deflate", "{number}: {out}");
    }
}

/// Its server against our client.
fn their_server(other: &Other) {
    for (number, (config, mode)) in configs().into_iter().enumerate() {
        let mut command = other.program("server", &[mode]);
        let mut server = Running(command.stdout(Stdio::piped()).spawn().unwrap());
        let mut port = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("ws://127.0.0.1:{}/", port.trim());
        let client = WebSocketClient::new(&url).unwrap().protocol("a").config(config);
        let reactor = Reactor::new().unwrap();
        let handle = reactor.clone();
        let run = async move {
            let stream = client.open(&handle).await.unwrap();
            assert_eq!(stream.socket().unwrap().protocol(), Some("a"));
            for size in [0, 1, 125, 126, 1_000, 65_535, 65_536, 300_000_usize] {
                let text = ReceivedMessage::Text("\u{20ac}".repeat(size / 3));
                let noise = (0..size).map(|n| (n * n >> 3) as u8).collect();
                for message in [text, ReceivedMessage::Binary(noise)] {
                    stream.send(message.clone()).await.unwrap();
                    assert!(stream.recv().await.unwrap() == message, "{number}: {size}");
                }
            }
            for number in 0..200 {
                stream.send(format!("message {number}")).await.unwrap();
            }
            for number in 0..200 {
                assert_eq!(stream.recv().await, Some(format!("message {number}").into()));
            }
            stream.close(CloseCode::NORMAL);
            assert_eq!(stream.recv().await, None);
            stream.closed().unwrap()
        };
        assert_eq!(reactor.run_until(run).unwrap().code, CloseCode::NORMAL, "{number}");
    }
}

#[test]
fn python_websockets() {
    crate::watchdog::watch_this_test();
    if let Some(python) = Other::python() {
        their_client(&python);
        their_server(&python);
    }
}

#[test]
fn node_ws() {
    crate::watchdog::watch_this_test();
    if let Some(node) = Other::node() {
        their_client(&node);
        their_server(&node);
    }
}
