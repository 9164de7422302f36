//! Modified UTF-7 (RFC 3501 5.1.3), in which IMAP4rev1 and Maildir++ write names of mailboxes. Pure; not the UTF-7 of RFC 2152.

use data_encoding::{Encoding, Specification};

/// Why bytes are not modified UTF-7.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Utf7Error {
    /// A byte that is neither printable ASCII nor allowed inside of a shifted sequence.
    #[error("modified UTF-7 has the byte {byte:#04x}, which must be encoded")]
    Byte {
        /// The byte.
        byte: u8,
    },
    /// A shifted sequence without its `-`, with padding bits that are set, or of half a character.
    #[error("modified UTF-7 has a shifted sequence that is malformed")]
    Malformed,
    /// Printable ASCII in a shifted sequence: each name has only one encoding.
    #[error("modified UTF-7 has printable ASCII in a shifted sequence")]
    Ascii,
}

sinew_transports::reactor::error_debug!(Utf7Error);

/// Encodes text. Printable ASCII stays, but for `&`, which becomes `&-`.
///
/// # Examples
///
/// ```
/// assert_eq!(sinew_mail::utf7::encode("Entwürfe & mehr"), "Entw&APw-rfe &- mehr");
/// ```
#[must_use]
pub fn encode(text: &str) -> String {
    let base64 = alphabet();
    let mut out = String::with_capacity(text.len());
    let mut shifted = Vec::new();
    for c in text.chars() {
        if !matches!(c, ' '..='~') {
            for unit in c.encode_utf16(&mut [0; 2]) {
                shifted.extend_from_slice(&unit.to_be_bytes());
            }
            continue;
        }
        flush(&base64, &mut shifted, &mut out);
        match c {
            '&' => out.push_str("&-"),
            c => out.push(c),
        }
    }
    flush(&base64, &mut shifted, &mut out);
    out
}

fn flush(base64: &Encoding, shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        base64.encode_append(shifted, out);
        out.push('-');
        shifted.clear();
    }
}

/// Decodes it. Accepts only what [`encode`] gives, so that a name has one encoding.
///
/// # Errors
///
/// [`Utf7Error`].
pub fn decode(encoded: &[u8]) -> Result<String, Utf7Error> {
    let base64 = alphabet();
    let mut out = String::with_capacity(encoded.len());
    let mut rest = encoded;
    let mut after_shift = false;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'&' => {
                let end = memchr::memchr(b'-', rest).ok_or(Utf7Error::Malformed)?;
                let (sequence, behind) = rest.split_at(end);
                rest = &behind[1..];
                if sequence.is_empty() {
                    out.push('&');
                    after_shift = false;
                    continue;
                }
                // Two sequences side by side would be one in the encoding.
                if after_shift {
                    return Err(Utf7Error::Malformed);
                }
                decode_shifted(&base64, sequence, &mut out)?;
                after_shift = true;
            }
            b' '..=b'~' => {
                out.push(byte.into());
                after_shift = false;
            }
            byte => return Err(Utf7Error::Byte { byte }),
        }
    }
    Ok(out)
}

fn decode_shifted(base64: &Encoding, sequence: &[u8], out: &mut String) -> Result<(), Utf7Error> {
    let bytes = base64.decode(sequence).map_err(|_| Utf7Error::Malformed)?;
    if bytes.len() % 2 != 0 {
        return Err(Utf7Error::Malformed);
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    for c in char::decode_utf16(units) {
        match c {
            Ok(' '..='~') => return Err(Utf7Error::Ascii),
            Ok(c) => out.push(c),
            Err(_) => return Err(Utf7Error::Malformed),
        }
    }
    Ok(())
}

/// Base64 with `,` in place of `/`, and without padding.
fn alphabet() -> Encoding {
    let mut specification = Specification::new();
    specification
        .symbols
        .push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,");
    specification.encoding().expect("64 different symbols of ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_rfc_3501() {
        for (text, encoded) in [
            ("", ""),
            ("INBOX", "INBOX"),
            ("a&b", "a&-b"),
            ("&", "&-"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
            ("ä&ö", "&AOQ-&-&APY-"),
            ("a\u{7f}", "a&AH8-"),
        ] {
            assert_eq!(encode(text), encoded);
            assert_eq!(decode(encoded.as_bytes()), Ok(text.to_owned()), "{encoded}");
        }
    }

    #[test]
    fn names_with_a_second_encoding_are_refused() {
        for (encoded, error) in [
            ("&", Utf7Error::Malformed),
            ("&AOQ", Utf7Error::Malformed),
            ("&AOR-", Utf7Error::Malformed),
            ("&AO-", Utf7Error::Malformed),
            ("&2D0-", Utf7Error::Malformed),
            ("&AOQ-&APY-", Utf7Error::Malformed),
            ("&A/A-", Utf7Error::Malformed),
            ("&AEE-", Utf7Error::Ascii),
            ("ä", Utf7Error::Byte { byte: 0xc3 }),
            ("a\rb", Utf7Error::Byte { byte: b'\r' }),
        ] {
            assert_eq!(decode(encoded.as_bytes()), Err(error), "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "\\PC*|[&a-\u{e9}\u{10000}-\u{10010}]*") {
            let encoded = encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(decode(encoded.as_bytes()), Ok(text));
        }

        #[test]
        fn what_is_decoded_has_one_encoding(bytes in "[&A-C,+-]{0,12}") {
            if let Ok(text) = decode(bytes.as_bytes()) {
                prop_assert_eq!(encode(&text), bytes);
            }
        }
    }
}
