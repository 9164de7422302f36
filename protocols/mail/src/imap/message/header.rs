//! The fields of a header: where each begins and ends, its name, and its text without folding (RFC 5322 2.2). Pure.

use std::{collections::HashSet, ops::Range};

/// A field of a header, as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    whole: &'a [u8],
    colon: usize,
}

impl<'a> Field<'a> {
    /// The name, without the blanks that old mail has before its colon.
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        self.whole[..self.colon].trim_ascii_end()
    }

    /// Whether this is its name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// All of its lines, with name and line ends.
    #[must_use]
    pub const fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The text on one line: line ends are left out, blanks at both ends, too.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let text = self.whole[self.colon + 1..].trim_ascii();
        text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect()
    }
}

/// The fields of a header, in their order. Lines that are no fields are left out, and the empty line at the end.
pub fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (whole, following) = rest.split_at(field_len(rest));
            rest = following;
            if let Some(field) = as_field(whole) {
                return Some(field);
            }
        }
        None
    })
}

/// A header of the fields that have one of these names, or that have none of them; and the empty line, if the header has one (RFC 3501
/// 6.4.5, HEADER.FIELDS).
#[must_use]
pub fn only_fields(header: &[u8], names: &[impl AsRef<[u8]>], is_not: bool) -> Vec<u8> {
    let mut out = Vec::new();
    // Both may be thousands.
    let names: HashSet<Vec<u8>> =
        names.iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
    for field in fields(header) {
        let is_named = names.contains(&field.name().to_ascii_lowercase());
        if is_named != is_not {
            out.extend_from_slice(field.whole());
            if !out.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    // A message that has no empty line has none here, either.
    if ends_with_empty_line(header) {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn ends_with_empty_line(header: &[u8]) -> bool {
    let Some(before) = header.strip_suffix(b"\n") else { return false };
    let before = before.strip_suffix(b"\r").unwrap_or(before);
    before.is_empty() || before.ends_with(b"\n")
}

fn as_field(whole: &[u8]) -> Option<Field<'_>> {
    let first_line = line_range(whole);
    let colon = memchr::memchr(b':', &whole[first_line])?;
    let name = whole[..colon].trim_ascii_end();
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then_some(Field { whole, colon })
}

/// The length of the first field, with the lines that continue it.
fn field_len(header: &[u8]) -> usize {
    let mut end = line_range(header).end;
    while let Some(b' ' | b'\t') = header.get(end) {
        // An empty line ends the header, even one of blanks only is a continuation (RFC 5322 4.2).
        end += line_range(&header[end..]).end;
    }
    end
}

/// The first line, with its end.
fn line_range(bytes: &[u8]) -> Range<usize> {
    0..memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart() {
        let header = b"From me\r\nSubject: a\r\n  b\r\nX : 1\r\nno field\r\n :\r\nTo:x\n\r\n";
        let found: Vec<_> =
            fields(header).map(|field| (field.name().to_vec(), field.text())).collect();
        let expected: Vec<(Vec<u8>, Vec<u8>)> = vec![
            (b"Subject".to_vec(), b"a  b".to_vec()),
            (b"X".to_vec(), b"1".to_vec()),
            (b"To".to_vec(), b"x".to_vec()),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn some_fields_of_a_header() {
        let header = b"A: 1\r\nB: 2\r\n 2\r\na: 3\r\nC: 4\r\n\r\n";
        assert_eq!(only_fields(header, &["a", "x"], false), b"A: 1\r\na: 3\r\n\r\n");
        assert_eq!(only_fields(header, &["A"], true), b"B: 2\r\n 2\r\nC: 4\r\n\r\n");
        assert_eq!(only_fields(b"A: 1", &["A"], false), b"A: 1\r\n");
        assert_eq!(only_fields(b"\r\n", &["A"], false), b"\r\n");
        assert_eq!(only_fields(b"B: 1\n\n", &["A"], false), b"\r\n");
        assert_eq!(only_fields(b"", &["A"], false), b"");
    }

    /// As many fields as there are names: each is looked up, not compared with all names.
    #[test]
    fn many_fields_and_many_names() {
        let names: Vec<String> = (0..30_000).map(|number| format!("x{number}")).collect();
        let header: String = (29_999..60_000).map(|number| format!("X{number}:\n")).collect();
        assert_eq!(only_fields(header.as_bytes(), &names, false), b"X29999:\n");
        assert_eq!(only_fields(header.as_bytes(), &names, true).len(), 30_000 * 8);
    }
}
