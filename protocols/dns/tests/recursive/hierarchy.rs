//! A small DNS: a root, the top-level domains `test` and `net`, zones below them, and a log of what each server is asked.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_dns::{
    codec::{Name, Question, RData, Record, RecordType, rdata},
    recursive::{RecursiveConfig, RecursiveError, RecursiveResolver, Resolved, RootHints},
    server::{DnsServer, Handled, Handler, Query, Response, ServerConfig, Zones},
    testing::TestServer,
    zone::Zone,
};
use sinew_testkit::sim::Host;

use crate::{support::World, watchdog};

/// The hosts that exist, whether they run or not.
const HOSTS: [&str; 8] =
    ["root", "tld", "example", "second", "provider", "victim", "evil", "spare"];

type Log = Rc<RefCell<Vec<String>>>;

/// A server that a test can change.
#[derive(Clone)]
struct Server {
    handler: Rc<RefCell<Rc<dyn Handler>>>,
    log: Log,
}

impl Handler for Server {
    fn handle(&self, query: &Query<'_>) -> Handled {
        let over = if query.is_stream() { " over TCP" } else { "" };
        let name = query.name().to_lowercase();
        self.log.borrow_mut().push(format!("{name} {}{over}", query.record_type()));
        let handler = self.handler.borrow().clone();
        handler.handle(query)
    }
}

/// The hosts, and what they were asked.
pub(crate) struct Tree {
    pub(crate) world: World,
    hosts: HashMap<&'static str, Host>,
    servers: RefCell<HashMap<String, Server>>,
}

pub(crate) fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

pub(crate) fn zone(origin: &str, text: &str) -> Zone {
    let soa = format!("$TTL 300\n@ SOA ns.{origin} root.{origin} 1 3600 600 86400 60\n");
    let soa = soa.replace("..", ".");
    Zone::parse(format!("{soa}{text}"), &name(origin)).unwrap()
}

pub(crate) fn zones(all: impl IntoIterator<Item = Zone>) -> Zones {
    let zones = Zones::new();
    all.into_iter().for_each(|zone| drop(zones.insert(zone)));
    zones
}

pub(crate) fn ns(zone: &str, server: &str) -> Record {
    Record::from_rdata(name(zone), 300, RData::NS(rdata::NS(name(server))))
}

pub(crate) fn a(owner: &str, ip: IpAddr) -> Record {
    let IpAddr::V4(ip) = ip else { panic!("{ip} is not IPv4") };
    Record::from_rdata(name(owner), 300, RData::A(ip.into()))
}

/// A delegation: servers of a zone, with addresses.
pub(crate) fn referral(servers: &[Record], addrs: &[Record]) -> Response {
    let response = servers.iter().cloned().fold(Response::new(), Response::authority);
    addrs.iter().cloned().fold(response, Response::additional).authoritative(false)
}

/// Whether a question is about a name at or below this one.
pub(crate) fn is_below(query: &Query<'_>, above: &str) -> bool {
    query.is_at_or_below(&name(above))
}

impl Tree {
    /// No server runs yet.
    pub(crate) fn bare(seed: u64) -> Self {
        watchdog::watch_this_test();
        let world = World::new(seed);
        let hosts = HOSTS.map(|name| (name, world.network.host(name)));
        Self { world, hosts: hosts.into(), servers: RefCell::default() }
    }

    /// The usual zones.
    ///
    /// | zone | servers |
    /// |---|---|
    /// | `.` | `a.root`, at `root` |
    /// | `test`, `net` | `ns.test`, at `tld` |
    /// | `example.test` | `ns.example.test`, at `example`: in the zone, with glue |
    /// | `provider.net` | `ns.provider.net`, at `provider` |
    /// | `glueless.test` | `ns.provider.net`: out of the zone, without glue |
    /// | `sub.example.test` | `ns.sub.example.test`, at `second` |
    pub(crate) fn new(seed: u64) -> Self {
        let tree = Self::bare(seed);
        tree.serve("root", zones([tree.root()]));
        tree.serve("tld", zones([tree.test(), tree.net()]));
        tree.serve("example", zones([tree.example()]));
        tree.serve(
            "second",
            zones([zone("sub.example.test.", "@ NS ns\nns A 192.0.2.9\nwww A 192.0.2.5\n")]),
        );
        tree.serve(
            "provider",
            zones([
                zone(
                    "provider.net.",
                    &format!("@ NS ns\nns A {}\nwww A 192.0.2.3\n", tree.ip("provider")),
                ),
                zone("glueless.test.", "@ NS ns.provider.net.\nwww A 192.0.2.4\n"),
            ]),
        );
        tree
    }

