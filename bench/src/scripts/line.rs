//! Lines, several in each chunk, each answered.

use std::time::Duration;

use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport};
use sinew::transports::memory;

use crate::Failed;

const CHUNKS: usize = 1_000;

/// Ten lines, of which the last is completed by the next chunk: a partial line is kept between any two.
const CHUNK: &str = "and so on\nalpha\nbravo charlie\ndelta\necho foxtrot golf hotel\nindia\njuliett\nkilo lima\n\
                     mike november\noscar papa quebec\nand ";

struct Answer;

impl LineHandler for Answer {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if let Err(error) = transport.send_line(line) {
            transport.fail(error);
        }
    }
}

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = Reactor::simulated(0);
    let lines = LineReceiver::with_decoder(Line::new(b"\n".as_slice()), Answer);
    let (_connection, wire) = memory::connect(&reactor, StreamConfig::default(), lines)?;
    reactor.turn(Some(Duration::ZERO))?;
    let mut answered = 0;
    for _ in 0..CHUNKS {
        wire.receive(CHUNK.as_bytes());
        crate::turn(&reactor, Duration::ZERO)?;
        answered += wire.sent().iter().filter(|&&byte| byte == b'\n').count();
    }
    if answered != 10 * CHUNKS {
        return Err(format!("{answered} lines were answered").into());
    }
    Ok(())
}
