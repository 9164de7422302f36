//! A protocol in the place of a factory.
//~ `Echo` does not build protocols
//~ `|_: &Peer| Echo`, or `factory(|_| Echo)`
use sinew::prelude::*;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_tcp("127.0.0.1:0", Echo);
}
