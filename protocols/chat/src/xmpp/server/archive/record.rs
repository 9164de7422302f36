//! Records of a file that is appended to: a length, a checksum, and the bytes. Pure.
//!
//! | bytes | |
//! |---|---|
//! | 4 | the length of the payload, the least significant byte first |
//! | 8 | the first bytes of the SHA-256 of the length and the payload |
//! | as many as the length says | the payload |
//!
//! A checksum that is none of an attacker's business would do; this one is in the program already.

use sha2::{Digest, Sha256};

/// Bytes before the payload.
pub(super) const HEAD: usize = 12;
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
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(&len);
    bytes.extend_from_slice(&checksum(len, payload));
    bytes.extend_from_slice(payload);
}

/// The length of the payload that a head announces; `None`, if a record has no such length.
pub(super) fn payload_len(head: &[u8; HEAD]) -> Option<usize> {
    let (len, _) = head.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
    (1..=PAYLOAD_MAX).contains(&len).then_some(len)
}

/// Whether a payload is what its head says.
pub(super) fn is_whole(head: &[u8; HEAD], payload: &[u8]) -> bool {
    let (len, sum) = head.split_at(4);
    <[u8; 4]>::try_from(len).is_ok_and(|len| checksum(len, payload) == sum)
}

fn checksum(len: [u8; 4], payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(len).chain_update(payload).finalize();
    let mut sum = [0; 8];
    sum.copy_from_slice(&digest[..8]);
    sum
}
