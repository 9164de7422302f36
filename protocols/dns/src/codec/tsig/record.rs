//! The record of a signature on the wire: [`TsigRecord`]. Reads only messages that were inspected.

use crate::codec::{
    MessageError, Name, expand_name,
    guard::{HEADER_LEN, Outline, TSIG},
};

/// When a message was signed.
#[derive(Clone, Copy)]
pub(super) struct Time {
    pub(super) signed: u64,
    pub(super) fudge: u16,
}

impl Time {
    pub(super) fn to_bytes(self) -> [u8; 8] {
        (self.signed << 16 | u64::from(self.fudge)).to_be_bytes()
    }
}

/// The record at the end of a message.
pub(super) struct TsigRecord<'a> {
    pub(super) begins: usize,
    pub(super) name: Vec<u8>,
    pub(super) algorithm: Vec<u8>,
    pub(super) time: Time,
    pub(super) mac: &'a [u8],
    pub(super) original_id: u16,
    pub(super) error: u16,
    pub(super) other: &'a [u8],
}

impl<'a> TsigRecord<'a> {
    /// Reads it from a message that was inspected. `None` if there is none.
    pub(super) fn read(message: &'a [u8], outline: &Outline) -> Result<Option<Self>, MessageError> {
        let (Some(begins), TSIG) = (outline.last_record, outline.last_type) else {
            return Ok(None);
        };
        if outline.header.counts[3] == 0 {
            return Ok(None);
        }
        let invalid = MessageError::DataLength { at: begins };
        let (name, at) = lowered_name(message, begins).ok_or_else(|| invalid.clone())?;
        // The class is ANY, and the TTL is 0 (RFC 8945, section 4.2).
        if message.get(at + 2..at + 8) != Some(&[0, 255, 0, 0, 0, 0]) {
            return Err(invalid);
        }
        // Behind type, class, TTL and length.
        let (algorithm, at) = lowered_name(message, at + 10).ok_or_else(|| invalid.clone())?;
        let read = || {
            let rest = message.get(at..outline.end)?;
            let (fixed, rest) = rest.split_first_chunk::<10>()?;
            let time = u64::from_be_bytes(*fixed.first_chunk()?);
            let time = Time { signed: time >> 16, fudge: time as u16 };
            let mac_len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let (mac, rest) = rest.split_at_checked(mac_len)?;
            let (fixed, other) = rest.split_first_chunk::<6>()?;
            let word = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
            let is_whole = other.len() == usize::from(word(4));
            let (original_id, error) = (word(0), word(2));
            is_whole.then_some(Self {
                begins,
                name,
                algorithm,
                time,
                mac,
                original_id,
                error,
                other,
            })
        };
        read().map(Some).ok_or(invalid)
    }

    /// The header as it was signed.
    pub(super) fn original_header(&self, message: &[u8]) -> [u8; HEADER_LEN] {
        let mut head = [0; HEADER_LEN];
        head.copy_from_slice(&message[..HEADER_LEN]);
        head[..2].copy_from_slice(&self.original_id.to_be_bytes());
        let additionals = u16::from_be_bytes([head[10], head[11]]) - 1;
        head[10..].copy_from_slice(&additionals.to_be_bytes());
        head
    }
}

/// The name at a place of a message, without compression and in lower case; and where it ends.
fn lowered_name(message: &[u8], begins: usize) -> Option<(Vec<u8>, usize)> {
    let mut name = Vec::new();
    let end = expand_name(message, begins, &mut name)?;
    // Lengths of labels are no letters: 63 is the longest.
    name.make_ascii_lowercase();
    Some((name, end))
}

pub(super) fn wire_name(name: &Name) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label.to_ascii_lowercase());
    }
    bytes.push(0);
    bytes
}

pub(super) fn labels(wire: &[u8]) -> Vec<&[u8]> {
    let (mut labels, mut rest) = (Vec::new(), wire);
    while let Some((&len, after)) = rest.split_first().filter(|(len, _)| **len > 0) {
        let Some((label, after)) = after.split_at_checked(usize::from(len)) else { break };
        labels.push(label);
        rest = after;
    }
    labels
}

pub(super) fn u16_len(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// A signature with its length before it; nothing for none.
pub(super) fn with_len(mac: Option<&[u8]>) -> Vec<u8> {
    mac.map(|mac| [&u16_len(mac)[..], mac].concat()).unwrap_or_default()
}
