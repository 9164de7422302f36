//! Memory use, measured by a counting allocator: an authoritative answer from memory allocates nothing, over UDP and TCP, also with the
//! proofs of a signed zone.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpStream, UdpSocket},
    time::Duration,
};

use sinew_dns::{
    codec::{Name, QuerySettings, Question, RecordType},
    server::{Chain, DnsServer, Overrides, ServerConfig, Zones},
    zone::Zone,
};
use sinew_transports::reactor::Reactor;

#[path = "../../../tests/allocation/sys.rs"]
#[allow(
    unsafe_code,
    dead_code,
    reason = "an allocator is unsafe; another test counts what is held"
)]
mod sys;
#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

#[global_allocator]
static COUNTING: sys::Counting = sys::Counting;

const ZONE: &str = "$TTL 60
@ SOA ns root 7 1 1 1 30
@ NSEC3PARAM 1 0 2 aabb
@ NS ns
ns A 192.0.2.1
www CNAME mail
mail A 192.0.2.2
mail AAAA 2001:db8::2
@ MX 10 mail
sub NS ns.sub
ns.sub A 192.0.2.3
*.w TXT \"wild\"
2vptu5timamqttgl4luu9kg21e0aor3s NSEC3 1 0 2 aabb 2vptu5timamqttgl4luu9kg21e0aor3s A
";

const QUERIES: [(&str, RecordType); 7] = [
    ("mail.example.", RecordType::A),
    ("www.example.", RecordType::AAAA),
    ("example.", RecordType::MX),
    ("x.sub.example.", RecordType::A),
    ("a.b.w.example.", RecordType::TXT),
    ("nothing.example.", RecordType::A),
    ("other.", RecordType::A),
];

fn queries() -> Vec<Vec<u8>> {
    let query = |(name, record_type): (&str, RecordType)| {
        let name = Name::from_ascii(name).unwrap();
        let question = Question::new(name, record_type).dnssec_ok(true);
        // With a cookie.
        let settings = QuerySettings::new(7).cookie(vec![1, 2, 3, 4, 5, 6, 7, 8]);
        question.encode(&settings).unwrap().bytes().to_vec()
    };
    QUERIES.into_iter().map(query).collect()
}

fn server() -> DnsServer {
    let zones = Zones::new();
    zones.insert(Zone::parse(ZONE, &"example.".parse().unwrap()).unwrap());
    let overrides = Overrides::new();
    overrides.block(&"blocked.".parse().unwrap());
    let config = ServerConfig::default().responses_per_second(1_000_000);
    DnsServer::with_config(Chain::new().then(overrides).then(zones), config)
}

/// Allocations of a thousand rounds of all queries.
fn allocations(mut exchange: impl FnMut(&Reactor, &[u8]), reactor: &Reactor) -> u64 {
    let queries = queries();
    let mut before = 0;
    for round in 0..1_100 {
        if round == 100 {
            before = sys::allocations();
        }
        for query in &queries {
            exchange(reactor, query);
        }
    }
    sys::allocations() - before
}

#[test]
fn an_answer_over_udp_allocates_nothing() {
    watchdog::watch_this_test();
    // Reports of slow callbacks, which a busy machine causes, allocate.
    let reactor = Reactor::builder().slow_callback(Duration::MAX).build().unwrap();
    let ports = server().listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(ports.local()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut answer = [0; 2048];
    let exchange = |reactor: &Reactor, query: &[u8]| {
        socket.send(query).unwrap();
        while let Err(error) = socket.recv(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
    };
    let made = allocations(exchange, &reactor);
    assert!(made < 10, "{made} allocations for 7,000 queries");
}

#[test]
fn an_answer_over_tcp_allocates_nothing() {
    watchdog::watch_this_test();
    // Reports of slow callbacks, which a busy machine causes, allocate.
    let reactor = Reactor::builder().slow_callback(Duration::MAX).build().unwrap();
    let ports = server().listen(&reactor, "127.0.0.1:0".parse().unwrap()).unwrap();
    let mut stream = TcpStream::connect(ports.local()).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut frame, mut answer) = (Vec::with_capacity(512), [0; 2048]);
    let exchange = |reactor: &Reactor, query: &[u8]| {
        frame.clear();
        frame.extend(u16::try_from(query.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(query);
        stream.write_all(&frame).unwrap();
        let mut got = 0;
        while got < 2 || got < 2 + usize::from(u16::from_be_bytes([answer[0], answer[1]])) {
            match stream.read(&mut answer[got..]) {
                Ok(len) => {
                    assert!(len > 0, "the connection has ended");
                    got += len;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    reactor.turn(Some(Duration::ZERO)).unwrap();
                }
            }
        }
    };
    let made = allocations(exchange, &reactor);
    assert!(made < 10, "{made} allocations for 7,000 queries");
}
