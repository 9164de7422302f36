//! Long texts in pieces that messages can hold: [`split_text`]. Pure.

use memchr::memrchr;

/// How far before the limit a code of colour can begin that ends behind it: 0x04 and twice six digits with a comma.
const CODE_MAX: usize = 14;
/// Shortest limit of a piece.
const PIECE_MIN: usize = 16;

/// Splits a text into pieces of at most `max` bytes, or 16 if that is more, which every character and every code needs: at spaces where there are some, which are dropped, else between characters; never
/// inside of a character of UTF-8 or of a code of colour. An empty text is one empty piece.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::split_text;
///
/// let pieces = split_text(b"The quick brown fox jumps", 16);
/// assert_eq!(pieces, [&b"The quick brown"[..], b"fox jumps"]);
/// ```
#[must_use]
pub fn split_text(text: &[u8], max: usize) -> Vec<&[u8]> {
    let max = max.max(PIECE_MIN);
    let mut pieces = Vec::with_capacity(text.len() / max + 1);
    let mut rest = text;
    while rest.len() > max {
        // A space right behind the limit ends a piece that is full.
        let space = memrchr(b' ', &rest[..=max]).filter(|at| *at > 0);
        let (piece, behind) = match space {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => rest.split_at(cut(rest, max)),
        };
        pieces.push(piece);
        rest = behind;
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The longest front of at most `max` bytes that does not end in a character or in a code.
#[must_use]
pub fn cut_at_character(text: &[u8], max: usize) -> &[u8] {
    if text.len() <= max { text } else { &text[..character(text, max)] }
}

fn cut(text: &[u8], max: usize) -> usize {
    let at = character(text, max);
    let from = at.saturating_sub(CODE_MAX);
    let code =
        text[from..at].iter().rposition(|byte| matches!(byte, 3 | 4)).map(|code| from + code);
    match code {
        Some(code) if code > 0 && code + code_len(&text[code..]) > at => code,
        _ => at,
    }
}

/// The end of the last whole character at or before `max`, which is less than the length of the text. Where there is no UTF-8, `max`.
fn character(text: &[u8], max: usize) -> usize {
    let is_inside = |at: usize| text[at] & 0xc0 == 0x80;
    (max.saturating_sub(3)..=max).rev().find(|at| *at > 0 && !is_inside(*at)).unwrap_or(max)
}

/// How long a code of colour is, with its digits.
fn code_len(code: &[u8]) -> usize {
    let (digits_max, is_digit): (usize, fn(&u8) -> bool) = match code[0] {
        3 => (2, u8::is_ascii_digit),
        _ => (6, u8::is_ascii_hexdigit),
    };
    let digits =
        |text: &[u8]| text.iter().take(digits_max).take_while(|byte| is_digit(byte)).count();
    let front = 1 + digits(&code[1..]);
    match code.get(front) {
        Some(b',') if front > 1 => match digits(&code[front + 1..]) {
            0 => front,
            back => front + 1 + back,
        },
        _ => front,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cut_at_code_point() {
        let text = "ä".repeat(40);
        for max in 16..40 {
            for piece in split_text(text.as_bytes(), max) {
                assert!(str::from_utf8(piece).is_ok(), "{max}");
            }
        }
        assert_eq!(cut_at_character("aä".as_bytes(), 2), b"a");
        assert_eq!(cut_at_character(b"abc", 3), b"abc");
        assert_eq!(cut_at_character(b"abc", 0), b"");
        // Bytes that are not UTF-8.
        assert_eq!(split_text(&[0x80; 40], 16).concat().len(), 40);
    }

    #[test]
    fn codes_of_colours_stay_whole() {
        let text = format!("{}\x0304,12colour", "x".repeat(14));
        let pieces = split_text(text.as_bytes(), 16);
        assert_eq!(pieces[0], "x".repeat(14).as_bytes());
        assert!(pieces[1].starts_with(b"\x0304,12"));
    }

    #[test]
    fn words() {
        assert_eq!(split_text(b"", 16), [b""]);
        assert_eq!(split_text(b"0123456789abcdef", 16).len(), 1);
        assert_eq!(split_text(b"0123456789abcdef x", 16), [&b"0123456789abcdef"[..], b"x"]);
        assert_eq!(
            split_text(b"a 0123456789abcdefgh", 16),
            [&b"a"[..], b"0123456789abcdef", b"gh"]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in proptest::collection::vec(any::<u8>(), 0..200), max in 16_usize..64) {
            let pieces = split_text(&text, max);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= max));
            let spaces = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b' ').copied().collect::<Vec<_>>();
            prop_assert_eq!(spaces(&pieces.concat()), spaces(&text));
        }
    }
}
