//! A handler of lines without its receiver.
//~ `Upper` is not a protocol
//~ is wrapped in a receiver, which is a protocol: `LineReceiver::new(handler)`
use sinew::prelude::*;
use sinew::protocols::basic::{LineHandler, LineTransport};

struct Upper;

impl LineHandler for Upper {
    fn line_received(&mut self, _: &mut LineTransport<'_>, _: &[u8]) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Upper);
    let _ = reactor.connect_tcp("127.0.0.1:0", factory(|_| Upper));
}
