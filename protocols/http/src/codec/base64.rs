//! Base64 with padding (RFC 4648 4), strictly: [`base64_decode`] and [`base64_encode`].

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Decodes strictly: `None` for anything but the canonical encoding.
pub(crate) fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let (mut decoded, mut bits, mut have) = (Vec::with_capacity(digits.len() * 3 / 4), 0_u32, 0);
    for byte in digits.bytes() {
        let digit = ALPHABET.iter().position(|digit| *digit == byte)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        have += 6;
        if have >= 8 {
            have -= 8;
            decoded.push((bits >> have & 0xff) as u8);
        }
    }
    (bits & ((1 << have) - 1) == 0).then_some(decoded)
}

/// Encodes.
pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for piece in bytes.chunks(3) {
        let bits = piece.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - piece.len()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= piece.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_of_some_bytes_and_nothing_else() {
        let cases: [(&str, &[u8]); 5] = [
            ("", b""),
            ("YQ==", b"a"),
            ("YWI=", b"ab"),
            ("YWJj", b"abc"),
            ("+/+/", b"\xfb\xff\xbf"),
        ];
        for (text, bytes) in cases {
            assert_eq!(base64_decode(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(base64_encode(bytes), text);
        }
        for bad in ["YQ", "YQ=", "YR==", "Y===", "YQ==YQ==", "YW J"] {
            assert_eq!(base64_decode(bad), None, "{bad}");
        }
    }
}
