//! Loops: [`HopCounter`] counts the `Received` lines in the header of a message (RFC 5321 6.3). Pure.

const NAME: &[u8] = b"received:";

/// Counts how many servers a message has passed, as it streams by.
#[derive(Clone, Debug, Default)]
pub struct HopCounter {
    hops: usize,
    at: At,
}

#[derive(Clone, Copy, Debug, Default)]
enum At {
    /// So many bytes into a line, which all were those of the name.
    Name(usize),
    /// In a line that is something else.
    Other,
    /// Behind a CR in a line of no other bytes.
    EmptyCr,
    /// The header has not begun.
    #[default]
    Start,
    /// The header has ended.
    Body,
}

impl HopCounter {
    /// Takes the next piece of the message, with its CRLFs.
    pub fn feed(&mut self, piece: &[u8]) {
        if matches!(self.at, At::Body) {
            return;
        }
        for &byte in piece {
            self.at = match (self.at, byte) {
                (At::Body, _) => return,
                (At::EmptyCr, b'\n') => At::Body,
                (At::Start | At::Name(0), b'\r') => At::EmptyCr,
                (_, b'\n') => At::Name(0),
                (At::Start, byte) if byte.to_ascii_lowercase() == NAME[0] => At::Name(1),
                (At::Name(at), byte) if byte.to_ascii_lowercase() == NAME[at] => {
                    if at + 1 == NAME.len() {
                        self.hops += 1;
                        At::Other
                    } else {
                        At::Name(at + 1)
                    }
                }
                _ => At::Other,
            };
        }
    }

    /// How many there were so far.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.hops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_header_count() {
        let message = b"Received: from a\r\n\tby b\r\nX-Received: no\r\nreceived:x\r\nReceivedx: no\r\n received: folded\r\n\r\nReceived: body\r\n";
        for piece in 1..message.len() {
            let mut counter = HopCounter::default();
            message.chunks(piece).for_each(|piece| counter.feed(piece));
            assert_eq!(counter.hops(), 2, "pieces of {piece}");
        }
        let mut counter = HopCounter::default();
        counter.feed(b"\r\nReceived: body\r\n");
        assert_eq!(counter.hops(), 0, "the header is empty");
    }
}
