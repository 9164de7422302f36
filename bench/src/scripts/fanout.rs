//! One `Bytes` written to many connections.

use std::time::Duration;

use bytes::Bytes;
use sinew::prelude::*;
use sinew::transports::memory;

use crate::Failed;

const RECEIVERS: usize = 1_000;
const MESSAGES: usize = 10;

struct Receiver;

impl Protocol for Receiver {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Sender {
    room: Vec<Transport>,
}

impl Protocol for Sender {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        let message = Bytes::copy_from_slice(data);
        for other in &self.room {
            other.write_bytes(message.clone());
        }
    }
}

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = Reactor::simulated(0);
    let config = StreamConfig::default;
    let receivers = (0..RECEIVERS).map(|_| memory::connect(&reactor, config(), Receiver));
    let receivers = receivers.collect::<Result<Vec<_>, _>>()?;
    let room = receivers.iter().map(|(connection, _)| connection.transport().clone()).collect();
    let (_sender, wire) = memory::connect(&reactor, config(), Sender { room })?;
    reactor.turn(Some(Duration::ZERO))?;
    for _ in 0..MESSAGES {
        wire.receive([b'x'; 64]);
        // Data written outside of a connection's own callback is sent in the next turn.
        crate::turn(&reactor, Duration::ZERO)?;
        crate::turn(&reactor, Duration::ZERO)?;
        if receivers.iter().any(|(_, wire)| wire.sent().len() != 64) {
            return Err("not all receivers got the message".into());
        }
    }
    Ok(())
}
