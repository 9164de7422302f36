//! Connections that are accepted and closed.

use std::net::TcpStream;

use sinew::prelude::*;

use crate::{Failed, PATIENCE};

const CONNECTIONS: usize = 1_000;

struct Silent;

impl Protocol for Silent {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = crate::reactor()?;
    let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Silent)?;
    for _ in 0..CONNECTIONS {
        let client = TcpStream::connect(port.local())?;
        while port.connections() == 0 {
            crate::turn(&reactor, PATIENCE)?;
        }
        drop(client);
        while port.connections() > 0 {
            crate::turn(&reactor, PATIENCE)?;
        }
    }
    Ok(())
}
