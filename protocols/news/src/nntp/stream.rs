//! The bytes of a connection, compressed or not: [`NewsStream`]. A server and a client read and write by it.

use std::{borrow::Cow, io, time::Duration};

use sinew_transports::{AsyncStream, Peer, Transport};

use super::compression::Compression;

/// Steps of 16 KiB that are inflated before others have their turn: a kilobyte may be 60 of them.
const STEPS_IN_TURN: u32 = 16;

pub(super) struct NewsStream {
    /// Below compression. Read and written by others before it begins only.
    pub(super) plain: AsyncStream,
    compression: Option<Box<Compression>>,
    /// Inflated in this turn.
    steps: u32,
}

impl NewsStream {
    pub(super) fn new(plain: AsyncStream) -> Self {
        Self { plain, compression: None, steps: 0 }
    }

    pub(super) fn transport(&self) -> &Transport {
        self.plain.transport()
    }

    pub(super) fn peer(&self) -> Peer {
        self.plain.peer()
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compression.is_some()
    }

    /// All that follows is compressed, both ways, beginning with what was received and not consumed.
    pub(super) fn compress(&mut self, compression: Compression) {
        self.compression = Some(Box::new(compression));
    }

    /// The next bytes, at least one; none at the end. Cancel safe.
    pub(super) async fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Some(compression) = &mut self.compression else { return self.plain.fill_buf().await };
        if compression.inflated().is_empty() {
            self.steps += 1;
            if self.steps > STEPS_IN_TURN
                && let Some(reactor) = self.plain.transport().reactor()
            {
                reactor.sleep(Duration::ZERO).await;
                self.steps = 0;
            }
        }
        while compression.inflated().is_empty() {
            // There may be more output of input that is used up.
            compression.inflate(&mut &b""[..])?;
            if !compression.inflated().is_empty() {
                break;
            }
            let mut input = self.plain.fill_buf().await?;
            let len = input.len();
            if len == 0 {
                return Ok(&[]);
            }
            let inflated = compression.inflate(&mut input);
            let used = len - input.len();
            self.plain.consume(used);
            inflated?;
        }
        Ok(compression.inflated())
    }

    pub(super) fn consume(&mut self, len: usize) {
        match &mut self.compression {
            Some(compression) => compression.consume(len),
            None => self.plain.consume(len),
        }
    }

    /// What was read is a whole: the next one may inflate to as much as the first.
    pub(super) fn renew_budget(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.renew_budget();
        }
    }

    /// The bytes as they are to be written to the stream below.
    pub(super) fn encoded<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        match &mut self.compression {
            Some(compression) if !bytes.is_empty() => Cow::Owned(compression.deflate(bytes)),
            _ => Cow::Borrowed(bytes),
        }
    }

    /// Gives back the memory that compressing output has taken, unless there is input that will have an answer at once.
    pub(super) fn rest(&mut self) {
        if let Some(compression) = &mut self.compression
            && compression.inflated().is_empty()
        {
            compression.forget();
        }
    }
}
