//! Records of a file that is appended to: a length, a checksum, and the bytes. Pure.
//!
//! | bytes | |
//! |---|---|
//! | 4 | the length of the payload, the least significant byte first |
//! | 4 | the same with all bits inverted, so that a damaged length is not taken for the end of a file that was cut off |
//! | 8 | the first bytes of the SHA-256 of the length and the payload |
//! | as many as the length says | the payload |
//!
//! A checksum that is none of an attacker's business would do; this one is in the program already.

use sha2::{Digest, Sha256};

/// Bytes before the payload.
pub(super) const HEAD: usize = 16;
/// Longest payload.
pub(super) const PAYLOAD_MAX: usize = 16 << 20;

/// Why bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The end is missing, as after a crash while it was written.
    Torn,
    /// Something else is in its place.
    Damaged,
}

/// Writes a record behind what is there. The payload is not empty, and not longer than [`PAYLOAD_MAX`].
pub(super) fn push(bytes: &mut Vec<u8>, payload: &[u8]) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&(!len).to_le_bytes());
    bytes.extend_from_slice(&checksum(len, payload));
    bytes.extend_from_slice(payload);
}

/// The length of the payload that a head announces; `None`, if a record has no such length.
pub(super) fn payload_len(head: &[u8; HEAD]) -> Option<usize> {
    let (len, rest) = head.split_first_chunk::<4>()?;
    let (inverted, _) = rest.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len);
    let is_len = u32::from_le_bytes(*inverted) == !len;
    let len = usize::try_from(len).ok().filter(|len| (1..=PAYLOAD_MAX).contains(len));
    len.filter(|_| is_len)
}

/// Whether a payload is what its head says.
pub(super) fn is_whole(head: &[u8; HEAD], payload: &[u8]) -> bool {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    payload_len(head) == Some(payload.len()) && checksum(len, payload) == head[8..]
}

fn checksum(len: u32, payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(len.to_le_bytes()).chain_update(payload).finalize();
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}
