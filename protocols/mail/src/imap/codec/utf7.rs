//! Names of mailboxes in ASCII: modified UTF-7 (RFC 3501 5.1.3). Pure.

use std::borrow::Cow;

use data_encoding::{BitOrder, Encoding, Specification};

/// Encodes a name.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::{decode_utf7, encode_utf7};
///
/// assert_eq!(encode_utf7("Entwürfe & mehr"), "Entw&APw-rfe &- mehr");
/// assert_eq!(decode_utf7("Entw&APw-rfe &- mehr").as_deref(), Some("Entwürfe & mehr"));
/// ```
#[must_use]
pub fn encode_utf7(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(char) = rest.chars().next() {
        if is_direct(char) {
            encoded.push(char);
            if char == '&' {
                encoded.push('-');
            }
            rest = &rest[char.len_utf8()..];
            continue;
        }
        let len = rest.find(is_direct).unwrap_or(rest.len());
        let units: Vec<u8> = rest[..len].encode_utf16().flat_map(u16::to_be_bytes).collect();
        encoded.push('&');
        encoded.push_str(&base64().encode(&units));
        encoded.push('-');
        rest = &rest[len..];
    }
    encoded
}

/// Decodes a name. `None` if [`encode_utf7`] would not have made it: only then do two names on the wire never mean one mailbox.
#[must_use]
pub fn decode_utf7(encoded: &str) -> Option<String> {
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(at) = rest.find('&') {
        name.push_str(&rest[..at]);
        let (shifted, behind) = rest[at + 1..].split_once('-')?;
        match shifted {
            "" => name.push('&'),
            _ => {
                let units = base64().decode(shifted.as_bytes()).ok()?;
                let (units, odd) = units.as_chunks::<2>();
                if !odd.is_empty() {
                    return None;
                }
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                let chars: Result<String, _> = char::decode_utf16(units).collect();
                name.push_str(&chars.ok()?);
            }
        }
        rest = behind;
    }
    name.push_str(rest);
    (encode_utf7(&name) == encoded).then_some(name)
}

/// Whether a character stands for itself.
fn is_direct(char: char) -> bool {
    matches!(char, ' '..='~')
}

/// Base64 with a comma, and without padding.
fn base64() -> Cow<'static, Encoding> {
    thread_local! {
        static BASE64: Encoding = {
            let mut specification = Specification::new();
            specification
                .symbols
                .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
            specification.bit_order = BitOrder::MostSignificantFirst;
            specification.encoding().expect("64 different symbols")
        };
    }
    Cow::Owned(BASE64.with(Clone::clone))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_encoded() {
        for (name, encoded) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("&", "&-"),
            ("a&b", "a&-b"),
            ("台北", "&U,BTFw-"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("a\tb", "a&AAk-b"),
            ("ä&ö", "&AOQ-&-&APY-"),
        ] {
            assert_eq!(encode_utf7(name), encoded);
            assert_eq!(decode_utf7(encoded).as_deref(), Some(name), "{encoded}");
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for encoded in [
            "&",
            "&AOQ",
            "&A-",
            "&AOQ=-",
            "&AOR-",
            "&AEE-",
            "&2D0-",
            "&3gA-",
            "ä",
            "&AOQ-&APY-",
            "&!!!-",
            "a\tb",
            "&U/BTFw-",
        ] {
            assert_eq!(decode_utf7(encoded), None, "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_decoded_again(name: String) {
            let encoded = encode_utf7(&name);
            prop_assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(decode_utf7(&encoded), Some(name));
        }

        #[test]
        fn nothing_panics(encoded in "[&A-Za-z0-9+,\\-ä]{0,20}") {
            if let Some(name) = decode_utf7(&encoded) {
                prop_assert_eq!(encode_utf7(&name), encoded);
            }
        }
    }
}
