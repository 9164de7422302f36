//! A closure that refuses some connections.
//~ Option<Echo>` is not a protocol
//~ a type that implements `Factory`
use sinew::prelude::*;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_tcp("127.0.0.1:0", |peer: &Peer| peer.ip().map(|_| Echo));
}
