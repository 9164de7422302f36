//! The fields of a message's head or trailers: [`Fields`]. One buffer and the places of names and values in it; not a hash map, for
//! heads are short, and a map allocates for each of them.

use std::{fmt, ops::Range, str};

use sinew_transports::reactor::{Excerpt, error_debug};

use super::runs::{Kind, alphanumeric_and};

/// Longest name of a field that is written. Default and only value: 256 bytes.
const NAME_MAX: usize = 256;

/// The fields of a head or of trailers, in order; names are compared without regard to case (RFC 9110 5).
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
/// assert!(fields.append("X-Name", "a\r\nSet-Cookie: b").is_err()); // nothing can be smuggled in
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

/// A field that cannot be written: it would break out of its line, or is no field at all.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is no token of RFC 9110 5.6.2, or longer than 256 bytes.
    #[error("{:?} is not the name of a field", Excerpt::new(name))]
    Name {
        /// The name.
        name: String,
    },
    /// The value holds a control character, as CR, LF and NUL are (RFC 9110 5.5).
    #[error("the value of {name} holds the byte {byte:#04x}, which no value may")]
    Value {
        /// The name of the field.
        name: String,
        /// The first such byte.
        byte: u8,
    },
    /// The field frames the message or keeps the connection, which the server decides by the body and by what the client can take.
    #[error("{name} is set by the server")]
    Reserved {
        /// The name of the field.
        name: String,
    },
}

error_debug!(FieldError);

impl Fields {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of the first field of that name.
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

    /// The values of all fields of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let is_named = move |entry: &&Entry| self.name(entry).eq_ignore_ascii_case(name.as_bytes());
        self.entries.iter().filter(is_named).map(|entry| self.value(entry))
    }

    /// The elements of all fields of that name, which is one whose value is a list (RFC 9110 5.6.1). Commas in quotes do not
    /// separate; values that are not UTF-8 are left out.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.all(name).filter_map(|value| str::from_utf8(value).ok()).flat_map(list)
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |name| str::from_utf8(name).unwrap_or_default();
        self.entries.iter().map(move |entry| (text(self.name(entry)), self.value(entry)))
    }

    /// Adds a field behind all others.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the name is none, or the value could break out of its line. Nothing is added then.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = trim(value.as_ref());
        check(name, value)?;
        let (at, value_at) = (self.bytes.len(), self.bytes.len() + name.len());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        self.push(at, name.len(), value_at, value.len());
        Ok(())
    }

    /// Sets a field in the place of all others of that name.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). The others are still there then.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        check(name, trim(value.as_ref()))?;
        self.remove(name);
        self.append(name, value)
    }

    /// Removes all fields of that name; whether there was any.
    pub fn remove(&mut self, name: &str) -> bool {
        let (before, bytes) = (self.entries.len(), &self.bytes);
        self.entries.retain(|entry| {
            let at = entry.name as usize;
            !bytes[at..at + entry.name_len as usize].eq_ignore_ascii_case(name.as_bytes())
        });
        self.entries.len() < before
    }

    /// Removes all. The storage is kept.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Forgets the fields, and leaves the bytes until others are set.
    pub(super) fn clear_entries(&mut self) {
        self.entries.clear();
    }

    /// Starts anew with a head that was decoded, whose fields [`push_parsed`](Self::push_parsed) enters.
    pub(super) fn begin(&mut self, head: &[u8]) {
        self.entries.clear();
        self.set_bytes(head);
    }

    /// Sets the head whose fields were entered by their places.
    pub(super) fn set_bytes(&mut self, head: &[u8]) {
        self.bytes.clear();
        self.bytes.extend_from_slice(head);
    }

    /// Enters a field of that head; its value, without the blanks around it.
    pub(super) fn push_parsed<'h>(
        &mut self,
        head: &[u8],
        field: &httparse::Header<'h>,
    ) -> &'h [u8] {
        let (name, value) = (field.name.as_bytes(), trim(field.value));
        self.push(place(head, name).start, name.len(), place(head, value).start, value.len());
        value
    }

    /// Enters a field whose name and value are in the buffer, or will be, and were checked.
    #[inline]
    pub(super) fn push(&mut self, name: usize, name_len: usize, value: usize, value_len: usize) {
        // Heads are bounded far below 4 GiB, and whoever adds fields without end has run out of memory before.
        debug_assert!(u32::try_from(value + value_len).is_ok());
        let [name, name_len, value, value_len] =
            [name, name_len, value, value_len].map(|n| n as u32);
        self.entries.push(Entry { name, name_len, value, value_len });
    }

    /// Name and value of each, as bytes.
    pub(super) fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (self.name(entry), self.value(entry)))
    }

    /// Gives back storage beyond what a usual head needs.
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

/// The same, by byte.
pub(super) const TOKENS: Kind = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// What a value may hold (RFC 9110 5.5): all but control characters, and of them the tab.
pub(super) const fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Without the blanks around it.
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Where a part is in the whole that it was cut from.
pub(super) fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    start..start + part.len()
}

/// The elements of a list, without blanks around them and without empty ones.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    split_outside_quotes(value, b',').map(str::trim).filter(|element| !element.is_empty())
}

/// Cuts at a separator that is not in a quoted string (RFC 9110 5.6.4).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out_of_its_line() {
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
    fn set_takes_the_place_of_all_others() {
        let mut fields = Fields::new();
        for value in ["1", "2"] {
            fields.append("A", value).unwrap();
            fields.append("B", value).unwrap();
        }
        fields.set("a", " 3 ").unwrap();
        let all: Vec<_> = fields.iter().collect();
        assert_eq!(all, [("B", &b"1"[..]), ("B", b"2"), ("a", b"3")]);
        assert!(fields.set("B", "\n").is_err());
        assert_eq!(fields.all("b").count(), 2, "what was there is still there");
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
