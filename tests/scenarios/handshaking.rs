//! The scenario of `talking.rs` over TLS: interrupted handshakes, fragmented records, half-close by close_notify.

use std::sync::LazyLock;

use sinew::{
    prelude::*,
    sim::{Latency, Link, Network, RandomFaults},
    testing::simulate,
};

use super::{
    fixture::{Fixture, again_and_again, patient_server},
    parties::{ECHO_QUEUED_MAX, Echo, TALKER_TOTAL_MAX, Talker},
};
use crate::{
    certs::{self, CertificateAndKey, authority},
    millis, secs, seeds,
};

/// A server certificate whose key makes signatures of constant length, so that runs are reproducible.
static PAPERS: LazyLock<CertificateAndKey> =
    LazyLock::new(|| authority().issue_ed25519(&["server"]));

/// An echo server with TLS clients. During the handshake there is no protocol yet, so only a part of the connections
/// is checked.
fn talking<'a>(network: &'a Network, clients: usize) -> Fixture<'a> {
    let mut fixture = Fixture::empty(network, clients, ECHO_QUEUED_MAX);
    fixture.serving = fixture.serving.in_part();
    let serving = fixture.serving.clone();
    let tls = TlsServerConfig::new(PAPERS.identity());
    fixture.server.boot(move |reactor| {
        let serving = serving.clone();
        let factory = move |_: &Peer| serving.watch(Echo);
        reactor.listen_tls_with("0.0.0.0:7", patient_server(), &tls, factory).expect("a free port");
    });
    let tls = certs::client();
    for client in &fixture.clients {
        let watch = fixture.watch.on(client, TALKER_TOTAL_MAX).in_part();
        let (tls, done) = (tls.clone(), fixture.done.clone());
        again_and_again(client, move |reactor| {
            let (watch, done, dialler) = (watch.clone(), done.clone(), reactor.downgrade());
            let factory = move |_: &Peer| {
                let reactor = dialler.upgrade().expect("the loop calls factories");
                watch.watch(Talker::new(&reactor, &done))
            };
            reactor.connect_tls("server:7", &tls, factory).detach();
        });
    }
    fixture
}

#[test]
fn talk_over_tls_and_bad_links() {
    simulate(seeds(), |network| {
        let fixture = talking(network, 2);
        let latency = Latency::Tailed(millis(5), millis(5));
        network.set_link(Link::default().latency(latency).loss(0.03).bandwidth(1_000_000));
        fixture.play(secs(20));
        assert!(fixture.done.get() > 8, "{} talks came to their end", fixture.done.get());
    });
}

#[test]
fn talk_over_tls_under_cuts_and_resets() {
    simulate(seeds(), |network| {
        let fixture = talking(network, 2);
        let chance = RandomFaults::every(millis(700)).lasting(secs(3));
        network.set_random_faults(chance.cuts().one_way_cuts().pauses().resets());
        fixture.play(secs(20));
    });
}
