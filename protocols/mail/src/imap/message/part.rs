//! A part of a message, with the parts inside of it: [`Part`].

use std::ops::Range;

use super::ContentFields;

/// A message, or a part of one: where its header and its body are, in bytes from the beginning of the whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The header, with the empty line at its end.
    pub header: Range<u64>,
    /// The body.
    pub body: Range<u64>,
    /// The line ends in the body.
    pub lines: u64,
    /// What the header tells of the content.
    pub fields: Box<ContentFields>,
    /// What is inside.
    pub content: Content,
}

/// What is inside of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// No other parts.
    Single,
    /// Parts one after the other.
    Multipart(Vec<Part>),
    /// A message.
    Message {
        /// Its envelope, as ENVELOPE writes it.
        envelope: Box<[u8]>,
        /// The message.
        message: Box<Part>,
    },
}

impl Part {
    /// The part of a number (RFC 3501 6.4.5): of a message that is not of several parts, 1 is the message itself.
    #[must_use]
    pub fn numbered(&self, path: &[u32]) -> Option<&Self> {
        let mut part = self;
        for (depth, &number) in path.iter().enumerate() {
            // Numbers count inside of a message that is a part, not in the part that wraps it.
            let outer = match &part.content {
                Content::Message { message, .. } if depth > 0 => message,
                _ => part,
            };
            part = match &outer.content {
                Content::Multipart(parts) => {
                    let index = usize::try_from(number).ok()?.checked_sub(1)?;
                    parts.get(index)?
                }
                // Only of a message: a part that is no message has no parts.
                _ if number == 1 && (depth == 0 || !std::ptr::eq(outer, part)) => outer,
                _ => return None,
            };
        }
        Some(part)
    }
}
