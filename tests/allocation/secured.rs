//! Idle TLS connections: they cost the session's memory, and no plaintext or ciphertext buffers. Clients run on a
//! separate thread, whose allocations are not counted here.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use sinew::{prelude::*, transports::tls::ReactorTls};

use super::sys::held;
use crate::support::{Echo, Link, TestConnection, Watchdog, World, certs, sockets::any_port};

const CONNECTIONS: usize = 50;

/// Maximum memory of a connection in all, with the session of rustls, which takes most of it: 1,120 bytes for the keys of both directions,
/// and 2,200 besides.
const BYTES_MAX: i64 = 3_700;

/// More than a record, and more than one read.
const LEN: usize = 100_000;

/// Commands for the clients: connect this many more, or send this much each.
enum Order {
    Connect(usize),
    Say(usize),
}

/// Clients that execute commands, and report when done.
struct Clients {
    orders: Option<Sender<Order>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Clients {
    fn of(addr: SocketAddr) -> Self {
        let (orders, callbacks) = channel();
        let (sender, done) = channel();
        let thread = thread::spawn(move || {
            let config = Arc::new(certs::remote_client_config(None));
            let mut all = Vec::new();
            for order in callbacks {
                match order {
                    Order::Connect(count) => all.extend((0..count).map(|_| {
                        let name = ServerName::try_from("localhost").unwrap();
                        let session = ClientConnection::new(config.clone(), name).unwrap();
                        let mut client =
                            StreamOwned::new(session, TcpStream::connect(addr).unwrap());
                        client.write_all(b"x").unwrap();
                        client.read_exact(&mut [0]).unwrap();
                        client
                    })),
                    Order::Say(len) => {
                        let (mut piece, said) = ([0; 10_000], [7; 10_000]);
                        for client in &mut all {
                            for _ in 0..len / said.len() {
                                client.write_all(&said).unwrap();
                            }
                            for _ in 0..len / piece.len() {
                                client.read_exact(&mut piece).unwrap();
                                assert_eq!(piece, said);
                            }
                        }
                    }
                }
                sender.send(()).unwrap();
            }
        });
        Self { orders: Some(orders), done, thread: Some(thread) }
    }

    fn order(&self, world: &World, order: Order) {
        self.orders.as_ref().expect("until it is dropped").send(order).unwrap();
        world.until("the clients", || self.done.try_recv().is_ok());
        world.settle();
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.orders.take();
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn an_idle_connection_with_tls_keeps_no_buffer() {
    for engine in Engine::available().filter(|engine| [Engine::Mio, Engine::Uring].contains(engine))
    {
        let _watchdog = Watchdog::new(format!("idle connections with TLS on {engine}"));
        let world = World::new(engine, Link::Accepted);
        // Session tickets are stored elsewhere, for all connections together.
        let tls = certs::server().resumption(false);
        let port = world.reactor().listen_tls(any_port(), &tls, |_: &Peer| Echo).unwrap();
        let clients = Clients::of(port.local());
        // The first half grows everything that does not shrink.
        clients.order(&world, Order::Connect(CONNECTIONS));
        clients.order(&world, Order::Say(LEN));
        let before = held();
        clients.order(&world, Order::Connect(CONNECTIONS));
        let made = held();
        clients.order(&world, Order::Say(LEN));
        let idle = held();
        assert_eq!(port.connections(), 2 * CONNECTIONS);
        let each = (made - before) / CONNECTIONS as i64;
        println!("{each} bytes for each idle connection with TLS on {engine}");
        assert!(each <= BYTES_MAX, "{each} bytes for each idle connection on {engine}");
        // The smallest buffer for a record would be 16 KiB each.
        let more = (idle - made) / (2 * CONNECTIONS) as i64;
        assert!(more.abs() <= 64, "{more} bytes more for each that has talked, on {engine}");
    }
}

/// A partial record is kept until it is complete, and no longer.
#[test]
fn a_partial_record_is_freed_once_complete() {
    const LINES: i64 = 20;
    let _watchdog = Watchdog::new("records in halves");
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    let mut lines: Vec<_> = (0..LINES).map(|_| world.join(Echo)).collect();
    // The remote ends prepare their records before counting starts, since they run on this thread, too.
    let mut records = Vec::new();
    for _ in 0..2 {
        for line in &mut lines {
            let session = &mut line.remote.as_secured().expect("it speaks TLS").session;
            session.writer().write_all(&[1; 10_000]).unwrap();
            let mut record = Vec::new();
            session.write_tls(&mut record).unwrap();
            records.push(record);
        }
    }
    let say = |lines: &mut [TestConnection], records: &[Vec<u8>], part: fn(&[u8]) -> &[u8]| {
        for (line, record) in lines.iter_mut().zip(records) {
            let remote = line.remote.as_secured().expect("it speaks TLS");
            remote.socket.write_all(part(record)).unwrap();
        }
    };
    let (first, second) = records.split_at(lines.len());
    let callbacks = |lines: &[TestConnection], len: usize| {
        lines.iter().all(|line| line.trace.data().len() == len)
    };
    // The first time, everything shared grows to its final size.
    let mut idle = held();
    for (round, records) in [(1, first), (2, second)] {
        say(&mut lines, records, |record| &record[..5_000]);
        world.until("halves", || held() - idle >= LINES * 5_000);
        say(&mut lines, records, |record| &record[5_000..]);
        world.until("the other halves", || callbacks(&lines, round * 10_000));
        let kept = held() - idle;
        idle = held();
        println!("round {round}: {kept} bytes kept by {LINES} connections and their traces");
        // The traces keep the received data.
        assert!(round == 1 || kept < LINES * 11_000, "{kept} bytes kept");
    }
}
