//! The service: [`DnsService`], the ports for streams, and a UDP socket at the address of each that is plain TCP.

use std::{cell::RefCell, rc::Rc};

use sinew::{
    application::{ServerService, Service, StartError, StopError},
    dns::{
        client::DnsResolver,
        codec::Name,
        server::{DnsServer, Handled, Handler, Query, Secondary, SecondaryConfig, Zones},
    },
    prelude::{Deferred, ListenConfig, ListeningPort, Reactor, StreamConfig, Task},
    transports::{Address, endpoint::ServerEndpoint},
};

use super::sources::Watched;
use crate::{
    run::{Context, UdpSockets},
    servers::read_again::OnHangup,
};

/// Where it listens by default.
const LISTEN: &str = "tcp:53";

pub(super) struct DnsService {
    streams: Box<dyn Service>,
    /// Those of them that are TCP without TLS.
    tcp: Vec<(ServerService, bool)>,
    server: DnsServer,
    udp: UdpSockets,
    sources: Rc<Watched>,
    secondaries: Secondaries,
    running: RefCell<Option<Running>>,
}

/// What ends with the service.
struct Running {
    _hangup: OnHangup,
    _watch: Task<()>,
}

impl DnsService {
    pub(super) fn new(
        context: &Context,
        server: DnsServer,
        sources: Rc<Watched>,
        secondaries: Secondaries,
    ) -> Result<Self, StartError> {
        let tcp = RefCell::new(Vec::new());
        let remember = |endpoint: &ServerEndpoint, server: ServerService| {
            let text = endpoint.to_string();
            if text.starts_with("tcp") {
                tcp.borrow_mut().push((server.clone(), text.contains("v6only=yes")));
            }
            server
        };
        let (config, stream) = (ListenConfig::default(), StreamConfig::default());
        let streams = context.serve_with(LISTEN, config, stream, server.clone(), remember)?;
        Ok(Self {
            streams,
            tcp: tcp.into_inner(),
            server,
            udp: context.udp_sockets(),
            sources,
            secondaries,
            running: RefCell::default(),
        })
    }

    /// Receives datagrams where the TCP ports listen, with the same port number if the system has chosen it.
    fn open_udp(&self, reactor: &Reactor) -> Result<(), StartError> {
        for (server, is_v6_only) in &self.tcp {
            // Several ports of one server have the same address.
            let local = server.ports().first().map(ListeningPort::local);
            if let Some(Address::Inet(addr)) = local {
                let config = DnsServer::datagram_config(addr).v6_only(*is_v6_only);
                self.udp.open(reactor, addr, config, self.server.datagrams())?;
            }
        }
        Ok(())
    }
}

impl Service for DnsService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.privileged_start(reactor)?;
        self.open_udp(reactor).inspect_err(|_| {
            self.udp.close(reactor);
            self.streams.stop(reactor).detach();
        })
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.streams.start(reactor)?;
        self.udp.report(reactor);
        self.secondaries.start(reactor);
        self.sources.start(reactor);
        if self.sources.is_empty() {
            return Ok(());
        }
        let sources = self.sources.clone();
        let hangup =
            OnHangup::call(reactor, "dns: reading its files again", move |_| sources.force())?;
        let watch = reactor.spawn(self.sources.clone().watch(reactor.clone()));
        let running = Running { _hangup: hangup, _watch: watch };
        self.running.replace(Some(running));
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.udp.close(reactor);
        drop(self.running.take());
        self.secondaries.stop();
        self.sources.stop(reactor);
        self.streams.stop(reactor)
    }
}

/// The secondary zones, which run while the service does.
#[derive(Clone)]
pub(super) struct Secondaries(Rc<Inner>);

struct Inner {
    resolver: DnsResolver,
    zones: Zones,
    configs: Vec<(Name, SecondaryConfig)>,
    running: RefCell<Vec<Secondary>>,
}

impl Secondaries {
    pub(super) fn new(
        resolver: DnsResolver,
        zones: &Zones,
        configs: Vec<(Name, SecondaryConfig)>,
    ) -> Self {
        let zones = zones.clone();
        Self(Rc::new(Inner { resolver, zones, configs, running: RefCell::default() }))
    }

    fn start(&self, reactor: &Reactor) {
        let Inner { resolver, zones, configs, running } = &*self.0;
        let start = |(origin, config): &(Name, SecondaryConfig)| {
            Secondary::start(reactor, resolver, zones, origin.clone(), config.clone())
        };
        running.replace(configs.iter().map(start).collect());
    }

    fn stop(&self) {
        drop(self.0.running.take());
    }
}

impl Handler for Secondaries {
    fn handle(&self, _: &Query<'_>) -> Handled {
        Handled::Pass
    }

    fn notify(&self, query: &Query<'_>) -> Handled {
        for secondary in &*self.0.running.borrow() {
            match secondary.notify(query) {
                Handled::Pass => {}
                handled => return handled,
            }
        }
        Handled::Pass
    }
}
