//! Clients that reconnect automatically, to a server that is killed, over unreliable links.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::{prelude::*, sim::RandomFaults, testing::simulate};

use super::{
    fixture::Fixture,
    parties::{ECHO_QUEUED_MAX, Echo},
    watch::HostWatch,
};
use crate::{millis, secs, seeds};

const BACK_OFF_MIN: Duration = millis(100);
const BACK_OFF_MAX: Duration = secs(10);

/// Interval of pings, and timeout of their answers.
const PING: &[u8] = b"ping";
const PING_EVERY: Duration = secs(1);
const PATIENCE: Duration = secs(5);

/// A client's program: it is always connected or connecting.
#[derive(Clone)]
struct Client {
    watch: HostWatch,
    /// Number of connection attempts in progress or scheduled.
    dialling: Rc<Cell<u32>>,
}

impl Client {
    fn dial_after(&self, reactor: &Reactor, back_off: Duration) {
        self.dialling.set(self.dialling.get() + 1);
        let jitter = (reactor.random() % 1_000) as u32;
        let client = self.clone();
        reactor.call_later(back_off * (500 + jitter) / 1_000, move |reactor| {
            let pinger = client.clone();
            let factory = move |_: &Peer| {
                let client = pinger.clone();
                pinger.watch.watch(Pinger { client, unanswered: 0 })
            };
            let config = ConnectConfig::default().timeout(PATIENCE);
            let connecting = reactor.connect_tcp_with("server:7", config, factory);
            connecting.then(move |reactor, connected| {
                client.dialling.set(client.dialling.get() - 1);
                if connected.is_err() {
                    client.dial_after(reactor, (back_off * 2).min(BACK_OFF_MAX));
                }
            });
        });
    }
}

/// Sends pings, and aborts when no answer arrives.
struct Pinger {
    client: Client,
    unanswered: usize,
}

impl Protocol for Pinger {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(PING_EVERY);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        if self.unanswered > PING.len() * 5 {
            return transport.abort();
        }
        transport.write(PING);
        self.unanswered += PING.len();
        transport.call_later(PING_EVERY);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.unanswered = self.unanswered.checked_sub(data.len()).expect("as much as was sent");
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        if !matches!(reason, ConnectionLost::Shutdown) {
            self.client.dial_after(&transport.reactor().unwrap(), BACK_OFF_MIN);
        }
    }
}

#[test]
fn clients_reconnect_over_flapping_links() {
    simulate(seeds(), |network| {
        let fixture = Fixture::empty(network, 4, ECHO_QUEUED_MAX);
        fixture.watch.allow_kills();
        let serving = fixture.serving.clone();
        fixture.server.boot(move |reactor| {
            let serving = serving.clone();
            let stream = StreamConfig::default().idle_timeout(PATIENCE);
            let config = ListenConfig::default().stream(stream);
            let factory = move |_: &Peer| serving.watch(Echo);
            reactor.listen_tcp_with("0.0.0.0:7", config, factory).expect("a free port");
        });
        let mut clients = Vec::new();
        for host in &fixture.clients {
            let watch = fixture.watch.on(host, 1024);
            clients.push(watch.clone());
            host.boot(move |reactor| {
                let client = Client { watch: watch.clone(), dialling: Rc::default() };
                client.dial_after(reactor, BACK_OFF_MIN);
                // Never two connections at once, and never none.
                let alive = watch.clone();
                reactor.call_every(millis(250), move |_| {
                    let here = alive.alive() as u32 + client.dialling.get();
                    assert_eq!(here, 1, "{} alive", alive.alive());
                });
            });
        }
        let chance = RandomFaults::every(millis(500)).lasting(secs(4));
        network
            .set_random_faults(chance.cuts().partitions().resets().kills().power_cuts().pauses());
        network.run_for(secs(30)).unwrap();

        // Cuts have been healed; hosts restart when their faults end.
        network.set_random_faults(None);
        network.heal();
        network.run_for(secs(5) + PATIENCE + BACK_OFF_MAX * 2).unwrap();
        for client in &clients {
            assert_eq!(client.alive(), 1, "a client has not reconnected");
        }
        // The connections that the server considers alive are the clients'.
        network.run_for(PATIENCE).unwrap();
        assert_eq!(fixture.serving.alive(), clients.len());

        for client in &fixture.clients {
            client.reactor().call_soon(|reactor| reactor.stop().expect("it runs"));
        }
        fixture.play(secs(1));
    });
}
