//! Frames of the files of a spool: length, checksum, payload. Pure. Finds where the valid front of a file ends.

/// Longest payload.
pub(super) const PAYLOAD_MAX: usize = 64 * 1024;

/// Bytes in front of a payload.
pub(super) const HEAD: usize = 8;

/// Appends a frame. The payload must not be longer than [`PAYLOAD_MAX`].
pub(super) fn push(payload: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&checksum(len, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// The payload of the frame at the front of `bytes`, and its whole length. `None` if there is no whole, valid frame.
pub(super) fn first(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (len, sum) = (number(head), number(&head[4..]));
    let size = usize::try_from(len).ok().filter(|size| *size <= PAYLOAD_MAX)?;
    let payload = rest.get(..size)?;
    (checksum(len, payload) == sum).then_some((payload, HEAD + size))
}

/// The length counts, so that zeros are no frame.
fn checksum(len: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len.wrapping_add(1).to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_only_if_they_are_whole() {
        let mut out = Vec::new();
        push(b"one", &mut out);
        push(b"", &mut out);
        assert_eq!(first(&out), Some((&b"one"[..], 11)));
        assert_eq!(first(&out[11..]), Some((&b""[..], 8)));
        for len in 0..11 {
            assert_eq!(first(&out[..len]), None, "{len} bytes");
        }
        for at in 0..11 {
            let mut changed = out.clone();
            changed[at] ^= 0x10;
            assert_eq!(first(&changed), None, "byte {at} is another");
        }
        assert_eq!(first(&[0; 100]), None);
        assert_eq!(first(&[0xff; 100]), None);
    }
}
