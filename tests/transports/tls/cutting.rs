//! However the ciphertext is split, the plaintext and the end are the same.

use std::time::Duration;

use sinew::{
    prelude::*,
    testing::{Pair, for_seeds},
};

use crate::support::{certs, noise};

/// Sends data, waits for the echo, and closes.
struct Asks {
    text: Vec<u8>,
    echoed: Vec<u8>,
}

impl Asks {
    fn new(len: usize) -> Self {
        Self { text: noise(len), echoed: Vec::new() }
    }
}

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.text);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.echoed.extend_from_slice(data);
        assert!(self.text.starts_with(&self.echoed));
        if self.echoed.len() == self.text.len() {
            transport.lose_connection();
        }
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn pair(len: usize) -> Pair<Echo, Asks> {
    let client = certs::client().to("localhost").unwrap();
    Pair::over_tls((&certs::server(), Echo), (client, Asks::new(len)))
}

fn assert_ended_well(pair: &Pair<Echo, Asks>) {
    pair.advance(Duration::from_secs(20));
    assert_eq!(pair.client_lost().as_deref(), Some("closed by this side"));
    assert_eq!(pair.server_lost().as_deref(), Some("closed by the peer"));
    pair.assert_over();
}

#[test]
fn whole() {
    let pair = pair(300_000);
    pair.drive();
    assert_ended_well(&pair);
}

#[test]
fn at_random() {
    for_seeds(0..20, |seed| {
        let pair = pair(1 + (seed as usize * 7919) % 50_000);
        while pair.step() {}
        assert_ended_well(&pair);
    });
}

/// Pieces of one size hit every position at which a record or a message may be split.
#[test]
fn at_every_byte() {
    for piece in [1, 2, 3, 5, 16, 100, 1000] {
        let pair = pair(20_000);
        while pair.step_by(piece) {}
        assert_ended_well(&pair);
    }
}
