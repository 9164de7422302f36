//! Input that was received and is not consumed yet: [`Unread`]. Owns no storage while it is empty.

use std::time::Instant;

/// Consumed bytes stay in front until they are more than the rest, so taking requests one by one moves no byte twice. Boxed, so that idle
/// connections are small.
#[derive(Debug, Default)]
pub(crate) struct Unread(Option<Box<Input>>);

#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    used: usize,
    head: Option<PartialHead>,
}

/// A head of which a part was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartialHead {
    /// The length of the part of the rest that is known not to contain a complete head.
    pub(crate) seen: usize,
    /// When the head has to be complete.
    pub(crate) deadline: Instant,
}

impl Unread {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.rest().len()
    }

    pub(crate) fn push(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.0.get_or_insert_default().bytes.extend_from_slice(input);
        }
    }

    /// Takes everything, to be parsed while the owner is borrowed.
    pub(crate) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(crate) fn rest(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |input| &input.bytes[input.used..])
    }

    /// So many bytes of the rest are used.
    pub(crate) fn advance(&mut self, used: usize) {
        let Some(input) = &mut self.0 else { return };
        input.used += used;
        if input.used == input.bytes.len() {
            self.0 = None;
        } else if input.used > input.bytes.len() / 2 {
            input.bytes.drain(..input.used);
            input.used = 0;
            input.bytes.shrink_to(2 * input.bytes.len().max(1024));
        }
    }

    /// Records that the rest is a part of a head, or that it is not.
    pub(crate) fn set_head(&mut self, head: Option<PartialHead>) {
        if let Some(input) = &mut self.0 {
            input.head = head;
        }
    }

    pub(crate) fn head(&self) -> Option<PartialHead> {
        self.0.as_ref()?.head
    }

    pub(crate) fn into_rest(self) -> Vec<u8> {
        let Some(mut input) = self.0 else { return Vec::new() };
        input.bytes.drain(..input.used);
        input.bytes
    }
}
