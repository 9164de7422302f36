//! Text in parameters: xtext (RFC 3461 4), where `+` and two hexadecimal digits stand for a byte. Pure.

use std::fmt::Write;

/// Appends `text` as xtext, which is one word of ASCII without `=` and `+`.
pub(crate) fn push(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(byte.into()),
            _ => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
    }
}

/// The text that `xtext` stands for, if it is xtext, and the text has no control character: it ends up in reports and logs.
pub(crate) fn decode(xtext: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(xtext.len());
    let mut rest = xtext.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => {
                let (digits, after) = rest.split_at_checked(2)?;
                bytes.push(upper_hex(digits[0])? << 4 | upper_hex(digits[1])?);
                rest = after;
            }
            b'!'..=b'~' if byte != b'=' => bytes.push(byte),
            // RFC 6533 3 allows UTF-8 where SMTPUTF8 is spoken.
            0x80.. => bytes.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

fn upper_hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_xtext_is_refused() {
        for xtext in ["a=b", "a b", "a+", "a+4", "a+zz", "a+0a", "+FF", "a\r\n"] {
            assert_eq!(decode(xtext), None, "{xtext:?}");
        }
        assert_eq!(decode("a+2Bb+20"), Some("a+b ".to_owned()));
    }

    #[test]
    fn control_characters_are_refused() {
        for xtext in ["a+0D", "a+0Ab", "+00", "+1B[31m", "a+7F", "a+C2+85"] {
            assert_eq!(decode(xtext), None, "{xtext:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_word_and_comes_back(text: String) {
            let mut out = String::new();
            push(&mut out, &text);
            prop_assert!(out.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'='));
            let is_decoded = !text.contains(char::is_control);
            prop_assert_eq!(decode(&out), is_decoded.then_some(text));
        }
    }
}
