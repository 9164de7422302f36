//! The services of inetd that run: [`Running`] opens one, and [`RunningServices`] keeps all of them as a file says.

use std::cell::RefCell;
use std::rc::Rc;

use sinew::{
    application::Service,
    prelude::*,
    protocols::wire,
    reactor::Excerpt,
    transports::{
        Address, DatagramConfig, DynFactory,
        endpoint::{ServerEndpoint, TcpServer, UnixServer},
    },
};

use super::{
    super::datagrams::{Answer, UdpAddress, UdpService},
    entry::{At, BuiltIn, Entry, Run},
    identity::Identity,
    port::Port,
};

/// One service with its socket.
struct Running {
    entry: Entry,
    kind: Kind,
}

enum Kind {
    Streams(ListeningPort<Address>),
    Datagrams(UdpService),
    Program(Rc<Port>),
}

/// All services.
#[derive(Default)]
pub(super) struct RunningServices(RefCell<Vec<Running>>);

impl Running {
    fn open(reactor: &Reactor, entry: &Entry) -> Result<Self, String> {
        let kind = match &entry.run {
            Run::Program { .. } => {
                let port = Port::open(entry.clone(), identity(entry)?)
                    .map_err(|error| error.to_string())?;
                port.listen(reactor);
                Kind::Program(port)
            }
            Run::BuiltIn(built_in) => open_built_in(reactor, entry, *built_in)?,
        };
        let running = Self { entry: entry.clone(), kind };
        tracing::info!(service = %Excerpt::new(&entry.name), "listening on {}", running.address());
        Ok(running)
    }

    fn address(&self) -> String {
        match &self.kind {
            Kind::Streams(port) => port.local().to_string(),
            Kind::Datagrams(service) => {
                service.addresses().first().map(|addr| format!("udp:{addr}")).unwrap_or_default()
            }
            Kind::Program(port) => port.address(),
        }
    }

    fn close(&self, reactor: &Reactor) {
        match &self.kind {
            Kind::Streams(port) => port.stop_listening(),
            Kind::Datagrams(service) => service.close(),
            Kind::Program(port) => port.close(reactor),
        }
    }

    /// Whether this can go on as `entry`: a program with the same socket; what it starts may be another.
    fn can_become(&self, entry: &Entry) -> bool {
        matches!((&self.kind, &entry.run), (Kind::Program(_), Run::Program { .. }))
            && self.entry.at == entry.at
    }
}

fn identity(entry: &Entry) -> Result<Option<Identity>, String> {
    entry.user.as_ref().map_or(Ok(None), Identity::of)
}

fn open_built_in(reactor: &Reactor, entry: &Entry, built_in: BuiltIn) -> Result<Kind, String> {
    let config = ListenConfig::default().max_connections(entry.limits.children);
    let (endpoint, config) = match &entry.at {
        At::Tcp(bind) => {
            let config = if bind.addr.is_ipv6() { config.v6_only(!bind.is_dual) } else { config };
            (ServerEndpoint::new(TcpServer::new(bind.addr)), config)
        }
        At::Unix(path) => (ServerEndpoint::new(UnixServer::new(path.as_path())), config),
        At::Udp(bind) => {
            let config = DatagramConfig::default();
            let config = if bind.addr.is_ipv6() { config.v6_only(!bind.is_dual) } else { config };
            let service =
                UdpService::new(vec![UdpAddress(bind.addr)], answer(built_in)).config(config);
            service.start(reactor).map_err(|error| error.to_string())?;
            return Ok(Kind::Datagrams(service));
        }
        At::UnixDatagram(_) => {
            return Err("the built-in services do not answer Unix datagrams".to_owned());
        }
    };
    let port = endpoint.listen_with(reactor, config, factory(built_in));
    port.map(Kind::Streams).map_err(|error| error.to_string())
}

