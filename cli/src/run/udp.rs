//! The UDP sockets of a service: [`UdpSockets`]. An upgrade hands them over, and a reload goes on with them, so that no datagram is lost.

use std::{cell::RefCell, net::SocketAddr};

use sinew::{
    application::{StartError, handover::Handover},
    reactor::Reactor,
    transports::{DatagramConfig, DatagramProtocol, DatagramTransport, reactors::Shard},
};

use super::listening::Stopped;

/// The sockets that one service has opened. Of several reactors, each has its own socket at the same address.
#[derive(Debug)]
pub(crate) struct UdpSockets {
    /// Of the service.
    name: String,
    /// `None` for a service that is only checked.
    handover: Option<Handover>,
    /// With their names: of the service and the address, so that their order may change.
    open: RefCell<Vec<(String, DatagramTransport)>>,
}

impl UdpSockets {
    pub(super) fn new(name: &str, handover: Option<&Handover>) -> Self {
        let (name, handover) = (name.to_owned(), handover.cloned());
        Self { name, handover, open: RefCell::default() }
    }

    /// Opens a socket at an address, or goes on with that of the process or of the service before this one.
    pub(crate) fn open(
        &self,
        reactor: &Reactor,
        addr: SocketAddr,
        config: DatagramConfig,
        protocol: impl DatagramProtocol,
    ) -> Result<(), StartError> {
        let Some(handover) = &self.handover else {
            return Err(StartError::other("the service was made to be checked only"));
        };
        let config = config.reuse_port(Shard::of(reactor).is_some_and(|shard| shard.count() > 1));
        let name = format!("{}/udp/{addr}", self.name);
        let opened = match Stopped::of(reactor).take_udp(&name) {
            Some(socket) => handover.adopt_udp(reactor, &name, socket, config, protocol),
            None => handover.listen_udp(reactor, &name, addr, config, protocol),
        };
        self.open.borrow_mut().push((name, opened.map_err(StartError::other)?));
        Ok(())
    }

    /// Says in the log where it receives. Of several reactors, the first does.
    pub(crate) fn report(&self, reactor: &Reactor) {
        if Shard::of(reactor).is_some_and(|shard| shard.index() > 0) {
            return;
        }
        for (_, socket) in &*self.open.borrow() {
            tracing::info!(service = self.name, "receiving on udp:{}", socket.local());
        }
    }

    /// Receives no more. During a reload, the sockets are kept for the service that comes after this one.
    pub(crate) fn close(&self, reactor: &Reactor) {
        let stopped = Stopped::of(reactor);
        for (name, socket) in self.open.take() {
            stopped.put_udp(name, &socket);
            socket.stop();
        }
    }
}
