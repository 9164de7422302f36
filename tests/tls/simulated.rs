//! TLS over a simulated network: latency, short pieces, loss, cuts, and what of it happens again from the same seed.

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
    certs::{self, Papers, authority},
    noise,
};

const PORT: u16 = 443;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server's papers, with a key that signs in as many bytes each time.
static PAPERS: LazyLock<Papers> = LazyLock::new(|| authority().vouch_for_ed25519(&["server"]));

/// What the ends of connections were, each with whose it was.
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

/// Sends a text, waits for all of it to come back, and closes.
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

/// A server that has papers for its name, and a client that believes them.
struct Stage {
    network: Network,
    server: Host,
    client: Host,
    tls: TlsClientConfig,
    ends: Ends,
    done: Rc<Cell<usize>>,
}

impl Stage {
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

/// In pieces of a few bytes, of which some have to be sent again.
#[test]
fn what_comes_late_and_in_pieces_comes_whole() {
    for_seeds(0..8, |seed| {
        for (mtu, loss, len) in [(100, 0.0, 3_000), (577, 0.05, 40_000), (1_500, 0.2, 100_000)] {
            let stage = Stage::new(seed);
            stage.network.set_link(slow(mtu, loss));
            let connecting = stage.connect(len);
            stage.network.run_until(secs(600), || stage.done.get() == 1).unwrap();
            let connection = connecting.take().unwrap().unwrap();
            drop(connection);
            stage.network.run_for(secs(200)).unwrap();
            let expected = [
                ("client", "closed by this side".to_owned()),
                ("server", "closed by the peer".to_owned()),
            ];
            assert_eq!(stage.ends(), expected, "pieces of {mtu}");
            assert_clean(&stage.client.reactor());
        }
    });
}

/// A network that is cut takes the time that a handshake may have, and no protocol is built for it, at either end.
#[test]
fn a_handshake_that_is_cut_is_given_up_in_time() {
    for_seeds(0..20, |seed| {
        let stage = Stage::new(seed);
        stage.network.set_link(Link::default().latency(Latency::Fixed(millis(100))));
        let connecting = stage.connect(10);
        // The connection stands after two hundred milliseconds, TLS after another two hundred.
        stage.network.run_for(millis(210 + seed * 9)).unwrap();
        stage.network.cut(&stage.server, &stage.client);
        stage.network.run_for(secs(9)).unwrap();
        assert!(!connecting.is_settled());
        stage.network.run_for(secs(2)).unwrap();
        match connecting.take() {
            Some(Err(ConnectError::Tls { source: TlsError::TimedOut { after }, .. })) => {
                assert_eq!(after, secs(10));
            }
            other => panic!("{other:?}"),
        }
        stage.network.run_for(secs(300)).unwrap();
        assert_eq!(stage.done.get(), 0, "those that came to their end");
        assert!(stage.ends().iter().all(|(whose, _)| *whose == "server"));
        assert_clean(&stage.client.reactor());
    });
}

#[test]
fn a_cut_in_the_middle_ends_with_its_heal_or_its_time() {
    for_seeds(0..10, |seed| {
        for heals in [true, false] {
            let stage = Stage::new(seed);
            stage.network.set_link(slow(1_500, 0.0).bandwidth(50_000));
            drop(stage.connect(200_000));
            stage.network.run_for(secs(2) + millis(seed * 100)).unwrap();
            assert_eq!(stage.done.get(), 0, "those that came to their end");
            stage.network.cut(&stage.server, &stage.client);
            stage.network.run_for(secs(10)).unwrap();
            if heals {
                stage.network.heal();
            }
            stage.network.run_for(secs(400)).unwrap();
            assert_eq!(stage.done.get(), usize::from(heals));
            let ends = stage.ends();
            assert_eq!(ends.len(), 2, "{ends:?}");
            let is_clean = |(_, why): &(_, String)| why.starts_with("closed by");
            assert_eq!(ends.iter().all(is_clean), heals, "{ends:?}");
            assert_clean(&stage.client.reactor());
        }
    });
}

/// A process that is killed says nothing of an end: what it had sent may not be all.
#[test]
fn the_end_of_a_killed_server_is_none_of_tls() {
    for_seeds(0..10, |seed| {
        let stage = Stage::new(seed);
        stage.network.set_link(slow(1_500, 0.0).bandwidth(50_000));
        drop(stage.connect(200_000));
        stage.network.run_for(secs(2)).unwrap();
        stage.server.kill();
        stage.network.run_for(secs(400)).unwrap();
        let ends: Vec<_> =
            stage.ends().into_iter().filter(|(whose, _)| *whose == "client").collect();
        assert_eq!(ends.len(), 1, "ends");
        assert!(!ends[0].1.starts_with("closed by"), "{ends:?}");
        assert_eq!(stage.done.get(), 0, "those that came to their end");
        assert_clean(&stage.client.reactor());
    });
}

/// Cuts, pauses and resets at random: each connection has an end at either side, and none is taken for whole that is not.
#[test]
fn whatever_happens_nothing_is_left() {
    for_seeds(0..10, |seed| {
        let stage = Stage::new(seed);
        stage.network.set_link(slow(1_500, 0.02));
        stage.network.set_random_faults(
            RandomFaults::every(secs(2)).lasting(secs(5)).cuts().pauses().resets(),
        );
        let all: Vec<_> = (0..10).map(|_| stage.connect(30_000)).collect();
        stage.network.run_for(secs(60)).unwrap();
        stage.network.set_random_faults(None);
        stage.network.heal();
        stage.network.run_for(secs(3_000)).unwrap();
        assert!(all.iter().all(Connecting::is_settled));
        let made = all.iter().filter_map(Connecting::take).filter(Result::is_ok).count();
        let ends = stage.ends();
        let whole = |end: &&(&str, String)| **end == ("client", "closed by this side".to_owned());
        assert_eq!(ends.iter().filter(|(whose, _)| *whose == "client").count(), made);
        assert_eq!(ends.iter().filter(whole).count(), stage.done.get());
        assert_clean(&stage.client.reactor());
    });
}

/// Keys are drawn by the library, and not from the seed. With the same papers, and a key whose signatures are always of one length,
/// what happens is the same in every other regard: when, to whom, and how many bytes.
#[test]
fn all_but_the_bytes_happens_again() {
    fn run(seed: u64) -> (Vec<String>, u64) {
        let stage = Stage::new(seed);
        stage.network.set_link(slow(1_500, 0.02));
        for _ in 0..3 {
            drop(stage.connect(5_000));
        }
        stage.network.run_for(secs(100)).unwrap();
        assert_eq!(stage.done.get(), 3, "those that came to their end");
        (stage.network.trace_tail(usize::MAX), stage.network.trace_hash())
    }
    for_seeds(0..5, |seed| {
        let ((first, hash), (second, other)) = (run(seed), run(seed));
        assert!(first.len() > 20);
        assert_eq!(first, second);
        assert_ne!(hash, other, "the bytes are not those of the seed");
        assert_ne!(first, run(seed + 1_000).0);
    });
}
