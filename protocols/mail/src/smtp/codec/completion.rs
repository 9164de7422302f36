//! The fields that a message lacks: [`Completion`] looks at the header as it streams by, and adds them behind it. Pure.

use std::time::SystemTime;

use super::date::date;

/// Most bytes of the name of a field: those of a line (RFC 5322 2.1.1).
const NAME_MAX: usize = 998;

/// Adds fields to the header of a message that has none of their names (RFC 6409 8). It keeps no more than the name of one field, at most
/// 998 bytes, however long the header is. A message that lacks nothing is passed on as it is.
///
/// The header ends at the empty line, at the first line that cannot belong to a header, or with the message. If that is not an empty
/// line, one is added behind the fields.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use sinew_mail::smtp::codec::Completion;
///
/// let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
/// let mut completion = Completion::default().date(now).field("Message-ID", "<1@example.org>");
/// let mut out = Vec::new();
/// completion.feed(b"Message-Id: <x@example.net>\r\n\r\nHello\r\n", &mut out);
/// completion.end(&mut out);
/// assert_eq!(out, b"Message-Id: <x@example.net>\r\nDate: Sun, 06 Nov 1994 08:49:37 +0000\r\n\r\nHello\r\n");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Completion {
    /// What is not in the header so far.
    missing: Vec<(&'static str, String)>,
    /// The beginning of a line that was not passed on, since it may be no name.
    name: Vec<u8>,
    at: At,
    has_field: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// At the beginning of a line, or in a name there.
    #[default]
    Name,
    /// Behind the name, or in a line that goes on with the field before.
    Value,
    Body,
}

