//! Names in a message that was inspected: [`expand_name`] and [`skip_name`]. Pure.

use super::limits::{LABEL_LEN_MAX, NAME_LEN_MAX};

/// Appends the name at a place of a message without compression, and returns where it ends. `None` if there is no name, which cannot be
/// where the message was inspected. Pointers lead strictly back, so that it ends whatever the bytes are.
pub(crate) fn expand_name(message: &[u8], begins: usize, out: &mut Vec<u8>) -> Option<usize> {
    let (mut at, mut ends, mut before, mut len) = (begins, None, begins, 0);
    loop {
        let first = *message.get(at)?;
        if first >= 0xc0 {
            let to = usize::from(u16::from_be_bytes([first & 0x3f, *message.get(at + 1)?]));
            ends.get_or_insert(at + 2);
            if to >= before {
                return None;
            }
            (at, before) = (to, to);
            continue;
        }
        let end = at + 1 + usize::from(first);
        len += end - at;
        if usize::from(first) > LABEL_LEN_MAX || len > NAME_LEN_MAX {
            return None;
        }
        out.extend_from_slice(message.get(at..end)?);
        at = end;
        if first == 0 {
            return Some(ends.unwrap_or(at));
        }
    }
}

/// Where the name at a place of a message ends that was inspected. Follows no pointers.
pub(crate) fn skip_name(message: &[u8], mut at: usize) -> usize {
    while let Some(&len) = message.get(at) {
        match len {
            0 => return at + 1,
            1..=63 => at += 1 + usize::from(len),
            _ => return at + 2,
        }
    }
    at
}
