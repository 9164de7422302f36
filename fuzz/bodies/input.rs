//! [`Input`]: reads a fuzzer's data from the front. Never fails: past the end it returns zeros.

pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    /// Up to `len` bytes, as many as are left.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// Up to 15 bytes, preceded by their number.
    pub(crate) fn few_bytes(&mut self) -> &'a [u8] {
        let len = self.byte() % 16;
        self.bytes(len.into())
    }

    /// Lengths of pieces, to be used in turn by [`pieces`](super::pieces::pieces): some from the data, then `last`.
    pub(crate) fn piece_lens(&mut self, last: usize) -> Vec<usize> {
        let lens = self.few_bytes().iter().map(|len| usize::from(*len) + 1);
        lens.chain([last]).collect()
    }

    /// A script for later, preceded by its length.
    pub(crate) fn script(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.bytes(len.into())
    }

    /// All remaining bytes.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }
}
