//! A message as archives have it: [`StoredMessage`], and its bytes. Pure.

use super::ArchiveId;
use crate::xmpp::{
    codec::{Element, EncodeError, Jid, StreamEvent, StreamParser, XmlLimits, ns},
    server::StoreError,
};

/// Bytes before the address and the message: the id, and the length of the address.
const FIXED: usize = 10;
/// Before a message, so that it can be read as that of a stream.
const ROOT: &[u8] = b"<archive xmlns='jabber:client'>";

/// A message in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// Its id, which says its time as well.
    pub id: ArchiveId,
    /// With whom it was exchanged: to whom the account has sent it, or from whom it was received.
    pub with: Jid,
    /// The message with its addresses, of `jabber:client`.
    pub message: Element,
}

impl StoredMessage {
    /// A message that was exchanged with somebody.
    #[must_use]
    pub const fn new(id: ArchiveId, with: Jid, message: Element) -> Self {
        Self { id, with, message }
    }

    /// The bytes of it, for a store: its id, the length of the address, the address, the message.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: XML cannot hold it. The server archives none of these.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (with, message) = (self.with.to_string(), self.message.encode(ns::CLIENT)?);
        let mut bytes = Vec::with_capacity(FIXED + with.len() + message.len());
        bytes.extend_from_slice(&self.id.0.to_le_bytes());
        // An address has at most 3,071 bytes.
        bytes.extend_from_slice(&u16::try_from(with.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(with.as_bytes());
        bytes.extend_from_slice(message.as_bytes());
        Ok(bytes)
    }

    /// The message of these bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Malformed`]. Nothing is guessed.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let parts = Parts::of(bytes).ok_or(StoreError::Malformed("a message has no address"))?;
        let with = parts.with.parse().map_err(|_| StoreError::Malformed("an address is none"))?;
        Ok(Self { id: parts.id, with, message: parse(parts.message)? })
    }
}

/// The parts of an encoded message.
pub(super) struct Parts<'a> {
    pub(super) id: ArchiveId,
    pub(super) with: &'a str,
    message: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let (with, message) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        let with = str::from_utf8(with).ok()?;
        Some(Self { id: ArchiveId(u64::from_le_bytes(*id)), with, message })
    }
}

/// What was written once is read again: only the record is limited.
fn parse(text: &[u8]) -> Result<Element, StoreError> {
    let malformed = || StoreError::Malformed("a message of an archive is not XML");
    let limits = XmlLimits::default()
        .stanza_max(text.len().max(ROOT.len()).saturating_add(1))
        .depth_max(128)
        .elements_max(usize::MAX)
        .attributes_max(usize::MAX)
        .value_max(usize::MAX);
    let mut parser = StreamParser::new(limits);
    let (mut root, mut text) = (ROOT, text);
    if !matches!(parser.next(&mut root), Ok(Some(StreamEvent::Opened(_)))) {
        return Err(malformed());
    }
    match parser.next(&mut text) {
        Ok(Some(StreamEvent::Stanza(message)))
            if text.is_empty() && message.is("message", ns::CLIENT) =>
        {
            Ok(message)
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> StoredMessage {
        let body = Element::new("body", ns::CLIENT).with_text("1 < 2 & \u{1f4f1}\r\n");
        let other = Element::new("x", "urn:x").with_child(Element::new("body", ns::CLIENT));
        let message = Element::new("message", ns::CLIENT)
            .with_attribute("from", "ann@example.org/desk")
            .with_child(body)
            .with_child(other);
        StoredMessage::new(ArchiveId(7), "bob@example.org/x".parse().unwrap(), message)
    }

    #[test]
    fn a_message_is_read_as_it_is_written() {
        let bytes = message().encode().unwrap();
        assert_eq!(StoredMessage::decode(&bytes).unwrap(), message());
        for end in 0..bytes.len() {
            assert!(StoredMessage::decode(&bytes[..end]).is_err(), "{end}");
        }
        assert!(StoredMessage::decode(&[&bytes[..], b"<message/>"].concat()).is_err());
    }

    #[test]
    fn what_is_no_message() {
        let mut iq = message();
        iq.message = Element::new("iq", ns::CLIENT);
        assert!(StoredMessage::decode(&iq.encode().unwrap()).is_err());
    }
}
