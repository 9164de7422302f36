//! The fields of a head or of trailers: [`Fields`]. One buffer, and the positions of names and values in it; not a hash map,
//! because heads are short and a map would allocate for each.

use std::{borrow::Cow, fmt, ops::Range, str};

use sinew_transports::reactor::{Excerpt, error_debug};

use super::byte_set::{ByteSet, alphanumeric_and};

/// Longest name of a field that can be written. Not configurable: 256 bytes.
const NAME_MAX: usize = 256;

/// The fields of a head or of trailers, in order. Names are compared case-insensitively (RFC 9110 5).
///
/// # Examples
///
/// ```
/// use sinew_http::Fields;
///
/// let mut fields = Fields::new();
/// fields.append("Accept", "text/html")?;
/// fields.append("accept", "text/plain, */*;q=0.1")?;
/// assert_eq!(fields.get("ACCEPT"), Some(&b"text/html"[..]));
/// assert_eq!(fields.list("accept").collect::<Vec<_>>(), ["text/html", "text/plain", "*/*;q=0.1"]);
/// assert!(fields.append("X-Name", "a\r\nSet-Cookie: b").is_err()); // no header injection
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    pub(super) bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    name: u32,
    name_len: u32,
    value: u32,
    value_len: u32,
}

/// A field that cannot be written: its name or value is invalid, or the server sets it itself.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is not a token (RFC 9110 5.6.2), or longer than 256 bytes.
    #[error("{:?} is not a valid field name", Excerpt::new(name))]
    Name {
        /// The name.
        name: String,
    },
    /// The value contains a control character, such as CR, LF or NUL (RFC 9110 5.5).
    #[error("the value of {name} contains the byte {byte:#04x}, which is not allowed")]
    Value {
        /// The name of the field.
        name: String,
        /// The first such byte.
        byte: u8,
    },
    /// The field frames the message or manages the connection. The server sets it, from the body and the client's version.
    #[error("{name} is set by the server")]
    Reserved {
        /// The name of the field.
        name: String,
    },
}

error_debug!(FieldError);

impl Fields {
    /// No fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new() }
    }

    /// The number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of the first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let is_named = |entry: &&Entry| self.name(entry).eq_ignore_ascii_case(name.as_bytes());
        self.entries.iter().find(is_named).map(|entry| self.value(entry))
    }

    /// The same as text; `None` also if it is not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The values of all fields with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let is_named = move |entry: &&Entry| self.name(entry).eq_ignore_ascii_case(name.as_bytes());
        self.entries.iter().filter(is_named).map(|entry| self.value(entry))
    }

    /// The elements of all fields with this name, whose value is a list (RFC 9110 5.6.1). Commas in quoted strings do not
    /// separate; values that are not UTF-8 are skipped.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all(name).filter_map(|value| str::from_utf8(value).ok()).flat_map(list)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |name| str::from_utf8(name).unwrap_or_default();
        self.entries.iter().map(move |entry| (text(self.name(entry)), self.value(entry)))
    }

    /// Appends a field.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the name or the value is invalid. Nothing is added then.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = trim(value.as_ref());
        check(name, value)?;
        let (at, value_at) = (self.bytes.len(), self.bytes.len() + name.len());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        self.push(at, name.len(), value_at, value.len());
        Ok(())
    }

    /// Replaces all fields with this name by one.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). Nothing is changed then.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        check(name, trim(value.as_ref()))?;
        self.remove(name);
        self.append(name, value)
    }

    /// Removes all fields with this name; returns whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let (before, bytes) = (self.entries.len(), &self.bytes);
        self.entries.retain(|entry| {
            let at = entry.name as usize;
            !bytes[at..at + entry.name_len as usize].eq_ignore_ascii_case(name.as_bytes())
        });
        self.entries.len() < before
    }

    /// Removes all fields. The storage is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Removes the fields, but keeps the bytes until others are set.
    pub(super) fn clear_entries(&mut self) {
        self.entries.clear();
    }

    /// Starts again with the bytes of a decoded head; [`push_parsed`](Self::push_parsed) adds its fields.
    pub(super) fn begin(&mut self, head: &[u8]) {
        self.entries.clear();
        self.set_bytes(head);
    }

    /// Sets the head whose fields were entered by their places.
    pub(super) fn set_bytes(&mut self, head: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
    }

    /// Adds a field of the decoded head; its value without the whitespace around it.
    pub(super) fn push_parsed<'h>(
        &mut self,
        head: &[u8],
        field: &httparse::Header<'h>,
    ) -> &'h [u8] {
        let (name, value) = (field.name.as_bytes(), trim(field.value));
        self.push(place(head, name).start, name.len(), place(head, value).start, value.len());
        value
    }

    /// Adds a field whose name and value are in the buffer, or will be, and were checked.
    #[inline]
    pub(super) fn push(&mut self, name: usize, name_len: usize, value: usize, value_len: usize) {
        // Heads are limited far below 4 GiB, and a program that adds fields without limit runs out of memory before.
        debug_assert!(u32::try_from(value + value_len).is_ok());
        let [name, name_len, value, value_len] =
            [name, name_len, value, value_len].map(|n| n as u32);
        self.entries.push(Entry { name, name_len, value, value_len });
    }

    /// The name and value of each field, as bytes.
    pub(super) fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (self.name(entry), self.value(entry)))
    }

    /// Frees storage beyond what a usual head needs.
    #[inline]
    pub(crate) fn shrink(&mut self, bytes: usize, entries: usize) {
        if self.bytes.capacity() > bytes {
            self.bytes.shrink_to(bytes);
        }
        if self.entries.capacity() > entries {
            self.entries.shrink_to(entries);
        }
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let at = entry.name as usize;
        &self.bytes[at..at + entry.name_len as usize]
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        let at = entry.value as usize;
        &self.bytes[at..at + entry.value_len as usize]
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, Excerpt::new(value)))).finish()
    }
}

