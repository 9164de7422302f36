//! COMPRESS=DEFLATE (RFC 4978): both directions of a connection.

use std::io;

use sinew_protocols::compression::{Deflate, Flush, Format, Inflate};

/// Most output that is inflated without a message in it: far more than any limit of messages lets through.
const OUTPUT_MAX: u64 = 64 * 1024 * 1024;

/// Whether compression is there.
pub(super) const IS_AVAILABLE: bool = true;

/// What is received. Inflates 16 KiB at a time, and no faster than it is consumed.
#[derive(Debug)]
pub(super) struct Inflating {
    inflate: Inflate,
    inflated: Vec<u8>,
    consumed: usize,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Deflating(Deflate);

impl Inflating {
    pub(super) fn new() -> Self {
        let inflate = Inflate::new(Format::Raw).output_max(OUTPUT_MAX);
        Self { inflate, inflated: Vec::new(), consumed: 0 }
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

    /// Inflates one step, from the front of the input. Called when all output is consumed.
    pub(super) fn inflate(&mut self, input: &mut &[u8]) -> io::Result<()> {
        self.inflated.clear();
        self.consumed = 0;
        let failed = |error: &dyn std::fmt::Display| {
            io::Error::new(io::ErrorKind::InvalidData, error.to_string())
        };
        match self.inflate.inflate_into(input, &mut self.inflated) {
            Ok(sinew_protocols::compression::Inflated::End) => {
                Err(failed(&"the compressed data have ended"))
            }
            Ok(_) => {
                if self.inflated.is_empty() {
                    self.inflated = Vec::new();
                }
                Ok(())
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// A message was complete: the budget begins anew.
    pub(super) fn renew_budget(&mut self) {
        self.inflate.renew_budget();
    }
}

impl Deflating {
    pub(super) fn new() -> Self {
        Self(Deflate::new(Format::Raw, 6))
    }

    /// The bytes as they are sent, so that the peer can read all of them.
    pub(super) fn deflate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        self.0.deflate_into(bytes, Flush::Sync, &mut output);
        output
    }
}