    pub(crate) fn root(&self) -> Zone {
        let (root, tld) = (self.ip("root"), self.ip("tld"));
        zone(
            ".",
            &format!(
                "@ NS a.root.\na.root. A {root}\ntest. NS ns.test.\nns.test. A {tld}\nnet. NS ns.test.\n"
            ),
        )
    }

    pub(crate) fn test(&self) -> Zone {
        let (tld, example) = (self.ip("tld"), self.ip("example"));
        zone(
            "test.",
            &format!(
                "@ NS ns\nns A {tld}\nexample NS ns.example\nns.example A {example}\nglueless NS ns.provider.net.\n"
            ),
        )
    }

    pub(crate) fn net(&self) -> Zone {
        let provider = self.ip("provider");
        zone("net.", &format!("@ NS ns.test.\nprovider NS ns.provider\nns.provider A {provider}\n"))
    }

    pub(crate) fn example(&self) -> Zone {
        let (example, second) = (self.ip("example"), self.ip("second"));
        let many: String = (0..100).map(|at| format!("many A 192.0.3.{at}\n")).collect();
        zone(
            "example.test.",
            &format!(
                "@ NS ns\nns A {example}\nwww A 192.0.2.1\nalias CNAME www\nout CNAME www.provider.net.\ngone CNAME none\n\
             a.b.c.d TXT deep\nsub NS ns.sub\nns.sub A {second}\n{many}"
            ),
        )
    }

    pub(crate) fn ip(&self, host: &str) -> IpAddr {
        self.hosts[host].addr()
    }

    pub(crate) fn host(&self, host: &str) -> &Host {
        &self.hosts[host]
    }

    /// Runs a server at a host, or replaces what it answers by, and logs what it is asked.
    pub(crate) fn serve(&self, host: &str, handler: impl Handler) {
        if let Some(server) = self.servers.borrow().get(host) {
            server.handler.replace(Rc::new(handler));
            return;
        }
        let server =
            Server { handler: Rc::new(RefCell::new(Rc::new(handler))), log: Log::default() };
        self.servers.borrow_mut().insert(host.to_owned(), server.clone());
        let at = SocketAddr::new(self.ip(host), 53);
        self.hosts[host].boot(move |reactor| {
            let config = ServerConfig::default().responses_per_second(None);
            drop(DnsServer::with_config(server.clone(), config).listen(reactor, at).unwrap());
        });
        self.world.network.run_for(Duration::ZERO).unwrap();
    }

    /// Runs a server that misbehaves at a host where none runs.
    pub(crate) fn serve_test(&self, host: &str, server: &TestServer) {
        let (server, at) = (server.clone(), SocketAddr::new(self.ip(host), 53));
        self.hosts[host].boot(move |reactor| assert!(server.listen(reactor, at).is_ok()));
        self.world.network.run_for(Duration::ZERO).unwrap();
    }

    /// What a host answers by, to serve it at another.
    pub(crate) fn handler(&self, host: &str) -> impl Handler + use<> {
        let handler = self.servers.borrow()[host].handler.borrow().clone();
        move |query: &Query<'_>| handler.handle(query)
    }

    /// What a host was asked, in order. Forgets it.
    pub(crate) fn asked(&self, host: &str) -> Vec<String> {
        self.servers.borrow().get(host).map(|server| server.log.take()).unwrap_or_default()
    }

    /// A configuration with this root, without priming.
    pub(crate) fn config(&self) -> RecursiveConfig {
        let root = SocketAddr::new(self.ip("root"), 53);
        RecursiveConfig::default().hints(RootHints::at([root])).priming(false)
    }

    pub(crate) fn resolver(&self, config: RecursiveConfig) -> RecursiveResolver {
        RecursiveResolver::new(&self.world.reactor(), config)
    }

    pub(crate) fn usual(&self) -> RecursiveResolver {
        self.resolver(self.config())
    }

    pub(crate) fn ask(
        &self,
        resolver: &RecursiveResolver,
        asked: &str,
        record_type: RecordType,
    ) -> Result<Resolved, RecursiveError> {
        self.world.get(resolver.look_up(Question::new(name(asked), record_type)))
    }

    /// The data of the records that are found.
    pub(crate) fn data(&self, resolver: &RecursiveResolver, asked: &str) -> Vec<String> {
        let found = self.ask(resolver, asked, RecordType::A).unwrap();
        found.records().iter().map(|record| record.data.to_string()).collect()
    }
}
