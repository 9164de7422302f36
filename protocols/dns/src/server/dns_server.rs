//! The server: [`DnsServer`], a handler and limits for UDP, TCP and TLS, and [`DnsPorts`], what it listens on.

use std::{fmt, net::SocketAddr, rc::Rc};

use sinew_protocols::basic::{Framed, Int16};
use sinew_transports::{
    DatagramConfig, DatagramTransport, Factory, ListenError, ListeningPort, Peer, ReactorTcp,
    ReactorUdp, UdpError, reactor::Reactor,
};

use super::{
    DnsConnection, DnsDatagrams, DnsProtocol, Handler, ServerConfig, ServerStats, engine::Engine,
};

/// Longest query over TCP.
const QUERY_LEN_MAX: usize = 4096;

/// Most queries of a connection that are handled in one turn of the event loop.
const QUERIES_PER_TURN: u8 = 64;

/// Datagrams that are received by one system call.
const BATCH: usize = 32;

/// Ports that are tried, until one is free for UDP and TCP.
const PORTS_TRIED: usize = 16;

/// A name server: a [`Handler`] and limits. [`listen`](Self::listen) opens UDP and TCP; it is also a [`Factory`] for ports of other
/// kinds: TLS, a Unix socket, memory, behind the PROXY protocol, in a network simulation. Clones share everything.
///
/// # Examples
///
/// ```
/// use sinew_dns::{server::{DnsServer, Zones}, zone::Zone};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let zones = Zones::new();
/// zones.insert(Zone::parse("@ 60 SOA ns root 1 1 1 1 1\n A 192.0.2.1", &"example.".parse()?)?);
/// let reactor = Reactor::new()?;
/// let ports = DnsServer::new(zones).listen(&reactor, "127.0.0.1:0".parse()?)?;
/// println!("dig @127.0.0.1 -p {} example.", ports.local().port());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DnsServer {
    engine: Rc<Engine>,
}

impl DnsServer {
    /// A server with the default limits.
    #[must_use]
    pub fn new(handler: impl Handler) -> Self {
        Self::with_config(handler, ServerConfig::default())
    }

    /// A server with these limits.
    #[must_use]
    pub fn with_config(handler: impl Handler, config: ServerConfig) -> Self {
        Self { engine: Rc::new(Engine::new(Box::new(handler), config)) }
    }

    /// Listens on an address, over UDP and TCP. With port 0 the system chooses one that is free for both.
    ///
    /// # Errors
    ///
    /// [`DnsListenError`].
    pub fn listen(&self, reactor: &Reactor, addr: SocketAddr) -> Result<DnsPorts, DnsListenError> {
        let mut tries = if addr.port() == 0 { PORTS_TRIED } else { 1 };
        loop {
            tries -= 1;
            let tcp = reactor.listen_tcp(addr, self.clone())?;
            let local = tcp.local();
            match self.listen_udp(reactor, local) {
                Ok(udp) => return Ok(DnsPorts { udp, tcp }),
                Err(error) => {
                    tcp.stop_listening();
                    if tries == 0 {
                        return Err(error.into());
                    }
                }
            }
        }
    }

    /// Receives on an address over UDP only, 32 datagrams by one system call. A socket on all addresses answers from the address that
    /// was asked.
    ///
    /// # Errors
    ///
    /// [`UdpError`].
    pub fn listen_udp(
        &self,
        reactor: &Reactor,
        addr: SocketAddr,
    ) -> Result<DatagramTransport, UdpError> {
        reactor.listen_udp_with(addr, Self::datagram_config(addr), self.datagrams())
    }

    /// The configuration of the socket that [`listen_udp`](Self::listen_udp) opens, for one that the caller opens with
    /// [`datagrams`](Self::datagrams).
    pub fn datagram_config(addr: SocketAddr) -> DatagramConfig {
        DatagramConfig::default()
            .max_len(QUERY_LEN_MAX)
            .batch(BATCH)
            .packet_info(addr.ip().is_unspecified())
    }

    /// The protocol for a UDP socket that the caller opens.
    #[must_use]
    pub fn datagrams(&self) -> DnsDatagrams {
        DnsDatagrams { engine: self.engine.clone() }
    }

    #[cfg(test)]
    pub(super) fn engine(&self) -> &Rc<Engine> {
        &self.engine
    }

    /// Counters since the server was made.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.engine.counters.read()
    }
}

impl Factory for DnsServer {
    type Protocol = DnsProtocol;

    fn build_protocol(&mut self, peer: &Peer) -> Option<DnsProtocol> {
        let connection = DnsConnection::new(&self.engine, peer.ip())?;
        let queries = Int16::default().len_max(QUERY_LEN_MAX);
        Some(Framed::with_decoder(queries, connection).frames_per_turn(QUERIES_PER_TURN))
    }
}

impl fmt::Debug for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsServer").field("config", &self.engine.config).finish_non_exhaustive()
    }
}

/// The ports of a server. They stay open when this is dropped.
#[derive(Debug)]
#[non_exhaustive]
pub struct DnsPorts {
    /// The UDP socket.
    pub udp: DatagramTransport,
    /// The TCP port.
    pub tcp: ListeningPort,
}

impl DnsPorts {
    /// The address, the same for both.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.udp.local()
    }

    /// Closes both ports. Connections that are open go on.
    pub fn stop_listening(&self) {
        self.udp.stop();
        self.tcp.stop_listening();
    }
}

/// A server cannot listen.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DnsListenError {
    /// Over UDP.
    #[error(transparent)]
    Udp(#[from] UdpError),
    /// Over TCP.
    #[error(transparent)]
    Tcp(#[from] ListenError),
}

sinew_transports::reactor::error_debug!(DnsListenError);
