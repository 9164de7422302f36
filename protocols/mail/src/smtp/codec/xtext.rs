//! Text in parameters: xtext (RFC 3461 4), where `+` and two hexadecimal digits stand for a byte. Pure.

use std::fmt::Write;

/// The value of a parameter is not xtext.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not xtext (RFC 3461 section 4)")]
#[non_exhaustive]
pub struct XtextError;

sinew_transports::reactor::error_debug!(XtextError);

/// Appends `text` as xtext, which is one word of ASCII without `=` and `+`.
pub(super) fn push(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(byte.into()),
            _ => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
    }
}

/// The text that `xtext` stands for.
pub(super) fn decode(xtext: &str) -> Result<String, XtextError> {
    let mut bytes = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => {
                let (digits, after) = rest.split_at_checked(2).ok_or(XtextError)?;
                bytes.push(upper_hex(digits[0])? << 4 | upper_hex(digits[1])?);
                rest = after;
            }
            b'!'..=b'~' if byte != b'=' => bytes.push(byte),
            // RFC 6533 3 allows UTF-8 where SMTPUTF8 is spoken.
            0x80.. => bytes.push(byte),
            _ => return Err(XtextError),
        }
    }
    String::from_utf8(bytes).map_err(|_| XtextError)
}

fn upper_hex(digit: u8) -> Result<u8, XtextError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(XtextError),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_xtext_is_refused() {
        for xtext in ["a=b", "a b", "a+", "a+4", "a+zz", "a+0a", "+FF", "a\r\n"] {
            assert_eq!(decode(xtext), Err(XtextError), "{xtext:?}");
        }
        assert_eq!(decode("a+2Bb+0D+0A"), Ok("a+b\r\n".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_one_word_and_comes_back(text: String) {
            let mut out = String::new();
            push(&mut out, &text);
            prop_assert!(out.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'='));
            prop_assert_eq!(decode(&out), Ok(text));
        }
    }
}
