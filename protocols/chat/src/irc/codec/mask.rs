//! Masks with `*` and `?`: [`mask_matches`], and [`MaskedText`] for many masks and one text. Pure.

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

/// Longest text of a [`MaskedText`], so that there is a bit for each place in it and for its end.
const TEXT_MAX: usize = 127;

/// A text that is compared with many masks: each comparison takes a few instructions for a byte of the mask, however the mask is made.
///
/// This is the bit-parallel simulation of an automaton: a bit stands for a place in the text, and is set if the mask up to here fits the
/// text up to there.
pub(crate) struct MaskedText<'a> {
    mapping: CaseMapping,
    text: &'a [u8],
    /// The places at which a byte is, in lower case.
    places: [u128; 256],
}

impl<'a> MaskedText<'a> {
    pub(crate) fn new(mapping: CaseMapping, text: &'a [u8]) -> Self {
        let mut places = [0; 256];
        for (at, byte) in text.iter().enumerate().take(TEXT_MAX) {
            places[usize::from(mapping.lower(*byte))] |= 1 << at;
        }
        Self { mapping, text, places }
    }

    /// As [`mask_matches`].
    pub(crate) fn fits(&self, mask: &[u8]) -> bool {
        if self.text.len() > TEXT_MAX {
            return mask_matches(self.mapping, mask, self.text);
        }
        let end = 1 << self.text.len();
        let all = end | (end - 1);
        let mut reached: u128 = 1;
        for byte in mask {
            reached = match byte {
                // From the first place on, all.
                b'*' => (reached | reached.wrapping_neg()) & all,
                b'?' => (reached << 1) & all,
                byte => (reached & self.places[usize::from(self.mapping.lower(*byte))]) << 1,
            };
            if reached == 0 {
                return false;
            }
        }
        reached & end != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_masks_as_one(mask in "[aAb?*]{0,12}", text in "[abB?*]{0,9}", long in 0..140_usize) {
            for (mask, text) in [(mask.clone(), text.clone()), (format!("*{mask}"), text.repeat(long))] {
                let (mask, text) = (mask.as_bytes(), text.as_bytes());
                let expected = mask_matches(CaseMapping::Ascii, mask, text);
                assert_eq!(MaskedText::new(CaseMapping::Ascii, text).fits(mask), expected);
            }
        }
    }

    /// The longest text that has bits, and one more.
    #[test]
    fn ends_of_long_texts() {
        for len in [126, 127, 128] {
            let text = "a".repeat(len);
            let masked = MaskedText::new(CaseMapping::Ascii, text.as_bytes());
            for (mask, expected) in [
                ("*".to_owned(), true),
                ("?".repeat(len), true),
                ("?".repeat(len - 1), false),
                ("?".repeat(len + 1), false),
                ("*a*".to_owned() + &"?".repeat(len - 1), true),
                ("*a*".to_owned() + &"?".repeat(len), false),
                ("a".repeat(len) + "*", true),
                ("a".repeat(len) + "b", false),
            ] {
                assert_eq!(masked.fits(mask.as_bytes()), expected, "{mask} {len}");
            }
        }
    }

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
