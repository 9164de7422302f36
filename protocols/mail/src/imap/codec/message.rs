//! A whole command or response, as it was received: [`Message`].

use std::fmt;

/// A command or a response with its literals, from a [`MessageDecoder`](super::MessageDecoder): what the parsers read.
///
/// It has the text as it was received, without the last line end; a literal follows its `{length}` and CRLF. Of a literal that was
/// streamed, the bytes are not there, only the announcement.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    pub(super) bytes: Vec<u8>,
    /// Where the bytes of streamed literals would be, in ascending order.
    pub(super) streamed: Vec<usize>,
}

impl Message {
    /// A message whose literals are all there. Line ends within it are those after `{length}`.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), streamed: Vec::new() }
    }

    /// The bytes: text, announcements, and literals that were not streamed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, if the message is one line without a literal: a response of SASL, `DONE`.
    #[must_use]
    pub fn line(&self) -> Option<&[u8]> {
        let has_literal = !self.streamed.is_empty() || self.bytes.contains(&b'\n');
        (!has_literal).then_some(&self.bytes[..])
    }

    /// The first word, if it could be a tag: to answer a command that cannot be parsed.
    #[must_use]
    pub fn tag(&self) -> Option<super::Tag> {
        super::Tag::at_front(&self.bytes)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a password.
        f.debug_struct("Message").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}