fn factory(built_in: BuiltIn) -> DynFactory {
    match built_in {
        BuiltIn::Echo => DynFactory::new(|_: &Peer| wire::Echo),
        BuiltIn::Discard => DynFactory::new(|_: &Peer| wire::Discard),
        BuiltIn::Chargen => DynFactory::new(|_: &Peer| wire::Chargen::default()),
        BuiltIn::Daytime => DynFactory::new(|_: &Peer| wire::Daytime::default()),
        BuiltIn::Time => DynFactory::new(|_: &Peer| wire::Time::default()),
        BuiltIn::Qotd => DynFactory::new(|_: &Peer| wire::Qotd::default()),
    }
}

const QUOTE: &[u8] = b"An apple a day keeps the doctor away.\r\n";

fn answer(built_in: BuiltIn) -> Answer {
    match built_in {
        BuiltIn::Echo => Answer::Echo,
        BuiltIn::Discard => Answer::Nothing,
        BuiltIn::Chargen => Answer::Characters,
        BuiltIn::Daytime => Answer::Daytime,
        BuiltIn::Time => Answer::Time,
        BuiltIn::Qotd => Answer::Quote(Bytes::from_static(QUOTE)),
    }
}

/// Whether the services can be opened, as far as that can be told without doing so.
pub(super) fn check(entries: &[Entry]) -> Result<(), String> {
    entries
        .iter()
        .try_for_each(|entry| identity(entry).map(drop).map_err(|error| named(entry, &error)))
}

fn named(entry: &Entry, error: &str) -> String {
    format!("service {} at {}: {error}", Excerpt::new(&entry.name), entry.at)
}

impl RunningServices {
    /// Opens all.
    ///
    /// # Errors
    ///
    /// The first that cannot be opened; those before it are closed again.
    pub(super) fn open(&self, reactor: &Reactor, entries: &[Entry]) -> Result<(), String> {
        for entry in entries {
            match Running::open(reactor, entry) {
                Ok(running) => self.0.borrow_mut().push(running),
                Err(error) => {
                    self.close(reactor);
                    return Err(named(entry, &error));
                }
            }
        }
        Ok(())
    }

    /// Makes them what the file says now. Those that did not change are not touched; a program that changed keeps its socket, so that no
    /// connection is refused. One that cannot be opened is logged and left out.
    pub(super) fn become_these(&self, reactor: &Reactor, mut entries: Vec<Entry>) {
        let mut kept = Vec::new();
        for running in self.0.take() {
            let same = entries.iter().position(|entry| *entry == running.entry);
            let place = same.or_else(|| entries.iter().position(|entry| running.can_become(entry)));
            match place.map(|place| entries.remove(place)) {
                Some(entry) => kept.extend(running.replaced(reactor, entry)),
                None => {
                    tracing::info!(service = %Excerpt::new(&running.entry.name), "closed: {}", running.address());
                    running.close(reactor);
                }
            }
        }
        for entry in &entries {
            match Running::open(reactor, entry) {
                Ok(running) => kept.push(running),
                Err(error) => tracing::error!("{}", named(entry, &error)),
            }
        }
        *self.0.borrow_mut() = kept;
    }

    pub(super) fn close(&self, reactor: &Reactor) {
        self.0.take().iter().for_each(|running| running.close(reactor));
    }
}

impl Running {
    /// Goes on as `entry`; `None` if that cannot be.
    fn replaced(mut self, reactor: &Reactor, entry: Entry) -> Option<Self> {
        if self.entry == entry {
            return Some(self);
        }
        let identity = match identity(&entry) {
            Ok(identity) => identity,
            Err(error) => {
                tracing::error!("{}", named(&entry, &error));
                self.close(reactor);
                return None;
            }
        };
        if let Kind::Program(port) = &self.kind {
            tracing::info!(service = %Excerpt::new(&entry.name), "changed: {}", port.address());
            port.replace(entry.clone(), identity);
        }
        self.entry = entry;
        Some(self)
    }
}
