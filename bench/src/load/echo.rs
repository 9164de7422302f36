//! Messages whose answers are known, byte by byte: their own bytes, or with WebSocket the same message in the frame of a server. An
//! [`Exchange`].

use anyhow::{Result, ensure};

use crate::answered::Exchange;
use crate::pattern::Pattern;

#[derive(Debug)]
pub(crate) struct Echo {
    sent: Pattern,
    /// The length of a message.
    len: usize,
    expected: Pattern,
    answer_len: usize,
}

/// How far a connection has come.
#[derive(Debug)]
pub(crate) struct Stream {
    number: usize,
    bytes_sent: u64,
    bytes_received: u64,
}

impl Echo {
    /// Messages of `len` bytes, each answered with itself.
    pub(crate) fn same(len: usize, pattern: impl Fn() -> Pattern) -> Self {
        Self { sent: pattern(), len, expected: pattern(), answer_len: len }
    }

    /// WebSocket messages of `len` bytes, each answered with itself.
    pub(crate) fn web_socket(len: usize) -> Self {
        let (sent, frame_len) = Pattern::masked_frames(len);
        let (expected, answer_len) = Pattern::frames(len);
        Self { sent, len: frame_len, expected, answer_len }
    }
}

impl Exchange for Echo {
    type State = Stream;

    const BUFFER_LEN: usize = 64 * 1024;

    fn state(&self, number: usize) -> Stream {
        Stream { number, bytes_sent: 0, bytes_received: 0 }
    }

    fn message_len(&self) -> usize {
        self.len
    }

    fn due<'a>(&'a self, stream: &Stream, due: usize) -> &'a [u8] {
        self.sent.run(stream.number, stream.bytes_sent, due)
    }

    fn sent(&self, stream: &mut Stream, len: usize) {
        stream.bytes_sent += len as u64;
    }

    fn check(&mut self, stream: &mut Stream, data: &[u8]) -> Result<usize> {
        let (before, len) = (stream.bytes_received, data.len());
        let after = before + len as u64;
        // An answer is at most as long as its message.
        ensure!(
            after <= stream.bytes_sent && self.expected.matches(stream.number, before, data),
            "bytes {before}..+{len} are not what was sent"
        );
        let answers = |bytes: u64| bytes / self.answer_len as u64;
        stream.bytes_received = after;
        Ok((answers(after) - answers(before)) as usize)
    }
}
