//! The program that is looked into: an echo server with a status socket, on a thread.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use sinew::{application::inspect, prelude::*, reactor::Remote};

use crate::watchdog::watch_this_test;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

pub(crate) struct Program {
    folder: PathBuf,
    echo: SocketAddr,
    remote: Remote,
    thread: Option<thread::JoinHandle<()>>,
}

impl Program {
    pub(crate) fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        watch_this_test();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("sinew-top-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let endpoint = format!("unix:{}", folder.join("status.sock").display());
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            let builder = Reactor::builder().inspection(true).stop_signals(false);
            let reactor = builder.build().expect("a reactor");
            let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Echo).expect("a port");
            let endpoint = endpoint.parse().expect("an endpoint");
            inspect::serve_status(&reactor, &endpoint).expect("a status socket");
            sender.send((port.local(), reactor.remote())).expect("the test waits");
            reactor.run().expect("it runs");
        });
        let (echo, remote) = receiver.recv().expect("it starts");
        Self { folder, echo, remote, thread: Some(thread) }
    }

    /// For `--at`.
    pub(crate) fn at(&self) -> String {
        format!("unix:{}", self.folder.join("status.sock").display())
    }

    /// A file of the test's own folder, for a script.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    pub(crate) fn echo(&self) -> SocketAddr {
        self.echo
    }

    /// A client that has had an answer of this many bytes.
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
        let _ = std::fs::remove_dir_all(&self.folder);
        if !thread::panicking() {
            assert!(!matches!(ended, Some(Err(_))), "the reactor's thread panicked");
        }
    }
}
