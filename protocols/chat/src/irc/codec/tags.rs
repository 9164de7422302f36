//! Tags of messages (IRCv3 message tags): their escapes. Pure.

use std::borrow::Cow;

use memchr::memchr;

/// The tags of a message: keys, and values without their escapes.
pub(super) fn iter(tags: &[u8]) -> impl Iterator<Item = (&[u8], Cow<'_, [u8]>)> {
    tags.split(|byte| *byte == b';').filter(|tag| !tag.is_empty()).map(|tag| {
        match memchr(b'=', tag) {
            Some(at) => (&tag[..at], unescape(&tag[at + 1..])),
            None => (tag, Cow::Borrowed(&b""[..])),
        }
    })
}

/// The value of a tag, as it is sent.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::escape_tag;
///
/// assert_eq!(escape_tag(b"a; b\n").as_ref(), b"a\\:\\sb\\n");
/// ```
#[must_use]
pub fn escape_tag(value: &[u8]) -> Cow<'_, [u8]> {
    let escape = |byte| match byte {
        b';' => Some(b':'),
        b' ' => Some(b's'),
        b'\\' => Some(b'\\'),
        b'\r' => Some(b'r'),
        b'\n' => Some(b'n'),
        _ => None,
    };
    if !value.iter().any(|byte| escape(*byte).is_some()) {
        return Cow::Borrowed(value);
    }
    let mut escaped = Vec::with_capacity(value.len() + 8);
    for byte in value {
        match escape(*byte) {
            Some(letter) => escaped.extend([b'\\', letter]),
            None => escaped.push(*byte),
        }
    }
    Cow::Owned(escaped)
}

/// The value of a tag, without its escapes. A backslash before any other byte, or at the end, is dropped.
fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\\', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b':') => plain.push(b';'),
            Some(b's') => plain.push(b' '),
            Some(b'r') => plain.push(b'\r'),
            Some(b'n') => plain.push(b'\n'),
            Some(&other) => plain.push(other),
            None => {}
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tag_without_value() {
        let found: Vec<_> = iter(b"a;b=;;c=\\:\\s\\\\\\x\\").collect();
        let value = |text: &'static [u8]| Cow::Borrowed(text);
        assert_eq!(found, [(&b"a"[..], value(b"")), (b"b", value(b"")), (b"c", value(b"; \\x"))]);
    }

    proptest! {
        #[test]
        fn tags_escapes_round_trip(value: Vec<u8>) {
            let escaped = escape_tag(&value);
            prop_assert!(!escaped.iter().any(|byte| b"; \r\n".contains(byte)));
            let plain = unescape(&escaped);
            prop_assert_eq!(plain.as_ref(), &value[..]);
        }
    }
}
