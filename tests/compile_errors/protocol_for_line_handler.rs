//! A protocol in a receiver of lines.
//~ `Echo` is not a handler of lines
//~ a `Protocol` gets bytes, and goes into no receiver
use sinew::prelude::*;
use sinew::protocols::basic::LineReceiver;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| LineReceiver::new(Echo));
}
