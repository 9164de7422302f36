//! Requests to a server that sends back what it receives: [`EchoExchange`]. Pure.

use super::{
    exchange::{Exchange, Found},
    tally::Trouble,
};

/// The bytes are taken from this many, in turn: a prime, so that messages of no usual length begin alike.
const PERIOD: usize = 251;

/// Messages of a fixed length. Each byte follows from its place in the stream, so that a byte lost, doubled or moved is noticed.
#[derive(Debug)]
pub(crate) struct EchoExchange {
    size: usize,
    /// The place in the stream of the next byte to send, modulo the period.
    out_at: usize,
    /// That of the next byte to receive.
    in_at: usize,
    /// How much of the answer has arrived.
    arrived: usize,
}

impl EchoExchange {
    pub(crate) const fn new(size: usize) -> Self {
        Self { size, out_at: 0, in_at: 0, arrived: 0 }
    }
}

/// Two periods, so that a piece of up to one period from any place in the first is a slice.
static STREAM: [u8; 2 * PERIOD] = {
    let mut stream = [0; 2 * PERIOD];
    let mut at = 0;
    while at < stream.len() {
        stream[at] = (at % PERIOD) as u8;
        at += 1;
    }
    stream
};

/// The pieces of the stream from `at` on, `len` bytes in all.
fn pieces(mut at: usize, mut len: usize) -> impl Iterator<Item = &'static [u8]> {
    std::iter::from_fn(move || {
        let piece = &STREAM[at..at + len.min(PERIOD)];
        len -= piece.len();
        at = (at + piece.len()) % PERIOD;
        (!piece.is_empty()).then_some(piece)
    })
}

impl Exchange for EchoExchange {
    fn request(&mut self, out: &mut Vec<u8>) {
        pieces(self.out_at, self.size).for_each(|piece| out.extend_from_slice(piece));
        self.out_at = (self.out_at + self.size) % PERIOD;
    }

    fn answer(&mut self, input: &mut &[u8]) -> Result<Found, Trouble> {
        let len = input.len().min(self.size - self.arrived);
        let (mut mine, rest) = input.split_at(len);
        for expected in pieces(self.in_at, len) {
            let (piece, later) = mine.split_at(expected.len());
            if piece != expected {
                return Err(Trouble::Wrong("other bytes than were sent".into()));
            }
            mine = later;
        }
        *input = rest;
        self.in_at = (self.in_at + len) % PERIOD;
        self.arrived += len;
        if self.arrived < self.size {
            return Ok(Found::Incomplete);
        }
        self.arrived = 0;
        Ok(Found::Answer)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::exchange::found_in_every_split, *};

    fn requests(size: usize, count: usize) -> Vec<u8> {
        let (mut exchange, mut out) = (EchoExchange::new(size), Vec::new());
        (0..count).for_each(|_| exchange.request(&mut out));
        out
    }

    #[test]
    fn what_was_sent_is_right() {
        for size in [1, 16, 250, 251, 252, 1_000] {
            let sent = requests(size, 3);
            assert_eq!(sent.len(), 3 * size);
            let found = found_in_every_split(|| Box::new(EchoExchange::new(size)), &sent);
            assert_eq!(found, Ok(vec![Found::Answer, Found::Answer, Found::Answer]), "{size}");
        }
    }

    #[test]
    fn a_byte_lost_or_changed_is_wrong() {
        let mut changed = requests(100, 2);
        changed[150] ^= 1;
        let mut lost = requests(100, 3);
        lost.remove(150);
        for wrong in [changed, lost] {
            let mut exchange = EchoExchange::new(100);
            let mut input = &wrong[..];
            assert_eq!(exchange.answer(&mut input), Ok(Found::Answer));
            assert!(exchange.answer(&mut input).is_err());
        }
    }
}
