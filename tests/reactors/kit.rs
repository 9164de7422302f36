//! The protocol of these tests, whose bytes are commands, and a blocking client of it.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use sinew::{
    prelude::*,
    transports::{
        Address,
        endpoint::ServerEndpoint,
        reactors::{Reactors, ReactorsHandle, Shard},
    },
};

use crate::watchdog;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each byte that it receives is a command.
///
/// | byte | what it does |
/// |---|---|
/// | `?` | answers with the digit of its reactor |
/// | a digit | moves the connection there; what follows goes along. If that is refused, answers with the reason and a line end |
/// | `b` | writes a megabyte |
/// | `f` | fails its reactor |
/// | `s` | stops its reactor |
/// | `p` | panics |
/// | `d` | answers with `d`, and stays open when it is drained, after a `D` |
pub(crate) struct Actor {
    shard: usize,
    unread: Vec<u8>,
    is_stubborn: bool,
}

/// What `b` writes.
pub(crate) const MUCH: usize = 1 << 20;

impl Actor {
    pub(crate) fn on(shard: usize) -> Self {
        Self { shard, unread: Vec::new(), is_stubborn: false }
    }

    fn shard(transport: &Transport) -> Shard {
        let reactor = transport.reactor().expect("it is in a callback of it");
        Shard::of(&reactor).expect("it is one of several")
    }
}

impl Protocol for Actor {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        for (at, command) in data.iter().enumerate() {
            match command {
                b'?' => {
                    transport.write(self.shard.to_string());
                }
                b'0'..=b'9' => match transport.send_to(usize::from(command - b'0')) {
                    Ok(()) => return self.unread = data[at + 1..].to_vec(),
                    Err(error) => {
                        transport.write(format!("{error}\n"));
                    }
                },
                b'b' => {
                    transport.write(vec![b'b'; MUCH]);
                }
                b'f' => Self::shard(transport).fail("it is broken"),
                b's' => Self::shard(transport).reactor().stop().expect("it runs"),
                b'p' => panic!("as it was told"),
                b'd' => {
                    self.is_stubborn = true;
                    transport.write("d");
                }
                other => panic!("unknown command {other}"),
            }
        }
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        std::mem::take(&mut self.unread).into()
    }

    fn drain_requested(&mut self, transport: &Transport) {
        if self.is_stubborn {
            transport.write("D");
        } else {
            transport.write("bye");
            transport.lose_connection();
        }
    }
}

/// Makes the factories of [`Actor`]s.
pub(crate) fn actors(shard: &Shard) -> impl Fn(&Peer) -> Actor + use<> {
    let index = shard.index();
    move |_| Actor::on(index)
}

/// Any port of this machine.
pub(crate) fn any_port() -> ServerEndpoint {
    "tcp:0:interface=127.0.0.1".parse().expect("an endpoint")
}

/// Reactors with actors on any port, that leave signals to the test harness.
pub(crate) fn serving(reactors: usize) -> Reactors {
    quiet(reactors).listen(any_port(), actors)
}

/// Reactors that leave signals to the test harness, under a watchdog.
pub(crate) fn quiet(reactors: usize) -> Reactors {
    watchdog::watch_this_test();
    Reactors::new(reactors).stop_signals(false)
}

pub(crate) fn only_address(handle: &ReactorsHandle) -> SocketAddr {
    match &*handle.addresses() {
        [Address::Inet(addr)] => *addr,
        other => panic!("{other:?}"),
    }
}

/// The connections of each reactor, from its statistics.
pub(crate) fn connections(handle: &ReactorsHandle) -> Vec<u64> {
    let stats = handle.stats().expect("they run");
    stats.each.iter().map(|stats| stats.map_or(0, |stats| stats.connections)).collect()
}

/// Asks again until this is how many connections each has.
pub(crate) fn wait_for_connections(handle: &ReactorsHandle, expected: &[u64]) {
    while connections(handle) != expected {
        std::thread::yield_now();
    }
}

/// A blocking client.
pub(crate) struct Client<S = TcpStream>(pub(super) S);

impl Client {
    pub(crate) fn of(handle: &ReactorsHandle) -> Self {
        Self::at(only_address(handle))
    }

    pub(crate) fn at(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self(stream)
    }
}

#[cfg(unix)]
impl Client<std::os::unix::net::UnixStream> {
    pub(crate) fn at_path(path: impl AsRef<std::path::Path>) -> Self {
        let stream = std::os::unix::net::UnixStream::connect(path).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, commands: impl AsRef<[u8]>) {
        self.0.write_all(commands.as_ref()).expect("the connection is open");
    }

    /// So many bytes, as text.
    pub(crate) fn take(&mut self, len: usize) -> String {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).expect("an answer");
        String::from_utf8(bytes).expect("text")
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        while !line.ends_with('\n') {
            line += &self.take(1);
        }
        line.trim_end().to_owned()
    }

    /// Which reactor answers.
    pub(crate) fn shard(&mut self) -> usize {
        self.send("?");
        self.take(1).parse().expect("a digit")
    }

    /// What is left, until the connection ends in one way or another.
    pub(crate) fn rest(mut self) -> String {
        let mut rest = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "it does not end");
        }
        String::from_utf8(rest).expect("text")
    }
}

/// A path for a socket that no other test uses.
#[cfg(unix)]
pub(crate) fn free_path() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sinew-reactors-{}-{number}.sock", std::process::id()))
}

/// The text of an error.
pub(crate) fn text<T, E: fmt::Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "it went well".to_owned(),
        Err(error) => error.to_string(),
    }
}
