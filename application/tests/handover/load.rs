//! Clients: short requests and long connections over TCP and Unix sockets, datagrams, and people in a room. None may be refused or cut, and no
//! byte may be lost.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use super::server::Server;

const LONG: usize = 20;

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    short: AtomicU64,
    unix: AtomicU64,
    long: AtomicU64,
    datagrams: AtomicU64,
}

/// Load until it is stopped. A thread panics if anything is lost.
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What was done.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "printed")]
pub(super) struct Counts {
    short: u64,
    unix: u64,
    long: u64,
    datagrams: u64,
}

impl Load {
    pub(super) fn start(server: &Server) -> Self {
        let (addr, udp, unix) = (server.addr, server.udp, server.unix());
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        let mut spawn = |work: Box<dyn Fn(&Shared) + Send>| {
            let shared = shared.clone();
            threads.push(thread::spawn(move || work(&shared)));
        };
        for _ in 0..2 {
            spawn(Box::new(move |shared| {
                repeat(shared, &shared.short, || short_request(addr));
            }));
        }
        spawn(Box::new(move |shared| repeat(shared, &shared.unix, || unix_request(&unix))));
        spawn(Box::new(move |shared| {
            let mut connections: Vec<_> =
                (0..LONG).map(|_| TcpStream::connect(addr).unwrap()).collect();
            let mut round = 0_u64;
            repeat(shared, &shared.long, || {
                round += 1;
                let connection = &mut connections[round as usize % LONG];
                exchange(connection, &round.to_be_bytes().repeat(32));
            });
            connections.iter_mut().for_each(finish);
        }));
        spawn(Box::new(move |shared| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(udp).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let mut round = 0_u64;
            repeat(shared, &shared.datagrams, || {
                round += 1;
                socket.send(&round.to_be_bytes()).unwrap();
                let mut answer = [0; 16];
                assert_eq!(socket.recv(&mut answer).expect("a datagram was lost"), 8);
                assert_eq!(answer[..8], round.to_be_bytes());
            });
        }));
        Self { shared, threads }
    }

    /// Waits until each kind of client has done some more.
    pub(super) fn wait_for_more(&self) {
        let shared = &self.shared;
        let kinds = [&shared.short, &shared.unix, &shared.long, &shared.datagrams];
        let before = kinds.map(|count| count.load(Ordering::SeqCst));
        while kinds.iter().zip(before).any(|(now, before)| now.load(Ordering::SeqCst) < before + 30)
        {
            assert!(
                !self.threads.iter().any(JoinHandle::is_finished),
                "a client has lost something"
            );
            thread::yield_now();
        }
    }

    pub(super) fn stop(self) -> Counts {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("a client has lost something");
        }
        let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let shared = &self.shared;
        Counts {
            short: count(&shared.short),
            unix: count(&shared.unix),
            long: count(&shared.long),
            datagrams: count(&shared.datagrams),
        }
    }
}

fn repeat(shared: &Shared, count: &AtomicU64, mut f: impl FnMut()) {
    while !shared.stop.load(Ordering::SeqCst) {
        f();
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sends some bytes and receives the same.
fn exchange(connection: &mut (impl Read + Write), data: &[u8]) {
    connection.write_all(data).expect("a connection was cut");
    let mut answer = vec![0; data.len()];
    connection.read_exact(&mut answer).expect("a connection was cut");
    assert!(answer == data, "other bytes came back");
}

/// Ends the connection, and sees that nothing else comes.
fn finish(connection: &mut TcpStream) {
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).expect("a connection was cut");
    assert!(rest.is_empty());
}

pub(super) fn short_request(addr: SocketAddr) {
    let mut connection = TcpStream::connect(addr).expect("a connection was refused");
    exchange(&mut connection, b"a short request");
    finish(&mut connection);
}

fn unix_request(path: &Path) {
    let mut connection = UnixStream::connect(path).expect("a connection was refused");
    exchange(&mut connection, b"a short request");
}

/// People in the room of the server.
pub(super) struct Room {
    people: Vec<BufReader<TcpStream>>,
}

impl Room {
    pub(super) fn enter(addr: SocketAddr, count: usize) -> Self {
        let enter = |number| {
            let mut connection = TcpStream::connect(addr).unwrap();
            connection.set_nodelay(true).unwrap();
            connection.write_all(format!("guest{number}\n").as_bytes()).unwrap();
            let mut person = BufReader::with_capacity(256, connection);
            assert_eq!(line(&mut person), "welcome");
            person
        };
        Self { people: (0..count).map(enter).collect() }
    }

    /// One says something, and all hear it: so all are there, and the speaker has its name.
    pub(super) fn everybody_hears(&mut self, text: &str) {
        let speaker = self.people.len() / 2;
        let said = format!("{text}\n");
        self.people[speaker].get_mut().write_all(said.as_bytes()).unwrap();
        let expected = format!("guest{speaker}: {text}");
        for person in &mut self.people {
            assert_eq!(line(person), expected);
        }
    }

    pub(super) fn begin_line(&mut self, person: usize, text: &str) {
        self.people[person].get_mut().write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn end_line(&mut self, person: usize, text: &str) {
        let rest = format!("{text}\n");
        self.people[person].get_mut().write_all(rest.as_bytes()).unwrap();
        let expected = format!("guest{person}: half of a line");
        for other in &mut self.people {
            assert_eq!(line(other), expected);
        }
    }

    pub(super) fn leave(self) {
        for mut person in self.people {
            finish(person.get_mut());
        }
    }
}

fn line(person: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    person.read_line(&mut line).expect("somebody was thrown out");
    line.trim_end().to_owned()
}
