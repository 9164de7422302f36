//! One port of a service that serves connections: [`Listening`] says where it listens, and ends the process with its only connection if that
//! is standard input and output. And the sockets of ports that have stopped ([`Stopped`]), with which a service that a reload has changed goes
//! on, so that clients in the backlog are not refused.

use std::{cell::RefCell, collections::HashMap, os::fd::OwnedFd, rc::Rc};

use sinew::{
    application::{ServerService, Service, StartError, StopError},
    reactor::{Deferred, Reactor, with_causes},
    transports::{Address, DatagramTransport, HandedPort, reactors::Shard},
};

pub(super) struct Listening {
    server: ServerService,
    /// Of the service.
    name: String,
    /// The endpoint, as text.
    endpoint: String,
}

/// The sockets of stopped ports of this reactor, by service and endpoint. Kept only while a reload is carried out.
#[derive(Default)]
pub(super) struct Stopped {
    is_kept: RefCell<bool>,
    sockets: RefCell<HashMap<(String, String), Vec<HandedPort>>>,
    /// Those for datagrams, by their names.
    udp: RefCell<HashMap<String, OwnedFd>>,
}

impl Listening {
    pub(super) fn new(server: ServerService, name: String, endpoint: String) -> Self {
        Self { server, name, endpoint }
    }

    fn keep_sockets(&self, reactor: &Reactor) {
        let stopped = Stopped::of(reactor);
        if !*stopped.is_kept.borrow() {
            return;
        }
        let key = (self.name.clone(), self.endpoint.clone());
        let ports = self.server.ports();
        let sockets = ports.iter().filter_map(|port| port.to_hand_over().ok().flatten());
        stopped.sockets.borrow_mut().entry(key).or_default().extend(sockets);
    }
}

impl Stopped {
    pub(super) fn of(reactor: &Reactor) -> Rc<Self> {
        reactor.local()
    }

    /// Whether the sockets of ports that stop from now on are kept. If not, those that nobody has taken are closed.
    pub(super) fn keep(&self, keep: bool) {
        self.is_kept.replace(keep);
        if !keep {
            self.sockets.take();
            self.udp.take();
        }
    }

    /// Keeps a UDP socket that is about to stop, if sockets are kept now.
    pub(super) fn put_udp(&self, name: String, socket: &DatagramTransport) {
        if !*self.is_kept.borrow() {
            return;
        }
        match socket.to_hand_over() {
            Ok(kept) => drop(self.udp.borrow_mut().insert(name, kept)),
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), name, "a UDP socket is opened anew")
            }
        }
    }

    pub(super) fn take_udp(&self, name: &str) -> Option<OwnedFd> {
        self.udp.borrow_mut().remove(name)
    }

    pub(super) fn take(&self, name: &str, endpoint: &str) -> Option<HandedPort> {
        let key = (name.to_owned(), endpoint.to_owned());
        self.sockets.borrow_mut().get_mut(&key)?.pop()
    }
}

impl Service for Listening {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.server.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.server.start(reactor)?;
        let is_first = Shard::of(reactor).is_none_or(|shard| shard.index() == 0);
        for port in self.server.ports() {
            let local = port.local();
            if is_first {
                tracing::info!(service = self.name, "listening on {local}");
            }
            if local == Address::Stdio {
                port.when_closed().then(|reactor, _| {
                    let _ = reactor.stop();
                });
            }
        }
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.keep_sockets(reactor);
        self.server.stop(reactor)
    }
}
