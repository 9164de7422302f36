//! A factory where one object serves all.
//~ is not a protocol for datagrams of `std::net::SocketAddr`
//~ passed itself, without a factory
use std::net::SocketAddr;

use sinew::prelude::*;

struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_udp("127.0.0.1:0", |_: &Peer| Echo);
}
