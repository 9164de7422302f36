//! A broadcast as a user of sinew would write it: one `Bytes`, written to the transports of all others.

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use bench::convention::{GREETING, Listen, announce};
use bench::engine::EngineArgs;
use bytes::Bytes;
use clap::Parser;
use sinew::prelude::*;

/// Sends the data of one connection to all others
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,
}

struct Member {
    room: Rc<RefCell<Vec<Transport>>>,
}

impl Protocol for Member {
    fn connection_made(&mut self, transport: &Transport) {
        self.room.borrow_mut().push(transport.clone());
        transport.write([GREETING]);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let message = Bytes::copy_from_slice(data);
        for other in self.room.borrow().iter().filter(|other| other.id() != transport.id()) {
            other.write_bytes(message.clone());
        }
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        self.room.borrow_mut().retain(|other| other.id() != transport.id());
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let room = Rc::default();
    let factory = move |_: &Peer| Member { room: Rc::clone(&room) };
    let config = ListenConfig::default().backlog(Listen::backlog());
    let port = reactor.listen_tcp_with(args.listen.listen, config, factory)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
