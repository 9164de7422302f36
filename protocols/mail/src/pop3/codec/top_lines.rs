//! The part of a message that TOP sends: [`TopLines`] finds its end, however the message is cut into pieces. Pure.

use memchr::memchr;

/// Finds the end of the header, and of so many lines after it (RFC 1939 7, TOP).
///
/// # Examples
///
/// ```
/// use sinew_mail::pop3::codec::TopLines;
///
/// let mut top = TopLines::new(1);
/// assert_eq!(top.take(b"Subject: x\r\n\r\none\r\ntwo\r\n"), b"Subject: x\r\n\r\none\r\n");
/// assert!(top.is_complete());
/// ```
#[derive(Clone, Debug)]
pub struct TopLines {
    is_in_header: bool,
    /// The current line has only a CR, or nothing.
    line_is_empty: bool,
    left: u64,
}

impl TopLines {
    /// The header, the empty line, and so many lines of the body.
    #[must_use]
    pub const fn new(lines: u64) -> Self {
        Self { is_in_header: true, line_is_empty: true, left: lines }
    }

    /// The front of the next piece of the message, as far as it belongs to it.
    pub fn take<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let mut at = 0;
        while at < piece.len() && !self.is_complete() {
            let end = memchr(b'\n', &piece[at..]).map(|len| at + len);
            let line = &piece[at..end.unwrap_or(piece.len())];
            self.line_is_empty &= line.iter().all(|byte| *byte == b'\r');
            let Some(end) = end else { return piece };
            if !self.is_in_header {
                self.left -= 1;
            } else if self.line_is_empty {
                self.is_in_header = false;
            }
            self.line_is_empty = true;
            at = end + 1;
        }
        &piece[..at]
    }

    /// Whether no more belongs to it.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.is_in_header && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_message_however_it_is_cut() {
        let message = b"A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree";
        for (lines, expected, is_complete) in [
            (0, &b"A: 1\r\nB: 2\r\n\r\n"[..], true),
            (1, b"A: 1\r\nB: 2\r\n\r\none\r\n", true),
            (2, b"A: 1\r\nB: 2\r\n\r\none\r\n\r\n", true),
            (3, message, false),
            (u64::MAX, message, false),
        ] {
            for len in 1..=message.len() {
                let (mut top, mut taken) = (TopLines::new(lines), Vec::new());
                for piece in message.chunks(len) {
                    taken.extend_from_slice(top.take(piece));
                }
                assert_eq!(
                    (&taken[..], top.is_complete()),
                    (expected, is_complete),
                    "{lines} {len}"
                );
            }
        }
    }

    #[test]
    fn a_message_without_a_body_or_with_bare_line_ends() {
        for (message, expected) in
            [("A: 1\r\n", "A: 1\r\n"), ("", ""), ("A: 1\n\nx\n", "A: 1\n\n"), ("\r\nx", "\r\n")]
        {
            let mut top = TopLines::new(0);
            assert_eq!(top.take(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
    }
}
