//! A protocol of connections for a child process.
//~ `Echo` is not a protocol for a child process
//~ use `connect_process`
use sinew::prelude::*;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn start(reactor: Reactor) {
    let _ = reactor.spawn_process(Echo, std::process::Command::new("true"));
}
