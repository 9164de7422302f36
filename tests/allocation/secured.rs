//! An idle connection with TLS: what it costs is the session's, and no buffer of ours is kept, neither for what is plain nor for
//! what is not. Clients live on a thread of their own, whose allocations are not counted here.

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
use crate::support::{Echo, Line, Link, Watchdog, World, certs, sockets::any_port};

const CONNECTIONS: usize = 50;

/// What a session may cost, ours and that of rustls; most of it is the latter's.
const BYTES_MAX: i64 = 12 << 10;

/// More than a record, and more than one read brings.
const LEN: usize = 100_000;

/// What the clients are told: to connect so many more, or to say so much, each of them.
enum Order {
    Connect(usize),
    Say(usize),
}

/// Clients that do as they are told, and say when they have.
struct Clients {
    orders: Option<Sender<Order>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Clients {
    fn of(addr: SocketAddr) -> Self {
        let (orders, told) = channel();
        let (teller, done) = channel();
        let thread = thread::spawn(move || {
            let config = Arc::new(certs::far_client_config(None));
            let mut all = Vec::new();
            for order in told {
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
                teller.send(()).unwrap();
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
        // Tickets are remembered elsewhere, for all connections together.
        let tls = certs::server().resumption(false);
        let port = world.reactor().listen_tls(any_port(), &tls, |_: &Peer| Echo).unwrap();
        let clients = Clients::of(port.local());
        // The first half makes everything grow that does not shrink.
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
        // The smallest buffer for a record would be 16 KiB for each of them.
        let more = (idle - made) / (2 * CONNECTIONS) as i64;
        assert!(more.abs() <= 64, "{more} bytes more for each that has talked, on {engine}");
    }
}

/// Half a record is kept until the rest of it is there, and no longer.
#[test]
fn half_a_record_is_let_go_with_its_other_half() {
    const LINES: i64 = 20;
    let _watchdog = Watchdog::new("records in halves");
    let world = World::new(Engine::Mio, Link::TlsAccepted);
    let mut lines: Vec<_> = (0..LINES).map(|_| world.join(Echo)).collect();
    // What the far ends have to say is made before anything is counted, for they live on this thread, too.
    let mut records = Vec::new();
    for _ in 0..2 {
        for line in &mut lines {
            let session = &mut line.far.as_secured().expect("it speaks TLS").session;
            session.writer().write_all(&[1; 10_000]).unwrap();
            let mut record = Vec::new();
            session.write_tls(&mut record).unwrap();
            records.push(record);
        }
    }
    let say = |lines: &mut [Line], records: &[Vec<u8>], part: fn(&[u8]) -> &[u8]| {
        for (line, record) in lines.iter_mut().zip(records) {
            let far = line.far.as_secured().expect("it speaks TLS");
            far.socket.write_all(part(record)).unwrap();
        }
    };
    let (first, second) = records.split_at(lines.len());
    let told = |lines: &[Line], len: usize| lines.iter().all(|line| line.trace.data().len() == len);
    // The first time, all that is shared becomes as large as it will be.
    let mut idle = held();
    for (round, records) in [(1, first), (2, second)] {
        say(&mut lines, records, |record| &record[..5_000]);
        world.until("halves", || held() - idle >= LINES * 5_000);
        say(&mut lines, records, |record| &record[5_000..]);
        world.until("the other halves", || told(&lines, round * 10_000));
        let kept = held() - idle;
        idle = held();
        println!("round {round}: {kept} bytes kept by {LINES} connections and their traces");
        // The traces keep what was told.
        assert!(round == 1 || kept < LINES * 11_000, "{kept} bytes kept");
    }
}
