//! A server over UDP: [`DnsDatagrams`], a thin protocol around the engine.

use std::{fmt, net::SocketAddr, rc::Rc};

use sinew_transports::{DatagramProtocol, DatagramTransport};

use super::{
    engine::{Engine, Outcome},
    query::Client,
};

/// The protocol of a UDP socket of a [`DnsServer`](super::DnsServer), made by [`DnsServer::datagrams`](super::DnsServer::datagrams).
pub struct DnsDatagrams {
    pub(super) engine: Rc<Engine>,
}

impl DatagramProtocol for DnsDatagrams {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        let Some(reactor) = transport.reactor() else { return };
        let client = Client { addr: Some(from), is_stream: false };
        match self.engine.receive(&reactor, data, client) {
            Outcome::Respond(head, ready) => {
                self.engine.write(&reactor, &head, ready, |bytes| {
                    transport.send_to(bytes, from);
                });
            }
            Outcome::Later(head, deferred) => {
                // The answer is sent from the address that was asked.
                let (transport, info) = (transport.clone(), transport.packet_info());
                self.engine.wait(&reactor, deferred, move |engine, reactor, ready| {
                    engine.write(reactor, &head, ready, |bytes| {
                        match info {
                            Some(info) => transport.send_from(bytes, from, info),
                            None => transport.send_to(bytes, from),
                        };
                    });
                });
            }
            // Zones are sent over streams only.
            Outcome::Nothing | Outcome::Transfer(..) => {}
        }
    }
}

impl fmt::Debug for DnsDatagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsDatagrams").finish_non_exhaustive()
    }
}
