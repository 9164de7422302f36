//! TLS over a simulated network: latency, fragmentation, loss, partitions, and reproducibility.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::LazyLock,
    time::Duration,
};

use sinew::{
    prelude::*,
    sim::{Host, Latency, Link, Network, RandomFaults},
    testing::{assert_clean, for_seeds},
    transports::TlsError,
};

use crate::support::{
    certs::{self, CertificateAndKey, authority},
    noise,
};

const PORT: u16 = 443;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server certificate whose key makes signatures of constant length.
static PAPERS: LazyLock<CertificateAndKey> =
    LazyLock::new(|| authority().issue_ed25519(&["server"]));

/// The reasons for which connections ended, each with its side.
type Ends = Rc<RefCell<Vec<(&'static str, String)>>>;

struct Echo(Ends);

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(transport.tls_info().is_some());
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.borrow_mut().push(("server", reason.to_string()));
    }
}

/// Sends a text, waits for the whole echo, and closes.
struct Asks {
    text: Rc<Vec<u8>>,
    echoed: usize,
    done: Rc<Cell<usize>>,
    ends: Ends,
}

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&*self.text);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(self.text[self.echoed..].starts_with(data), "not what was sent");
        self.echoed += data.len();
        if self.echoed == self.text.len() {
            self.done.set(self.done.get() + 1);
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.ends.borrow_mut().push(("client", reason.to_string()));
    }
}

/// A server with a certificate for its name, and a client that trusts it.
struct Fixture {
    network: Network,
    server: Host,
    client: Host,
    tls: TlsClientConfig,
    ends: Ends,
    done: Rc<Cell<usize>>,
}

impl Fixture {
    fn new(seed: u64) -> Self {
        let network = Network::new(seed);
        let (server, client) = (network.host("server"), network.host("client"));
        let ends = Ends::default();
        let theirs = ends.clone();
        let tls = TlsServerConfig::new(PAPERS.identity());
        server.boot(move |reactor| {
            let ends = theirs.clone();
            let idle = StreamConfig::default().idle_timeout(secs(60));
            let config = ListenConfig::default().stream(idle);
            let factory = move |_: &Peer| Echo(ends.clone());
            reactor.listen_tls_with(("0.0.0.0", PORT), config, &tls, factory).unwrap();
        });
        Self { network, server, client, tls: certs::client(), ends, done: Rc::default() }
    }

    fn connect(&self, len: usize) -> Connecting<Asks> {
        let (ends, done) = (self.ends.clone(), self.done.clone());
        let text = Rc::new(noise(len));
        let idle = StreamConfig::default().idle_timeout(secs(60));
        let config = ConnectConfig::default().stream(idle);
        let factory = move |_: &Peer| Asks {
            text: text.clone(),
            echoed: 0,
            done: done.clone(),
            ends: ends.clone(),
        };
        self.client.reactor().connect_tls_with(("server", PORT), config, &self.tls, factory)
    }

    fn ends(&self) -> Vec<(&'static str, String)> {
        let mut ends = self.ends.take();
        ends.sort();
        ends
    }
}

fn slow(mtu: usize, loss: f64) -> Link {
    let latency = Latency::Uniform(millis(5), millis(80));
    Link::default().latency(latency).mtu(mtu).loss(loss)
}

/// Pieces of a few bytes, some of which are retransmitted.
#[test]
fn fragmented_records_are_reassembled() {
    for_seeds(0..8, |seed| {
        for (mtu, loss, len) in [(100, 0.0, 3_000), (577, 0.05, 40_000), (1_500, 0.2, 100_000)] {
            let fixture = Fixture::new(seed);
            fixture.network.set_link(slow(mtu, loss));
            let connecting = fixture.connect(len);
            fixture.network.run_until(secs(600), || fixture.done.get() == 1).unwrap();
            let connection = connecting.take().unwrap().unwrap();
            drop(connection);
            fixture.network.run_for(secs(200)).unwrap();
            let expected = [
                ("client", "closed by this side".to_owned()),
                ("server", "closed by the peer".to_owned()),
            ];
            assert_eq!(fixture.ends(), expected, "pieces of {mtu}");
            assert_clean(&fixture.client.reactor());
        }
    });
}

/// A partition lasts longer than the handshake timeout, and no protocol is built at either end.
#[test]
fn an_interrupted_handshake_times_out() {
    for_seeds(0..20, |seed| {
        let fixture = Fixture::new(seed);
        fixture.network.set_link(Link::default().latency(Latency::Fixed(millis(100))));
        let connecting = fixture.connect(10);
        // TCP connects after two hundred milliseconds, TLS after another two hundred.
        fixture.network.run_for(millis(210 + seed * 9)).unwrap();
        fixture.network.cut(&fixture.server, &fixture.client);
        fixture.network.run_for(secs(9)).unwrap();
        assert!(!connecting.is_settled());
        fixture.network.run_for(secs(2)).unwrap();
        match connecting.take() {
            Some(Err(ConnectError::Tls { source: TlsError::TimedOut { after }, .. })) => {
                assert_eq!(after, secs(10));
            }
            other => panic!("{other:?}"),
        }
        fixture.network.run_for(secs(300)).unwrap();
        assert_eq!(fixture.done.get(), 0, "those that came to their end");
        assert!(fixture.ends().iter().all(|(whose, _)| *whose == "server"));
        assert_clean(&fixture.client.reactor());
    });
}

