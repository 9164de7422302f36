//! What a stream may cost: [`XmlLimits`].

/// Elements in each other, the stream included: most that our clients and components send, and what our server takes by default.
pub(in crate::xmpp) const DEPTH: usize = 64;

/// How many more elements a server may put around what it passes on: carbon copies (XEP-0280) and archives (XEP-0313) need three.
const AROUND: usize = 8;

/// The limits of a [`StreamParser`](super::StreamParser).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`stanza_max`](Self::stanza_max): bytes of a stanza, and of the header | 256 KiB | [`XmlError::StanzaTooLong`](super::XmlError::StanzaTooLong) |
/// | [`depth_max`](Self::depth_max): elements in each other, the stream included | 64 | [`XmlError::TooDeep`](super::XmlError::TooDeep) |
/// | [`elements_max`](Self::elements_max): elements of a stanza | 16,384 | [`XmlError::TooManyElements`](super::XmlError::TooManyElements) |
/// | [`attributes_max`](Self::attributes_max): attributes of an element, declarations included | 128 | [`XmlError::TooManyAttributes`](super::XmlError::TooManyAttributes) |
/// | [`value_max`](Self::value_max): bytes of a name, or of the value of an attribute | 8 KiB | [`XmlError::ValueTooLong`](super::XmlError::ValueTooLong) |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct XmlLimits {
    pub(super) stanza_max: usize,
    pub(super) depth_max: usize,
    pub(super) elements_max: usize,
    pub(super) attributes_max: usize,
    pub(super) value_max: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            stanza_max: 256 * 1024,
            depth_max: DEPTH,
            elements_max: 16_384,
            attributes_max: 128,
            value_max: 8 * 1024,
        }
    }
}

impl XmlLimits {
    /// Most bytes of a stanza as it is received, and of the header of the stream.
    pub const fn stanza_max(mut self, max: usize) -> Self {
        self.stanza_max = max;
        self
    }

    /// The same, but not deeper than this: for those who wrap what they receive.
    pub(in crate::xmpp) const fn depth_at_most(self, max: usize) -> Self {
        let depth = if self.depth_max > max { max } else { self.depth_max };
        self.depth_max(depth)
    }

    /// The default of clients: a server puts elements around what others have sent.
    pub(in crate::xmpp) fn of_client() -> Self {
        Self::default().depth_max(DEPTH + AROUND)
    }

    /// Most bytes of a stanza, to be told to a peer.
    pub(in crate::xmpp) const fn stanza_max_bytes(&self) -> usize {
        self.stanza_max
    }

    /// Most elements in each other, the stream included; not more than 128, since elements are dropped recursively.
    pub const fn depth_max(mut self, max: usize) -> Self {
        self.depth_max = if max > 128 { 128 } else { max };
        self
    }

    /// Most elements of a stanza.
    pub const fn elements_max(mut self, max: usize) -> Self {
        self.elements_max = max;
        self
    }

    /// Most attributes of an element, declarations of namespaces included.
    pub const fn attributes_max(mut self, max: usize) -> Self {
        self.attributes_max = max;
        self
    }

    /// Most bytes of a name, and of the value of an attribute.
    pub const fn value_max(mut self, max: usize) -> Self {
        self.value_max = max;
        self
    }
}
