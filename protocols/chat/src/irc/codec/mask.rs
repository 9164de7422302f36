//! Masks with `*` and `?`: [`mask_matches`]. Pure.

use super::CaseMapping;

/// Whether a text fits a mask, where `*` stands for any bytes and `?` for one. Takes time in the order of their lengths multiplied, at
/// most.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::{CaseMapping, mask_matches};
///
/// assert!(mask_matches(CaseMapping::Ascii, b"*!*@*.example.NET", b"ann!a@host.example.net"));
/// assert!(!mask_matches(CaseMapping::Ascii, b"ann!?@*", b"ann!ann@host"));
/// ```
#[must_use]
pub fn mask_matches(mapping: CaseMapping, mask: &[u8], text: &[u8]) -> bool {
    let (mut m, mut t) = (0, 0);
    // Where the last star was, and what of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match mask.get(m) {
            Some(b'*') => {
                star = Some((m, t));
                m += 1;
            }
            Some(&byte) if byte == b'?' || mapping.lower(byte) == mapping.lower(text[t]) => {
                m += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    m = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    mask[m..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        for (mask, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3d", false),
            ("**?", "a", true),
            ("A?", "ab", true),
            ("a", "ab", false),
        ] {
            let found = mask_matches(CaseMapping::Ascii, mask.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{mask} {text}");
        }
        // No exponential time.
        let (mask, text) = ("*a".repeat(200) + "b", "a".repeat(400));
        assert!(!mask_matches(CaseMapping::Ascii, mask.as_bytes(), text.as_bytes()));
    }
}
