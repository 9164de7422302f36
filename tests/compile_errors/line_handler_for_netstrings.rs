//! A handler of lines for netstrings.
//~ `Upper` is not a handler of frames that `Netstring` finds
//~ `FrameHandler<Netstring>` to receive other frames
use sinew::prelude::*;
use sinew::protocols::basic::{LineHandler, LineTransport, NetstringReceiver};

struct Upper;

impl LineHandler for Upper {
    fn line_received(&mut self, _: &mut LineTransport<'_>, _: &[u8]) {}
}

fn listen(reactor: Reactor) {
    let _ = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| NetstringReceiver::new(Upper));
}
