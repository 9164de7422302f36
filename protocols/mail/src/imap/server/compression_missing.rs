//! Replaces `compression.rs` without the feature `compression`: COMPRESS is not offered.

pub(super) const IS_OFFERED: bool = false;

pub(super) struct Inflating(());

#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as in `compression.rs`")]
impl Inflating {
    pub(super) fn new(_: u64) -> Self {
        Self(())
    }

    pub(super) fn push(&mut self, _: &[u8]) {}

    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    pub(super) fn renew(&mut self) {}
}

#[derive(Default)]
pub(super) struct Deflating(());

#[allow(clippy::unused_self, reason = "as in `compression.rs`")]
impl Deflating {
    pub(super) fn deflate(&mut self, output: &[u8]) -> Vec<u8> {
        output.to_vec()
    }

    pub(super) fn forget(&mut self) {}
}
