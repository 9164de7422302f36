//! Memory use, measured by a counting allocator: an idle member of a channel of IRC owns little.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use sinew_chat::irc::server::{IrcServer, ServerConfig};
use sinew_transports::{ReactorTcp, reactor::Reactor};

#[path = "../../../tests/allocation/sys.rs"]
#[allow(unsafe_code, reason = "an allocator is unsafe")]
mod sys;

#[global_allocator]
static COUNTING: sys::Counting = sys::Counting;

/// Those who are there before, so that tables which grow have grown; and those who are measured.
const FIRST: usize = 300;
const MEASURED: usize = 200;

/// Turns the loop until the client has received a text.
fn receive(reactor: &Reactor, stream: &mut TcpStream, text: &[u8]) {
    let mut buffer = [0; 4_096];
    let mut received = Vec::new();
    while !received.windows(text.len()).any(|window| window == text) {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the connection ended: {}", received.escape_ascii()),
            Ok(len) => received.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn join(reactor: &Reactor, address: SocketAddr, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream.set_nodelay(true).unwrap();
    let hello = format!("NICK member{number}\r\nUSER member 0 * :Member\r\nJOIN #idle\r\n");
    // Lines in pieces have owned a buffer for a while.
    let (front, back) = hello.as_bytes().split_at(10);
    stream.write_all(front).unwrap();
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    stream.write_all(back).unwrap();
    receive(reactor, &mut stream, b" 366 ");
    stream
}

/// What a member holds, all of it, once it has joined a channel and only listens.
#[test]
fn an_idle_member_is_small() {
    watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let config = ServerConfig::new("irc.test")
        .unwrap()
        .clients_per_network_max(FIRST + MEASURED)
        .connects(u32::MAX, Duration::from_secs(1));
    let port = reactor.listen_tcp("127.0.0.1:0", IrcServer::new(&reactor, config)).unwrap();
    let mut streams = Vec::with_capacity(FIRST + MEASURED);
    let mut held = Vec::new();
    for clients in [FIRST, FIRST + MEASURED] {
        while streams.len() < clients {
            streams.push(join(&reactor, port.local(), streams.len()));
        }
        held.push(sys::held());
    }
    let each = (held[1] - held[0]) / MEASURED as i64;
    eprintln!("{each} bytes");
    assert!(sys::allocations() > 0);
    assert!(each <= 1_536, "{each} bytes for an idle member of a channel");
}
