//! Percent-encoding in targets (RFC 3986 2.1): [`percent_decode`] and [`percent_encode`]. Decodes once; decoding twice opens holes.

use std::borrow::Cow;

/// Decodes a part of a target. `None` if a percent sign is not followed by two hexadecimal digits.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::percent_decode;
///
/// assert_eq!(percent_decode("a%20b").as_deref(), Some(&b"a b"[..]));
/// assert_eq!(percent_decode("%252e").as_deref(), Some(&b"%2e"[..])); // once
/// assert_eq!(percent_decode("100%"), None);
/// ```
#[must_use]
pub fn percent_decode(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        (decoded, rest) = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) => {
                decoded.push(hex(*high)? << 4 | hex(*low)?);
                (decoded, behind)
            }
            (b'%', _) => return None,
            _ => {
                decoded.push(*byte);
                (decoded, behind)
            }
        };
    }
    Some(Cow::Owned(decoded))
}

/// Encodes text as a part of a path: all but `/` and the unreserved characters of RFC 3986 2.3, so no character separates.
///
/// # Examples
///
/// ```
/// use sinew_http::codec::percent_encode;
///
/// assert_eq!(percent_encode("a b/\u{e4}?"), "a%20b/%C3%A4%3F");
/// ```
#[must_use]
pub fn percent_encode(text: &(impl AsRef<[u8]> + ?Sized)) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::new();
    for byte in text.as_ref() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            encoded.push(char::from(*byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let all: Vec<u8> = (0..=255).collect();
        let encoded = percent_encode(&all);
        assert!(encoded.is_ascii());
        assert_eq!(percent_decode(&encoded).as_deref(), Some(&all[..]));
        for bad in ["%", "%2", "%g0", "%0g", "a%%20", "%+1"] {
            assert_eq!(percent_decode(bad), None, "{bad}");
        }
    }
}
