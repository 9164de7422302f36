//! Messages and their echoes on one connection.

use std::io::{Read, Write};
use std::net::TcpStream;

use sinew::prelude::*;

use crate::{Failed, PATIENCE};

const MESSAGES: usize = 1_000;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

pub(crate) fn run(inspection: bool) -> Result<(), Failed> {
    let reactor = crate::inspected_reactor(inspection)?;
    let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Echo)?;
    let mut client = TcpStream::connect(port.local())?;
    while port.connections() == 0 {
        reactor.turn(Some(PATIENCE))?;
    }
    let (message, mut answer) = ([b'x'; 64], [0; 64]);
    for _ in 0..MESSAGES {
        client.write_all(&message)?;
        crate::turn(&reactor, PATIENCE)?;
        client.read_exact(&mut answer)?;
    }
    Ok(())
}
