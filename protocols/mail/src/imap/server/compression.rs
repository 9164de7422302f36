//! COMPRESS (RFC 4978): input that is inflated step by step, and output that is deflated answer by answer.

use bytes::Bytes;
use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, Inflated};

/// Whether COMPRESS is offered.
pub(super) const IS_OFFERED: bool = true;

/// Speed counts more than the last few percent.
const LEVEL: u32 = 3;

/// Compressed input. What is not inflated yet is kept compressed.
pub(super) struct Inflating {
    inflate: Inflate,
    input: Bytes,
}

impl Inflating {
    /// For commands of so many bytes at most, with all that belongs to them.
    pub(super) fn new(command_max: u64) -> Self {
        Self { inflate: Inflate::new(Format::Raw).output_max(command_max), input: Bytes::new() }
    }

    /// More input.
    pub(super) fn push(&mut self, input: &[u8]) {
        self.input = match self.input.is_empty() {
            true => Bytes::copy_from_slice(input),
            false => [&self.input[..], input].concat().into(),
        };
    }

    /// The next step, 16 KiB at most; `None` if there is nothing more.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut input = &self.input[..];
        let before = input.len();
        let step = match self.inflate.inflate(&mut input).map_err(|error| error.to_string())? {
            Inflated::Output(step) => Some(step.to_vec()),
            Inflated::Incomplete => None,
            Inflated::End => return Err("the compressed data have ended".to_owned()),
        };
        let consumed = before - input.len();
        self.input = if consumed == before { Bytes::new() } else { self.input.slice(consumed..) };
        Ok(step)
    }

    /// A command has ended: the next one has the whole budget.
    pub(super) fn renew(&mut self) {
        self.inflate.renew_budget();
    }
}

/// Compressed output. Between two answers it holds nothing: what follows does not refer to what was before.
#[derive(Default)]
pub(super) struct Deflating(Option<Deflate>);

impl Deflating {
    /// Deflates a piece of an answer, so that the client can read all of it.
    pub(super) fn deflate(&mut self, output: &[u8]) -> Vec<u8> {
        let deflate = self.0.get_or_insert_with(|| Deflate::new(Format::Raw, LEVEL));
        let mut deflated = Vec::new();
        deflate.deflate_into(output, Flush::Sync, &mut deflated);
        deflated
    }

    /// The answer has ended.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}
