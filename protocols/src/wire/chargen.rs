//! Character generator, RFC 864: [`Chargen`].

use bytes::Bytes;
use sinew_transports::{Producer, Production, Protocol, Transport};

/// The printable ASCII characters, from the space to the tilde.
const PRINTABLE: usize = 95;
/// Characters per line.
const LINE: usize = 72;
/// Bytes per line, with its CRLF.
const WITH_END: usize = LINE + 2;

/// All distinct lines: each starts one character later, so they repeat after `PRINTABLE` lines.
static PAGE: [u8; PRINTABLE * WITH_END] = page();

const fn page() -> [u8; PRINTABLE * WITH_END] {
    let mut page = [0; PRINTABLE * WITH_END];
    let mut at = 0;
    while at < page.len() {
        let (line, column) = (at / WITH_END, at % WITH_END);
        page[at] = match column {
            LINE => b'\r',
            column if column > LINE => b'\n',
            _ => b' ' + ((line + column) % PRINTABLE) as u8,
        };
        at += 1;
    }
    page
}

/// Sends characters endlessly, and discards what it receives.
///
/// The lines are those shown in RFC 864: 72 of the 95 printable characters, each line starting one character later.
///
/// A loop of writes would fill the memory, since `write` never blocks. So it registers a [`Producer`], which is
/// called for another page whenever the send queue is low: the peer sets the pace. The page is a `static`, and
/// [`write_bytes`](Transport::write_bytes) queues it without a copy.
///
/// A graceful close waits for producers to finish, and this one never finishes by itself: hence the check whether the
/// connection is closing.
///
/// # Examples
///
/// `Chargen::default()` is endless, as in the RFC. A test, or an open network, may want an end:
///
/// ```
/// use sinew_protocols::wire::Chargen;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Chargen::pages(2).connection_made(&transport);
/// let sent = wire.sent();
/// assert!(sent.starts_with(b" !\"#$%&'()*+,-./0123456789:;<=>?@ABC"));
/// assert_eq!(sent.len(), 2 * 95 * 74);
/// assert!(wire.is_closing());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Chargen {
    pages_left: u64,
}

impl Chargen {
    /// Closes after `pages` pages of 95 lines, which are all the distinct lines.
    #[must_use]
    pub const fn pages(pages: u64) -> Self {
        Self { pages_left: pages }
    }
}

impl Default for Chargen {
    /// Practically endless: `u64::MAX` pages.
    fn default() -> Self {
        Self::pages(u64::MAX)
    }
}

impl Protocol for Chargen {
    fn connection_made(&mut self, transport: &Transport) {
        transport.stream(*self);
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

impl Producer for Chargen {
    fn produce(&mut self, transport: &Transport) -> Production {
        if transport.is_closing() {
            return Production::Done;
        }
        let Some(left) = self.pages_left.checked_sub(1) else {
            transport.lose_connection();
            return Production::Done;
        };
        self.pages_left = left;
        transport.write_bytes(Bytes::from_static(&PAGE));
        Production::More
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_the_rfc() {
        let lines: Vec<_> = PAGE.chunks(WITH_END).collect();
        let expected = [
            (0, r##" !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefg"##),
            (1, r##"!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefgh"##),
            (24, r##"89:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~ "##),
            (94, r##"~ !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdef"##),
        ];
        for (number, line) in expected {
            assert_eq!(lines[number], format!("{line}\r\n").as_bytes());
        }
        assert_eq!(lines.len(), 95);
    }

    #[test]
    fn ends_when_the_connection_does() {
        let (transport, wire) = Transport::memory();
        let mut chargen = Chargen::default();
        assert_eq!(chargen.produce(&transport), Production::More);
        transport.lose_connection();
        assert_eq!(chargen.produce(&transport), Production::Done);
        assert_eq!(wire.sent().len(), PAGE.len());
    }
}
