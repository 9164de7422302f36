//! A named port before it listens: [`HandoverPort`].

use std::{fmt, rc::Rc};

use sinew_reactor::Reactor;
use sinew_transports::{
    Address, Factory, ListenConfig, ListenError, ListeningPort, Peer, Protocol, SharedFactory,
    endpoint::{DynFactory, ServerEndpoint},
};

use super::{
    Handover,
    sockets::{Sockets, TakeOver},
};

/// A port that can be handed over, from [`Handover::port`].
#[must_use = "call `listen`"]
pub struct HandoverPort {
    handover: Handover,
    name: String,
    config: ListenConfig,
    take_over: Option<TakeOver>,
}

impl HandoverPort {
    pub(super) fn new(handover: &Handover, name: &str) -> Self {
        let config = ListenConfig::default();
        Self { handover: handover.clone(), name: name.to_owned(), config, take_over: None }
    }

    /// Limits and options. Options of the endpoint take precedence.
    pub fn config(mut self, config: ListenConfig) -> Self {
        self.config = config;
        self
    }

    /// Goes on with the open connections of the process that this one replaces: `rebuild` makes a protocol of the state that its
    /// predecessor has saved ([`Protocol::saved_state`](sinew_transports::Protocol::saved_state)), and of the peer. The bytes
    /// come from another version of this program, which may have written them otherwise; `None` closes the connection.
    ///
    /// The connections that can go at the moment of the handover go together: [`connection_made`](Protocol::connection_made) of
    /// all is called before any gets input, so that the members of a room find each other there. Others follow when they can.
    /// Connections with TLS, or behind a proxy, stay with the old process.
    pub fn rebuild<P: Protocol>(
        mut self,
        rebuild: impl Fn(&[u8], &Peer) -> Option<P> + 'static,
    ) -> Self {
        let rebuild = Rc::new(rebuild);
        self.take_over = Some(Rc::new(move |port: &ListeningPort<Address>, connections| {
            let rebuild = rebuild.clone();
            port.take_over(connections, move |state, peer| rebuild(state, peer));
        }));
        self
    }

    /// Listens on the inherited socket of this name, if there is one and it listens where the endpoint says; else on that of another name
    /// that listens exactly there, as after a change of names or of their order; else opens one.
    /// Nothing is accepted before the process that is to be replaced has stopped accepting.
    ///
    /// If several sockets have been inherited that are this reactor's, there is a port for each; the one that is returned is the
    /// first, and the others are like it, with limits of their own. Its [`drain`](ListeningPort::drain) is not theirs:
    /// [`Handover::ready`] closes those that are not needed.
    ///
    /// # Errors
    ///
    /// [`ListenError`], with the endpoint and the cause; also if the name is too long, or used already on this reactor.
    pub fn listen<F: Factory>(
        self,
        reactor: &Reactor,
        endpoint: &ServerEndpoint,
        factory: F,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.listen_all(reactor, endpoint, factory).map(|mut ports| ports.swap_remove(0))
    }

    /// As [`listen`](Self::listen), and returns the ports of all inherited sockets that are this reactor's; at least one.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn listen_all<F: Factory>(
        self,
        reactor: &Reactor,
        endpoint: &ServerEndpoint,
        factory: F,
    ) -> Result<Vec<ListeningPort<Address>>, ListenError> {
        let shared = self.handover.shared.clone();
        let sockets = match shared.register(reactor, &self.name) {
            Ok(sockets) => sockets,
            Err(source) => {
                reactor.defer_drop(factory);
                return Err(ListenError::Other { at: endpoint.to_string(), source });
            }
        };
        let factory = SharedFactory::new(DynFactory::new(factory));
        let mut inherited = shared.claim_ports(reactor, &self.name).into_iter();
        let config = match inherited.next() {
            Some(socket) => self.config.clone().handed_over(socket),
            // The configuration may have one of this process.
            None => self.config.clone(),
        };
        let config = config.others_handed_over(shared.claim_others(reactor, &self.name));
        let mut ports = vec![self.open(reactor, endpoint, config, factory.clone(), &sockets)?];
        let local = ports[0].local();
        for socket in inherited.filter(|socket| socket.address().ok().as_ref() == Some(&local)) {
            let config = self.config.clone().unshared().handed_over(socket);
            ports.push(self.open(reactor, endpoint, config, factory.clone(), &sockets)?);
        }
        Ok(ports)
    }

    fn open(
        &self,
        reactor: &Reactor,
        endpoint: &ServerEndpoint,
        config: ListenConfig,
        factory: SharedFactory<DynFactory>,
        sockets: &Sockets,
    ) -> Result<ListeningPort<Address>, ListenError> {
        let port = endpoint.listen_with(reactor, config, factory)?;
        if self.handover.shared.must_wait() {
            port.leave_backlog(true);
        }
        sockets.add_port(&self.name, &port, self.take_over.clone());
        Ok(port)
    }
}

impl fmt::Debug for HandoverPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandoverPort").field("name", &self.name).finish_non_exhaustive()
    }
}
