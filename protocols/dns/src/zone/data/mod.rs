//! The data of records between text and wire: [`read`] for zone files, [`show`] for writing them, [`is_valid`] for bytes from elsewhere.
//! What a type consists of is in `schema.rs`.

mod character_string;
mod parameters;
mod read;
mod show;
mod split;

#[cfg(test)]
mod tests;

pub(super) use read::{read, seconds};
pub(super) use show::Data;
pub(crate) use split::is_valid;

/// Longest data of a record.
const DATA_LEN_MAX: usize = u16::MAX as usize;

/// The shortest form of a set of types (RFC 4034, section 4.1.2). The types are sorted.
fn type_bitmap(types: &[u16]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut rest = types;
    while let Some(&first) = rest.first() {
        let window = first >> 8;
        let len = rest.partition_point(|it| it >> 8 == window);
        let mut bits = [0u8; 32];
        for number in &rest[..len] {
            let low = usize::from(number & 0xff);
            bits[low / 8] |= 0x80 >> (low % 8);
        }
        let used = 32 - bits.iter().rev().take_while(|byte| **byte == 0).count();
        wire.push(u8::try_from(window).unwrap_or(0));
        wire.push(u8::try_from(used).unwrap_or(0));
        wire.extend_from_slice(&bits[..used]);
        rest = &rest[len..];
    }
    wire
}

/// The hash that the first label of the name of an NSEC3 record is.
pub(super) fn hash_label(label: &[u8]) -> Option<Vec<u8>> {
    data_encoding::BASE32HEX_NOPAD.decode(&label.to_ascii_uppercase()).ok()
}
