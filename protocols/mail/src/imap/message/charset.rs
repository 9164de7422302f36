//! Reads text in a charset, and encoded words of headers (RFC 2047): [`Charset`]. Pure; what cannot be read becomes U+FFFD.

use encoding_rs::{CoderResult, Decoder, Encoding};

use super::TransferDecoder;

/// A charset, by one of the names that the web knows (those of encoding_rs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// UTF-8, and so US-ASCII.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);

    /// The charset of this name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        if [&b"us-ascii"[..], b"ascii", b"utf-8", b"utf8"]
            .iter()
            .any(|one| name.eq_ignore_ascii_case(one))
        {
            return Some(Self::UTF_8);
        }
        Encoding::for_label(name).map(Self)
    }

    /// Reads a whole text.
    #[must_use]
    pub fn read(self, text: &[u8]) -> String {
        let mut out = String::new();
        let mut reader = self.reader();
        reader.push(text, &mut out);
        reader.finish(&mut out);
        out
    }

    /// Whether these bytes are a text of it.
    pub(crate) fn has(self, text: &[u8]) -> bool {
        let (_, has_errors) = self.0.decode_without_bom_handling(text);
        !has_errors
    }

    /// Reads a text piece by piece.
    pub(crate) fn reader(self) -> TextReader {
        TextReader(self.0.new_decoder_without_bom_handling())
    }
}

/// Reads a text piece by piece.
pub(crate) struct TextReader(Decoder);

impl TextReader {
    pub(crate) fn push(&mut self, piece: &[u8], out: &mut String) {
        self.decode(piece, out, false);
    }

    pub(crate) fn finish(mut self, out: &mut String) {
        self.decode(b"", out, true);
    }

    fn decode(&mut self, mut piece: &[u8], out: &mut String, is_last: bool) {
        loop {
            let needed = self.0.max_utf8_buffer_length(piece.len()).unwrap_or(piece.len());
            out.reserve(needed.clamp(16, 64 << 10));
            let (result, read, _) = self.0.decode_to_string(piece, out, is_last);
            piece = &piece[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// The text of a field, with its encoded words read. Bytes that are not ASCII are taken for UTF-8.
#[must_use]
pub(crate) fn field_text(text: &[u8]) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut is_behind_word = false;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        match encoded_word(&from[2..]) {
            Some((word, len)) => {
                // Blanks between two encoded words do not count (RFC 2047 6.2).
                if !(is_behind_word && before.trim_ascii().is_empty()) {
                    out += &String::from_utf8_lossy(before);
                }
                out += &word;
                rest = &from[2 + len..];
                is_behind_word = true;
            }
            None => {
                out += &String::from_utf8_lossy(before);
                out += "=?";
                rest = &from[2..];
                is_behind_word = false;
            }
        }
    }
    out += &String::from_utf8_lossy(rest);
    out
}

/// An encoded word behind its `=?`, and its length.
fn encoded_word(text: &[u8]) -> Option<(String, usize)> {
    // RFC 2047 2: at most 75 bytes; many are longer.
    let text = &text[..text.len().min(1_024)];
    let mut parts = text.splitn(3, |&byte| byte == b'?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_word = |part: &[u8]| part.iter().all(u8::is_ascii_graphic);
    if !is_word(charset) || encoding.len() != 1 {
        return None;
    }
    // RFC 2231 5: a language may follow.
    let charset = charset.split(|&byte| byte == b'*').next()?;
    let charset = Charset::named(charset)?;
    let end = memchr::memmem::find(rest, b"?=")?;
    let len = text.len() - rest.len() + end + 2;
    let word = &rest[..end];
    let mut bytes = Vec::new();
    match encoding[0].to_ascii_lowercase() {
        b'b' => TransferDecoder::new(Some(b"base64"))?.push(word, &mut bytes),
        b'q' => {
            let word: Vec<u8> =
                word.iter().map(|&byte| if byte == b'_' { b' ' } else { byte }).collect();
            let mut decoder = TransferDecoder::new(Some(b"quoted-printable"))?;
            decoder.push(&word, &mut bytes);
            decoder.finish(&mut bytes);
        }
        _ => return None,
    }
    Some((charset.read(&bytes), len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words() {
        let cases = [
            ("plain", "plain"),
            ("=?utf-8?q?J=C3=B6rg_X?= <a@b>", "Jörg X <a@b>"),
            ("=?ISO-8859-1?B?SvZyZw==?= =?utf-8*de?Q?=C3=B6?=", "Jörgö"),
            ("=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"),
            ("=?nope?q?a?=", "=?nope?q?a?="),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("caf\u{e9}", "caf\u{e9}"),
        ];
        for (text, expected) in cases {
            assert_eq!(field_text(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn charsets_in_pieces() {
        let cases: [(&str, &[u8], &str); 4] = [
            ("utf-8", b"caf\xc3\xa9", "café"),
            ("ISO-8859-1", b"caf\xe9", "café"),
            ("iso-2022-jp", b"\x1b$B\x46\x7c\x1b(B", "日"),
            ("us-ascii", b"\xff", "\u{fffd}"),
        ];
        for (name, text, expected) in cases {
            let charset = Charset::named(name.as_bytes()).expect("a known charset");
            assert_eq!(charset.read(text), expected);
            for at in 0..text.len() {
                let mut out = String::new();
                let mut reader = charset.reader();
                reader.push(&text[..at], &mut out);
                reader.push(&text[at..], &mut out);
                reader.finish(&mut out);
                assert_eq!(out, expected, "{name} {at}");
            }
        }
        assert_eq!(Charset::named(b"x-none"), None);
    }
}
