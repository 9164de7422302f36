//! A program that is looked into, on a thread of its own, and a client of one request.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    sync::mpsc,
    thread,
};

use sinew_application::inspect;
use sinew_reactor::{Reactor, Remote};
use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};

use crate::watchdog::Watchdog;

/// Sends back what it receives.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// A reactor on a thread, with an echo server and a status socket.
pub(crate) struct Program {
    pub(crate) echo: SocketAddr,
    pub(crate) socket: PathBuf,
    remote: Remote,
    thread: Option<thread::JoinHandle<()>>,
    _watchdog: Watchdog,
}

/// A folder for the sockets of one test.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("sinew-look-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

impl Program {
    /// `more` is called on the reactor's thread before it runs.
    pub(crate) fn start(inspection: bool, more: impl FnOnce(&Reactor) + Send + 'static) -> Self {
        let socket = folder().join("status.sock");
        let endpoint = format!("unix:{}", socket.display());
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let builder = Reactor::builder().inspection(inspection).stop_signals(false);
            let reactor = builder.build().expect("a reactor");
            let echo = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Echo).expect("a port");
            let endpoint = endpoint.parse().expect("an endpoint");
            inspect::serve_status(&reactor, &endpoint).expect("a status socket");
            more(&reactor);
            sender.send((echo.local(), reactor.remote())).expect("the test waits");
            reactor.run().expect("it runs");
        });
        let (echo, remote) = receiver.recv().expect("the reactor starts");
        Self {
            echo,
            socket,
            remote,
            thread: Some(thread),
            _watchdog: Watchdog::new("a look inside"),
        }
    }

    /// One request to the status socket.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Answer {
        let stream = UnixStream::connect(&self.socket).expect("the socket is there");
        ask(stream, method, path, "Host: localhost\r\n")
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.ask("GET", path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("valid JSON")
    }

    /// A client of the echo server, which has had an answer of this many bytes.
    pub(crate) fn client(&self, bytes: usize) -> TcpStream {
        let mut client = TcpStream::connect(self.echo).expect("it listens");
        let mut answer = vec![0; bytes];
        client.write_all(&vec![b'x'; bytes]).expect("it is open");
        client.read_exact(&mut answer).expect("it answers");
        client
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.remote.stop();
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if let (Some(Err(_)), false) = (ended, thread::panicking()) {
            panic!("the reactor's thread panicked");
        }
        if let Some(folder) = self.socket.parent() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One request on a connection of its own. `fields` end in CR LF each.
pub(crate) fn ask(mut stream: impl Read + Write, method: &str, path: &str, fields: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer of text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn ask_tcp(at: SocketAddr, method: &str, path: &str, fields: &str) -> Answer {
    ask(TcpStream::connect(at).expect("it listens"), method, path, fields)
}
