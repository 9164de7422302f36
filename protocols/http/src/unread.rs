//! Input that was received and is not consumed yet: [`Unread`]. Owns no storage while it is empty.

use std::mem;

/// Consumed bytes stay in front until they are more than the rest, so taking requests one by one moves no byte twice.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    bytes: Vec<u8>,
    used: usize,
}

impl Unread {
    pub(crate) const NONE: Self = Self { bytes: Vec::new(), used: 0 };

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.used
    }

    pub(crate) fn push(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.bytes.extend_from_slice(input);
        }
    }

    /// Takes everything, to be parsed while the owner is borrowed.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// So many bytes of the rest are used.
    pub(crate) fn advance(&mut self, used: usize) {
        self.used += used;
        if self.used == self.bytes.len() {
            *self = Self::default();
        } else if self.used > self.bytes.len() / 2 {
            self.bytes.drain(..self.used);
            self.used = 0;
            self.bytes.shrink_to(2 * self.bytes.len().max(1024));
        }
    }

    pub(crate) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.used);
        self.bytes
    }
}
