//! Replaces `decoding.rs` without the feature `compression`: no coding is supported.

use crate::codec::BodyError;

pub(crate) const CODINGS: Option<&str> = None;

/// No coding is supported.
pub(crate) enum Decoding {}

impl Decoding {
    pub(crate) const fn new(_: &str) -> Option<Self> {
        None
    }

    pub(crate) const fn push(&mut self, _: &[u8]) {
        match *self {}
    }

    pub(crate) const fn next(&mut self) -> Result<Option<&[u8]>, BodyError> {
        match *self {}
    }

    pub(crate) const fn is_drained(&self) -> bool {
        match *self {}
    }

    pub(crate) const fn finish(&self) -> Result<(), BodyError> {
        match *self {}
    }
}
