//! Untrusted text in errors and logs, shortened and escaped: [`Excerpt`]. Pure.

use std::{
    fmt::{self, Write},
    path::Path,
};

/// Untrusted text made safe for an error or a log line: no longer than [`LEN_MAX`](Self::LEN_MAX) characters,
/// with everything escaped that could end the line, move a terminal's cursor or change the writing direction.
///
/// `Display` shows the rest of the text unchanged, `Debug` shows it in quotes as a string's `Debug` does. Bytes that
/// are not UTF-8 are shown as `\xff`. A shortened text ends in `…` and the length of the whole.
///
/// # Examples
///
/// ```
/// use sinew_reactor::Excerpt;
///
/// assert_eq!(Excerpt::new("example.org").to_string(), "example.org");
/// assert_eq!(Excerpt::new("two\nlines \u{1b}[2J").to_string(), r"two\nlines \u{1b}[2J");
/// assert_eq!(format!("{:?}", Excerpt::new(b"\xffa\"")), r#""\xffa\"""#);
/// assert_eq!(Excerpt::new("abcdef").len_max(3).to_string(), "abc… (6 bytes)");
/// ```
#[derive(Clone, Copy)]
pub struct Excerpt<'a> {
    text: &'a [u8],
    len_max: usize,
}

impl<'a> Excerpt<'a> {
    /// The default maximum, in characters: 256, so that every DNS name, which has at most 253, is shown in full.
    pub const LEN_MAX: usize = 256;

    /// An excerpt of a text, or of bytes that are most likely a text.
    #[must_use]
    pub fn new(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { text: text.as_ref(), len_max: Self::LEN_MAX }
    }

    /// An excerpt of a path.
    #[must_use]
    pub fn path(path: &'a Path) -> Self {
        Self::new(path.as_os_str().as_encoded_bytes())
    }

    /// Sets the maximum length, in characters.
    #[must_use]
    pub const fn len_max(mut self, characters: usize) -> Self {
        self.len_max = characters;
        self
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, quoted: bool) -> fmt::Result {
        let mut left = self.len_max;
        let mut take = || {
            let is_left = left > 0;
            left = left.saturating_sub(1);
            is_left
        };
        let mut is_cut = false;
        if quoted {
            f.write_char('"')?;
        }
        'all: for chunk in self.text.utf8_chunks() {
            for character in chunk.valid().chars() {
                if !take() {
                    is_cut = true;
                    break 'all;
                }
                show_character(f, character, quoted)?;
            }
            for byte in chunk.invalid() {
                if !take() {
                    is_cut = true;
                    break 'all;
                }
                write!(f, "\\x{byte:02x}")?;
            }
        }
        if is_cut {
            f.write_char('…')?;
        }
        if quoted {
            f.write_char('"')?;
        }
        if is_cut { write!(f, " ({} bytes)", self.text.len()) } else { Ok(()) }
    }
}

/// As in a string's `Debug`. Without quotes around the text, quotes and backslashes in it need no escape.
fn show_character(f: &mut fmt::Formatter<'_>, character: char, quoted: bool) -> fmt::Result {
    match character {
        '\'' => f.write_char(character),
        '"' | '\\' if !quoted => f.write_char(character),
        other => write!(f, "{}", other.escape_debug()),
    }
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, false)
    }
}

impl fmt::Debug for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shortened_and_escaped() {
        let long = "a".repeat(70_000);
        let cases: &[(&[u8], &str, &str)] = &[
            (b"", "", r#""""#),
            (b"plain", "plain", r#""plain""#),
            ("grün 木".as_bytes(), "grün 木", r#""grün 木""#),
            (br#"a "b" \ 'c'"#, r#"a "b" \ 'c'"#, r#""a \"b\" \\ 'c'""#),
            (b"a\r\nb\tc\0", r"a\r\nb\tc\0", r#""a\r\nb\tc\0""#),
            (b"\x1b[31mred\x7f", r"\u{1b}[31mred\u{7f}", r#""\u{1b}[31mred\u{7f}""#),
            // A C1 control character; a change of the writing direction; a line separator of Unicode.
            (
                "\u{9b}2J\u{202e}cba\u{2028}".as_bytes(),
                r"\u{9b}2J\u{202e}cba\u{2028}",
                r#""\u{9b}2J\u{202e}cba\u{2028}""#,
            ),
            (b"\xc3(\xff", r"\xc3(\xff", r#""\xc3(\xff""#),
        ];
        for (text, plain, quoted) in cases {
            let excerpt = Excerpt::new(*text);
            assert_eq!(excerpt.to_string(), *plain);
            assert_eq!(format!("{excerpt:?}"), *quoted);
        }
        let shown = Excerpt::new(&long);
        assert_eq!(shown.to_string(), format!("{}… (70000 bytes)", "a".repeat(256)));
        assert_eq!(format!("{shown:?}"), format!("\"{}…\" (70000 bytes)", "a".repeat(256)));
        // A text of exactly the maximum is not shortened; the limit counts characters, not bytes.
        let fits = "木".repeat(Excerpt::LEN_MAX);
        assert_eq!(Excerpt::new(&fits).to_string(), fits);
        assert_eq!(Excerpt::new(b"\xff\xfe").len_max(1).to_string(), r"\xff… (2 bytes)");
    }
}
