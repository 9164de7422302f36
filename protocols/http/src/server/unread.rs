//! Input that came and is not used yet: [`Unread`]. Owns no storage while there is none.

use std::time::Instant;

/// What is used is left in front until it is more than what is not, so taking requests out one by one moves no byte twice.
#[derive(Debug, Default)]
pub(super) struct Unread(Option<Box<Input>>);

#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    used: usize,
    head: Option<BegunHead>,
}

/// A head of which a part has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct BegunHead {
    /// How much of the rest is known to be no whole head.
    pub(super) seen: usize,
    /// When it has to be whole.
    pub(super) deadline: Instant,
}

impl Unread {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn len(&self) -> usize {
        self.rest().len()
    }

    pub(super) fn push(&mut self, input: &[u8]) {
        if !input.is_empty() {
            self.0.get_or_insert_default().bytes.extend_from_slice(input);
        }
    }

    /// Takes all out, to be looked at while its owner is borrowed.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |input| &input.bytes[input.used..])
    }

    /// So many bytes of the rest are used.
    pub(super) fn advance(&mut self, used: usize) {
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

    /// Notes that the rest is a part of a head; or that it is something else.
    pub(super) fn set_head(&mut self, head: Option<BegunHead>) {
        if let Some(input) = &mut self.0 {
            input.head = head;
        }
    }

    pub(super) fn head(&self) -> Option<BegunHead> {
        self.0.as_ref()?.head
    }

    pub(super) fn into_rest(self) -> Vec<u8> {
        let Some(mut input) = self.0 else { return Vec::new() };
        input.bytes.drain(..input.used);
        input.bytes
    }
}
