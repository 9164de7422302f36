//! Names in a message that was inspected: [`expand_name`] and [`skip_name`]; and those in data that hickory-proto keeps as they are:
//! [`expand_unknown`]. Pure.

use super::{
    Message, Outline, RData,
    guard::names_in,
    limits::{LABEL_LEN_MAX, NAME_LEN_MAX},
    rdata::NULL,
};
use crate::zone::name::wire_len;

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

/// Replaces the data that hickory-proto did not read by the same without compression: outside of the message, pointers would lead anywhere
/// (RFC 3597, section 4). `None` if the records are not those of the message.
pub(super) fn expand_unknown(bytes: &[u8], outline: &Outline, message: &mut Message) -> Option<()> {
    let mut at = outline.questions_end;
    let sections = [&mut message.answers, &mut message.authorities, &mut message.additionals];
    for record in sections.into_iter().flatten() {
        let RData::Unknown { code, rdata } = &mut record.data else { continue };
        let kind = u16::from(*code);
        let (before, names) = names_in(kind);
        if !has_pointers(&rdata.anything, before, names) {
            continue;
        }
        // Both are in the order of the message, so it is this record, or an equal one.
        let range = loop {
            at = skip_name(bytes, at);
            let fixed = bytes.get(at..)?.first_chunk::<10>()?;
            let begins = at + fixed.len();
            at = begins + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
            let is_kind = u16::from_be_bytes([fixed[0], fixed[1]]) == kind;
            if is_kind && bytes.get(begins..at)? == rdata.anything {
                break begins..at;
            }
        };
        let mut name_at = range.start + before;
        let mut data = bytes.get(range.start..name_at)?.to_vec();
        for _ in 0..names {
            name_at = expand_name(bytes, name_at, &mut data)?;
        }
        data.extend_from_slice(bytes.get(name_at..range.end)?);
        *rdata = NULL::with(data);
    }
    Some(())
}

/// Whether a name among these data is compressed. They were inspected.
fn has_pointers(data: &[u8], before: usize, names: usize) -> bool {
    let mut rest = data.get(before..).unwrap_or_default();
    for _ in 0..names {
        let Some(len) = wire_len(rest) else { return true };
        rest = &rest[len..];
    }
    false
}
