//! COMPRESS DEFLATE (RFC 8054): both directions of a connection, without I/O.

use std::io;

use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, Inflated};

/// Speed counts more than the last few percent.
const LEVEL: u32 = 3;

/// Both directions of a connection that is compressed. Takes about 50 KiB, and 300 KiB more from the first output until it is
/// [forgotten](Self::forget).
pub(super) struct Compression {
    inflate: Inflate,
    inflated: Vec<u8>,
    consumed: usize,
    deflate: Option<Deflate>,
}

impl Compression {
    /// Whether compression is there.
    pub(super) const IS_AVAILABLE: bool = true;

    /// For commands, lines or pieces of so many bytes at most, with all that belongs to them. `None` where there is no compression.
    pub(super) fn new(budget: u64) -> Option<Self> {
        let inflate = Inflate::new(Format::Raw).output_max(budget);
        Some(Self { inflate, inflated: Vec::new(), consumed: 0, deflate: None })
    }

    /// Bytes that are inflated, and not consumed.
    pub(super) fn inflated(&self) -> &[u8] {
        &self.inflated[self.consumed..]
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.consumed += len;
        if self.consumed == self.inflated.len() {
            // An idle connection owns no buffer.
            (self.inflated, self.consumed) = (Vec::new(), 0);
        }
    }

    /// Inflates one step, 16 KiB at most, from the front of the input. Called when all output is consumed.
    pub(super) fn inflate(&mut self, input: &mut &[u8]) -> io::Result<()> {
        (self.inflated, self.consumed) = (Vec::new(), 0);
        match self.inflate.inflate_into(input, &mut self.inflated) {
            Ok(Inflated::Output(_)) => Ok(()),
            Ok(Inflated::Incomplete) => {
                self.inflated = Vec::new();
                Ok(())
            }
            Ok(Inflated::End) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the compressed data have ended"))
            }
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// A command, a line or a piece was complete: the next one has the whole budget.
    pub(super) fn renew_budget(&mut self) {
        self.inflate.renew_budget();
    }

    /// Deflates output, so that the other side can read all of it.
    pub(super) fn deflate(&mut self, output: &[u8]) -> Vec<u8> {
        let deflate = self.deflate.get_or_insert_with(|| Deflate::new(Format::Raw, LEVEL));
        let mut deflated = Vec::new();
        deflate.deflate_into(output, Flush::Sync, &mut deflated);
        deflated
    }

    /// Holds nothing for output: what follows does not refer to what was before.
    pub(super) fn forget(&mut self) {
        self.deflate = None;
    }
}
