//! An element as XML, to be sent: [`Encoded`]. Pure: who has the connection writes the parts.

use bytes::Bytes;

/// An element as XML. What clones of the element have in common is one piece of memory for all of them: a message to a room is in the
/// queues of all its occupants once, and not as often as there are occupants.
#[derive(Clone, Debug, Default)]
pub(in crate::xmpp) struct Encoded {
    pub(super) start: String,
    pub(super) shared: Bytes,
    pub(super) end: String,
}

impl Encoded {
    pub(in crate::xmpp) const fn len(&self) -> usize {
        self.start.len() + self.shared.len() + self.end.len()
    }

    /// To be written one behind the other. All but the first may be empty.
    pub(in crate::xmpp) const fn parts(&self) -> (&str, &Bytes, &str) {
        (self.start.as_str(), &self.shared, self.end.as_str())
    }
}

impl From<String> for Encoded {
    fn from(start: String) -> Self {
        Self { start, ..Self::default() }
    }
}