impl Completion {
    /// Adds this field. The value may be [folded](https://www.rfc-editor.org/rfc/rfc5322#section-2.2.3); it has no other line ends, and
    /// the name is one of RFC 5322.
    pub fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.missing.push((name, value.into()));
        self
    }

    /// Adds this time as `Date`, in UTC.
    pub fn date(self, now: SystemTime) -> Self {
        self.field("Date", date(now))
    }

    /// Whether the rest of the message is passed on as it is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.at == At::Body
    }

    /// Takes the next piece of the message, with its CRLFs, and writes what is passed on.
    pub fn feed(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        while let Some(&first) = piece.first() {
            if self.missing.is_empty() {
                self.at = At::Body;
            }
            let len = match self.at {
                At::Body => {
                    out.append(&mut self.name);
                    piece.len()
                }
                At::Value => {
                    let end = piece.iter().position(|byte| *byte == b'\n');
                    self.at = if end.is_some() { At::Name } else { At::Value };
                    end.map_or(piece.len(), |at| at + 1)
                }
                At::Name => {
                    self.take(first, out);
                    piece = &piece[1..];
                    continue;
                }
            };
            let (passed, rest) = piece.split_at(len);
            out.extend_from_slice(passed);
            piece = rest;
        }
    }

    /// The message is complete: writes what is left.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.at == At::Value && !self.missing.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        self.end_header(out);
    }

    /// Takes the next byte of what may be a name.
    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_first = self.name.is_empty();
        self.name.push(byte);
        match byte {
            // A folded line belongs to the field before.
            b' ' | b'\t' if is_first && self.has_field => self.pass(out),
            b':' if !is_first => {
                let name = self.name[..self.name.len() - 1].trim_ascii_end();
                self.missing.retain(|field| !name.eq_ignore_ascii_case(field.0.as_bytes()));
                self.has_field = true;
                self.pass(out);
            }
            _ if self.name.len() > NAME_MAX => self.end_header(out),
            // Spaces before the colon are those of RFC 5322 4.5.
            b' ' | b'\t' if !is_first => {}
            b'!'..=b'~'
                if byte != b':' && !self.name.contains(&b' ') && !self.name.contains(&b'\t') => {}
            _ => self.end_header(out),
        }
    }

    /// The line belongs to the header.
    fn pass(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.name);
        self.at = At::Value;
    }

    /// Adds the fields, and passes on what was kept.
    fn end_header(&mut self, out: &mut Vec<u8>) {
        let is_lacking = !self.missing.is_empty();
        for (name, value) in self.missing.drain(..) {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if is_lacking && self.name != b"\r" {
            out.extend_from_slice(b"\r\n");
        }
        out.append(&mut self.name);
        self.at = At::Body;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn completion() -> Completion {
        Completion::default().field("Date", "d").field("Message-ID", "<m>")
    }

    fn completed(message: &[u8], piece: usize) -> String {
        let (mut completion, mut out) = (completion(), Vec::new());
        for piece in message.chunks(piece) {
            completion.feed(piece, &mut out);
            assert!(completion.name.len() <= NAME_MAX + 1);
        }
        completion.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    const BOTH: &str = "Date: d\r\nMessage-ID: <m>\r\n";

    #[test]
    fn what_is_missing_is_added_behind_the_header() {
        let long = "x".repeat(5000);
        for (message, expected) in [
            ("", format!("{BOTH}\r\n")),
            ("\r\nbody\r\n", format!("{BOTH}\r\nbody\r\n")),
            ("A: b\r\n\r\nDate: x\r\n", format!("A: b\r\n{BOTH}\r\nDate: x\r\n")),
            ("A: b\r\n c\r\n\r\n", format!("A: b\r\n c\r\n{BOTH}\r\n")),
            ("A: b\r\n", format!("A: b\r\n{BOTH}\r\n")),
            ("A: b", format!("A: b\r\n{BOTH}\r\n")),
            ("Da", format!("{BOTH}\r\nDa")),
            ("date: x\r\nA: b\r\n\r\n", "date: x\r\nA: b\r\nMessage-ID: <m>\r\n\r\n".to_owned()),
            ("MESSAGE-ID \t:\r\n x\r\n\r\n", "MESSAGE-ID \t:\r\n x\r\nDate: d\r\n\r\n".to_owned()),
            // Other names, and what is in the value of another field.
            (
                "Resent-Date: x\r\nDat: x\r\nDates: x\r\nA: b\r\n Date: x\r\nB: Date: x\r\n\r\n",
                format!(
                    "Resent-Date: x\r\nDat: x\r\nDates: x\r\nA: b\r\n Date: x\r\nB: Date: x\r\n{BOTH}\r\n"
                ),
            ),
            // Lines that are none of a header.
            ("hello\r\n\r\nDate: x\r\n", format!("{BOTH}\r\nhello\r\n\r\nDate: x\r\n")),
            ("A: b\r\nhello you: x\r\n", format!("A: b\r\n{BOTH}\r\nhello you: x\r\n")),
            (" folded: x\r\n", format!("{BOTH}\r\n folded: x\r\n")),
            (": x\r\n", format!("{BOTH}\r\n: x\r\n")),
            ("D\u{e4}te: x\r\n", format!("{BOTH}\r\nD\u{e4}te: x\r\n")),
            (&long, format!("{BOTH}\r\n{long}")),
            (&format!("A: {long}\r\n\r\n"), format!("A: {long}\r\n{BOTH}\r\n")),
        ] {
            for piece in [1, 2, 3, 7, usize::MAX] {
                assert_eq!(completed(message.as_bytes(), piece), expected, "{message:?} {piece}");
            }
        }
    }

    proptest! {
        /// However a message is cut, the same is passed on; it is whole, and lacks nothing any more.
        #[test]
        fn any_message_in_any_pieces(message in "((Date|A|Message-ID|[ -~]{0,9})[: ]{0,2}[x-z]{0,3}(\r\n|\r\n ){1,2}){0,6}", piece in 1..20_usize) {
            let whole = completed(message.as_bytes(), usize::MAX);
            prop_assert_eq!(&completed(message.as_bytes(), piece), &whole);
            prop_assert_eq!(&completed(whole.as_bytes(), piece), &whole);
            let without = whole.replacen("Date: d\r\n", "", 1).replacen("Message-ID: <m>\r\n", "", 1);
            // With the end of the last line, and an empty one.
            let is_whole = (0..=2).any(|ends| without.len() == message.len() + 2 * ends);
            prop_assert!(is_whole, "{:?} became {:?}", message, whole);
        }
    }
}