fn check(name: &str, value: &[u8]) -> Result<(), FieldError> {
    if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_token) {
        return Err(FieldError::Name { name: name.to_owned() });
    }
    match value.iter().find(|byte| !is_value(**byte)) {
        Some(byte) => Err(FieldError::Value { name: name.to_owned(), byte: *byte }),
        None => Ok(()),
    }
}

/// A `tchar` of RFC 9110 5.6.2.
#[inline]
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKENS[byte as usize]
}

/// The table behind [`is_token`].
pub(super) const TOKENS: ByteSet = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// Whether a value may contain the byte (RFC 9110 5.5): all but control characters other than tab.
pub(super) const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Trims whitespace.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The position of a subslice in the slice that it is part of.
pub(super) fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// The elements of a list, trimmed, without empty ones.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    split_outside_quotes(value, b',').map(str::trim).filter(|element| !element.is_empty())
}

/// Splits at a separator outside of quoted strings (RFC 9110 5.6.4).
pub(crate) fn split_outside_quotes(value: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ if byte == separator && !quoted => {
                    rest = Some(&text[at + 1..]);
                    return Some(&text[..at]);
                }
                _ => {}
            }
        }
        rest = None;
        Some(text)
    })
}

/// A quoted string without its backslashes (RFC 9110 5.6.4).
#[cfg_attr(not(any(feature = "client", feature = "guard")), allow(dead_code))]
pub(crate) fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_injection_is_rejected() {
        let cases: [(&str, &[u8], bool); 12] = [
            ("X-A", b"plain", true),
            ("X-A", b"", true),
            ("X-A", "\u{e4}\t\"'".as_bytes(), true),
            ("X-A", b"a\rb", false),
            ("X-A", b"a\nb", false),
            ("X-A", b"a\0b", false),
            ("X-A", b"a\x7fb", false),
            ("X-A", b"a\r\nX-B: c", false),
            ("", b"a", false),
            ("X A", b"a", false),
            ("X-A:", b"a", false),
            ("X-A\r\nX-B", b"a", false),
        ];
        for (name, value, is_good) in cases {
            let mut fields = Fields::new();
            assert_eq!(fields.append(name, value).is_ok(), is_good, "{name:?}: {value:?}");
            assert_eq!(fields.len(), usize::from(is_good));
        }
        assert!(Fields::new().append(&"x".repeat(257), "").is_err());
    }

    #[test]
    fn set_replaces_all_fields_with_the_name() {
        let mut fields = Fields::new();
        for value in ["1", "2"] {
            fields.append("A", value).unwrap();
            fields.append("B", value).unwrap();
        }
        fields.set("a", " 3 ").unwrap();
        let all: Vec<_> = fields.iter().collect();
        assert_eq!(all, [("B", &b"1"[..]), ("B", b"2"), ("a", b"3")]);
        assert!(fields.set("B", "\n").is_err());
        assert_eq!(fields.all("b").count(), 2, "existing fields are unchanged");
        assert!(fields.remove("b") && !fields.remove("b"));
        assert_eq!(format!("{fields:?}"), r#"{"a": "3"}"#);
    }

    #[test]
    fn lists_are_cut_outside_of_quotes() {
        let cases: [(&str, &[&str]); 5] = [
            ("a, b ,,c", &["a", "b", "c"]),
            ("", &[]),
            (r#""a,b", "c\",d""#, &[r#""a,b""#, r#""c\",d""#]),
            (r#""never closed, x"#, &[r#""never closed, x"#]),
            (" , ", &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(list(value).collect::<Vec<_>>(), expected, "{value}");
        }
    }
}
