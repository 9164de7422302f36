//! Large downloads over a slow link to clients that read irregularly: a server that respects its watermarks never
//! queues more than they allow, and never stops early.

use std::{cell::Cell, rc::Rc};

use sinew::{
    prelude::*,
    sim::{Latency, Link, Network, RandomFaults},
    testing::simulate,
};

use super::{
    fixture::{Fixture, dial_again_and_again},
    parties::pattern,
};
use crate::{millis, secs, seeds};

/// Maximum size of a write.
const PIECE_MAX: usize = 20_000;

/// Maximum size of a download.
const TOTAL_MAX: usize = 150_000;

/// Length of the size prefix of a download.
const HEAD: usize = size_of::<u64>();

/// The byte at an offset of a download.
fn byte(total: usize, at: usize) -> u8 {
    let head = (total as u64).to_be_bytes();
    head.get(at).copied().unwrap_or_else(|| pattern(2, at))
}

/// Server side of a download that handles `writing_paused` itself.
struct Download {
    high: usize,
    total: usize,
    sent: usize,
    is_paused: bool,
}

impl Download {
    fn piece(&mut self, len: usize) -> Vec<u8> {
        let at = self.sent;
        self.sent += len.min(self.total - at);
        (at..self.sent).map(|at| byte(self.total, at)).collect()
    }

    fn pour(&mut self, transport: &Transport) {
        while !self.is_paused && self.sent < self.total {
            let random = transport.reactor().unwrap().random();
            // Sometimes exactly up to the watermark.
            let room = self.high.saturating_sub(transport.queued());
            let len = match random % 4 {
                0 if room > 0 => room.min(PIECE_MAX),
                _ => 1 + random as usize % PIECE_MAX,
            };
            let piece = self.piece(len);
            let status = transport.write(&piece);
            let queued = transport.queued();
            if status == WriteStatus::Closed {
                return;
            }
            assert_eq!(
                status == WriteStatus::AboveHighWatermark,
                queued > self.high,
                "{status:?} at {queued} bytes with a high watermark of {}",
                self.high
            );
            if queued > self.high {
                // A burst that the system accepts at once causes no callback, so check again in the next turn.
                transport.call_later(millis(0));
                return;
            }
        }
        if self.sent == self.total {
            transport.lose_connection();
        }
    }
}

impl Protocol for Download {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        self.pour(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.pour(transport);
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.is_paused = true;
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.is_paused = false;
        self.pour(transport);
    }
}

/// A producer, called whenever there is room.
struct Pieces(Download);

impl Producer for Pieces {
    fn produce(&mut self, transport: &Transport) -> Production {
        let len = 1 + transport.reactor().unwrap().random() as usize % PIECE_MAX;
        let piece = self.0.piece(len);
        transport.write(&piece);
        if self.0.sent == self.0.total { Production::Done } else { Production::More }
    }
}

/// A server of either kind.
struct Server {
    download: Option<Download>,
    by_hand: bool,
}

impl Server {
    fn new(high: usize, random: u64) -> Self {
        let total = HEAD + random as usize % TOTAL_MAX;
        let download = Some(Download { high, total, sent: 0, is_paused: false });
        Self { download, by_hand: random >> 32 & 3 != 0 }
    }
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        match &mut self.download {
            Some(download) if self.by_hand => download.data_received(transport, data),
            download => {
                transport.stream(Pieces(download.take().expect("a client asks once")));
                transport.lose_connection();
            }
        }
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        self.download.iter_mut().for_each(|download| download.timer_fired(transport, timer));
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.download.iter_mut().for_each(|download| download.writing_paused(transport));
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.download.iter_mut().for_each(|download| download.writing_resumed(transport));
    }
}

/// Requests once, and reads to the end.
struct Client {
    got: usize,
    head: [u8; HEAD],
    done: Rc<Cell<u64>>,
}

impl Client {
    /// The size, once the prefix has been received.
    fn total(&self) -> usize {
        u64::from_be_bytes(self.head) as usize
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(60));
        transport.write(b"?");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let head = self.head.iter_mut().skip(self.got);
        head.zip(data).for_each(|(head, byte)| *head = *byte);
        let at = self.got;
        self.got += data.len();
        let total = self.total();
        assert!(self.got < HEAD || self.got <= total, "{} of {total} bytes came", self.got);
        let is_it = data.iter().zip(at..).all(|(came, at)| at < HEAD || *came == byte(total, at));
        assert!(is_it, "{} bytes at {at} are not those that went in", data.len());
        let random = transport.reactor().unwrap().random();
        if random.is_multiple_of(16) {
            transport.pause_reading();
            transport.call_later(millis(random >> 32 & 511));
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.resume_reading();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        if reason.is_clean() {
            let total = self.total();
            assert_eq!(self.got, total, "a download ended normally but incomplete");
            self.done.set(self.done.get() + 1);
        }
    }
}

pub(crate) fn downloads(network: &Network, pauses: &Cell<u64>) {
    let mut fixture = Fixture::empty(network, 3, 0);
    let random = fixture.server.reactor().random();
    let high = [0, 1, 1_000, 16_384, 65_536][random as usize % 5];
    let low = [0, high / 4, high][(random >> 32) as usize % 3];
    let max = high + PIECE_MAX;
    fixture.serving = fixture.serving.watermarks(high, low).queued_max(max);
    let latency = Latency::Tailed(millis(5), millis(5));
    network.set_link(Link::default().latency(latency).loss(0.01).bandwidth(400_000));
    let serving = fixture.serving.clone();
    fixture.server.boot(move |reactor| {
        let (serving, draws) = (serving.clone(), reactor.downgrade());
        let stream = StreamConfig::default().watermarks(high, low).idle_timeout(secs(60));
        let factory = move |_: &Peer| {
            let random = draws.upgrade().expect("the loop calls factories").random();
            serving.watch(Server::new(high, random))
        };
        let config = ListenConfig::default().stream(stream);
        reactor.listen_tcp_with("0.0.0.0:7", config, factory).expect("a free port");
    });
    for client in &fixture.clients {
        let (watch, done) = (fixture.watch.on(client, 1), fixture.done.clone());
        dial_again_and_again(client, move |_| {
            watch.watch(Client { got: 0, head: [0; HEAD], done: done.clone() })
        });
    }
    network.set_random_faults(RandomFaults::every(secs(2)).lasting(secs(1)).pauses().cuts());
    fixture.play(secs(20));
    pauses.set(pauses.get() + fixture.serving.pauses());
    // All faults are over, and nothing waits forever.
    let (done, made) = (fixture.done.get(), fixture.serving.made());
    assert_eq!(done, made, "downloads completed and started");
    assert!(done > 20, "{done} downloads");
}

#[test]
fn downloads_over_a_slow_link() {
    let pauses = Cell::new(0);
    simulate(seeds(), |network| downloads(network, &pauses));
    assert!(pauses.get() > 0, "no queue was ever above its high watermark");
}
