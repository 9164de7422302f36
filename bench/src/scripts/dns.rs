//! Queries of DNS over UDP, answered from a zone in memory, several by one turn.

use std::net::UdpSocket;

use bench::dns::{NAMES, ORIGIN, is_answer, query, zone};
use sinew::dns::server::{DnsServer, ServerConfig, Zones};
use sinew::dns::zone::Zone;

use crate::{Failed, PATIENCE};

const ROUNDS: u16 = 128;

/// Queries of a round.
const AT_ONCE: u16 = 8;

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = crate::reactor()?;
    let zones = Zones::new();
    zones.insert(Zone::parse(zone(), &ORIGIN.parse()?)?);
    // Counted, but not limited: all queries are from one network.
    let config = ServerConfig::default().responses_per_second(u32::MAX);
    let server = DnsServer::with_config(zones, config);
    let transport = server.listen_udp(&reactor, "127.0.0.1:0".parse()?)?;
    let client = UdpSocket::bind("127.0.0.1:0")?;
    client.connect(transport.local())?;
    client.set_read_timeout(Some(PATIENCE))?;
    let mut answer = [0; 1_232];
    for round in 0..ROUNDS {
        let ids = round * AT_ONCE..(round + 1) * AT_ONCE;
        for id in ids.clone() {
            client.send(&query(id, id % NAMES))?;
        }
        crate::turn(&reactor, PATIENCE)?;
        for id in ids {
            let len = client.recv(&mut answer)?;
            if !is_answer(&answer[..len], id, id % NAMES) {
                let answer = answer[..len].escape_ascii();
                return Err(format!("not the answer to query {id}: {answer}").into());
            }
        }
    }
    Ok(())
}
