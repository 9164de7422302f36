//! Base64 (RFC 4648, section 4): one form for each value.

use data_encoding::BASE64;

/// The bytes; `None` for anything that does not encode them as the RFC does. The crate takes text behind the padding for a second
/// encoding, so padding is looked for first.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let inside = &text[..text.len().saturating_sub(2)];
    if inside.contains(&b'=') { None } else { BASE64.decode(text).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_the_padding() {
        assert_eq!(decode(b"YWI="), Some(b"ab".to_vec()));
        for wrong in ["YWI=YWI=", "YQ==YQ==", "YQ=", "YQ", "YR==", "=", "Y===", "YW I="] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