#[test]
fn a_partition_ends_by_healing_or_by_the_timeout() {
    for_seeds(0..10, |seed| {
        for heals in [true, false] {
            let fixture = Fixture::new(seed);
            fixture.network.set_link(slow(1_500, 0.0).bandwidth(50_000));
            fixture.connect(200_000).detach();
            fixture.network.run_for(secs(2) + millis(seed * 100)).unwrap();
            assert_eq!(fixture.done.get(), 0, "those that came to their end");
            fixture.network.cut(&fixture.server, &fixture.client);
            fixture.network.run_for(secs(10)).unwrap();
            if heals {
                fixture.network.heal();
            }
            fixture.network.run_for(secs(400)).unwrap();
            assert_eq!(fixture.done.get(), usize::from(heals));
            let ends = fixture.ends();
            assert_eq!(ends.len(), 2, "{ends:?}");
            let is_clean = |(_, why): &(_, String)| why.starts_with("closed by");
            assert_eq!(ends.iter().all(is_clean), heals, "{ends:?}");
            assert_clean(&fixture.client.reactor());
        }
    });
}

/// A killed process sends no close_notify: its data may be incomplete (truncation).
#[test]
fn a_killed_server_truncates_the_stream() {
    for_seeds(0..10, |seed| {
        let fixture = Fixture::new(seed);
        fixture.network.set_link(slow(1_500, 0.0).bandwidth(50_000));
        fixture.connect(200_000).detach();
        fixture.network.run_for(secs(2)).unwrap();
        fixture.server.kill();
        fixture.network.run_for(secs(400)).unwrap();
        let ends: Vec<_> =
            fixture.ends().into_iter().filter(|(whose, _)| *whose == "client").collect();
        assert_eq!(ends.len(), 1, "ends");
        assert!(!ends[0].1.starts_with("closed by"), "{ends:?}");
        assert_eq!(fixture.done.get(), 0, "those that came to their end");
        assert_clean(&fixture.client.reactor());
    });
}

/// Random cuts, pauses and resets: every connection is lost at both ends, and a truncated one is never taken for
/// complete.
#[test]
fn nothing_is_left_after_any_handshake() {
    for_seeds(0..10, |seed| {
        let fixture = Fixture::new(seed);
        fixture.network.set_link(slow(1_500, 0.02));
        fixture.network.set_random_faults(
            RandomFaults::every(secs(2)).lasting(secs(5)).cuts().pauses().resets(),
        );
        let all: Vec<_> = (0..10).map(|_| fixture.connect(30_000)).collect();
        fixture.network.run_for(secs(60)).unwrap();
        fixture.network.set_random_faults(None);
        fixture.network.heal();
        fixture.network.run_for(secs(3_000)).unwrap();
        assert!(all.iter().all(Connecting::is_settled));
        let made = all.iter().filter_map(Connecting::take).filter(Result::is_ok).count();
        let ends = fixture.ends();
        let whole = |end: &&(&str, String)| **end == ("client", "closed by this side".to_owned());
        assert_eq!(ends.iter().filter(|(whose, _)| *whose == "client").count(), made);
        assert_eq!(ends.iter().filter(whole).count(), fixture.done.get());
        assert_clean(&fixture.client.reactor());
    });
}

/// Keys are generated by the library and not from the seed. With the same certificate, and signatures of constant
/// length, everything else is reproducible: the times, the receivers, and the number of bytes.
#[test]
fn runs_are_reproducible_except_for_the_bytes() {
    fn run(seed: u64) -> (Vec<String>, u64) {
        let fixture = Fixture::new(seed);
        fixture.network.set_link(slow(1_500, 0.02));
        for _ in 0..3 {
            fixture.connect(5_000).detach();
        }
        fixture.network.run_for(secs(100)).unwrap();
        assert_eq!(fixture.done.get(), 3, "those that came to their end");
        (fixture.network.trace_tail(usize::MAX), fixture.network.trace_hash())
    }
    for_seeds(0..5, |seed| {
        let ((first, hash), (second, other)) = (run(seed), run(seed));
        assert!(first.len() > 20);
        assert_eq!(first, second);
        assert_ne!(hash, other, "the bytes are not those of the seed");
        assert_ne!(first, run(seed + 1_000).0);
    });
}
