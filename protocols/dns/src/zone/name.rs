//! Names on the wire, without compression: parsing from text, comparison, order. Bytes only; knows no zone.

use std::{cmp::Ordering, fmt};

/// Longest name on the wire, with its length bytes and the root (RFC 1035, section 2.3.4).
pub(crate) const NAME_LEN_MAX: usize = 255;

/// Longest label.
pub(crate) const LABEL_LEN_MAX: usize = 63;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// Longer than 255 bytes.
    TooLong,
    /// A label is longer than 63 bytes.
    LabelTooLong,
    /// Two dots follow each other, or the name begins with one.
    EmptyLabel,
    /// A backslash is followed by a number above 255, or by nothing.
    Escape,
    /// It is relative, and there is no origin.
    Relative,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the name is longer than 255 bytes",
            Self::LabelTooLong => "a label of the name is longer than 63 bytes",
            Self::EmptyLabel => "the name has an empty label",
            Self::Escape => {
                "a backslash must be followed by a character or by three digits up to 255"
            }
            Self::Relative => "the name is relative, and no origin is given",
        })
    }
}

/// A name that is owned, without compression. It ends with the root.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct WireName(Box<[u8]>);

impl WireName {
    /// The root.
    pub(crate) fn root() -> Self {
        Self(Box::new([0]))
    }

    /// From bytes that were checked.
    pub(crate) fn from_wire(wire: &[u8]) -> Self {
        Self(wire.into())
    }

    /// From a name of hickory-proto, which is taken as absolute.
    pub(crate) fn from_name(name: &crate::codec::Name) -> Self {
        let mut wire = Vec::with_capacity(name.len() + 1);
        for label in name {
            wire.push(u8::try_from(label.len()).unwrap_or(0));
            wire.extend_from_slice(label);
        }
        wire.push(0);
        Self(wire.into())
    }

    /// The name as a type of hickory-proto.
    pub(crate) fn to_name(&self) -> crate::codec::Name {
        to_name(&self.0)
    }

    /// Reads a name of a zone file (RFC 1035, section 5.1): `@` is the origin, a name without a dot at its end is relative to it.
    pub(crate) fn parse(text: &[u8], origin: Option<&[u8]>) -> Result<Self, NameFault> {
        if text == b"@" {
            return origin.map(Self::from_wire).ok_or(NameFault::Relative);
        }
        if text == b"." {
            return Ok(Self::root());
        }
        let (mut wire, mut at) = (Vec::with_capacity(text.len() + 2), 0);
        loop {
            let begins = wire.len();
            wire.push(0);
            while at < text.len() && text[at] != b'.' {
                let (byte, next) = unescape(text, at).ok_or(NameFault::Escape)?;
                wire.push(byte);
                at = next;
            }
            let len = wire.len() - begins - 1;
            if len == 0 {
                return Err(NameFault::EmptyLabel);
            }
            if len > LABEL_LEN_MAX {
                return Err(NameFault::LabelTooLong);
            }
            wire[begins] = u8::try_from(len).unwrap_or(0);
            if wire.len() > NAME_LEN_MAX {
                return Err(NameFault::TooLong);
            }
            match text.len() - at {
                0 => {
                    wire.extend_from_slice(origin.ok_or(NameFault::Relative)?);
                    break;
                }
                1 => {
                    wire.push(0);
                    break;
                }
                _ => at += 1,
            }
        }
        if wire.len() > NAME_LEN_MAX { Err(NameFault::TooLong) } else { Ok(Self(wire.into())) }
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same name in lower case.
    pub(crate) fn lowered(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }
}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.0), f)
    }
}

impl fmt::Debug for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.0), f)
    }
}

/// A name on the wire, without compression, as a type of hickory-proto.
pub(crate) fn to_name(wire: &[u8]) -> crate::codec::Name {
    let mut name = crate::codec::Name::from_labels(labels(wire)).unwrap_or_default();
    name.set_fqdn(true);
    name
}

/// A name as text, as in a zone file.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 1 {
            return f.write_str(".");
        }
        for label in labels(self.0) {
            for &byte in label {
                match byte {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(byte))?;
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

/// Reads one byte of text with escapes (`\X`, `\DDD`), and returns where the next begins.
pub(crate) fn unescape(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let byte = *text.get(at)?;
    if byte != b'\\' {
        return Some((byte, at + 1));
    }
    let next = *text.get(at + 1)?;
    if !next.is_ascii_digit() {
        return Some((next, at + 2));
    }
    let digits = text.get(at + 1..at + 4)?;
    let mut value = 0u16;
    for digit in digits {
        value = value * 10 + u16::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    Some((u8::try_from(value).ok()?, at + 4))
}

/// The labels of a name, from the left, without the root.
pub(crate) fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (len, after) = rest.split_first().filter(|(len, _)| **len > 0)?;
        let (label, after) = after.split_at_checked(usize::from(*len))?;
        rest = after;
        Some(label)
    })
}

/// How many labels a name has, without the root.
pub(crate) fn label_count(name: &[u8]) -> usize {
    labels(name).count()
}

/// The name without its first label; `None` for the root.
pub(crate) fn parent(name: &[u8]) -> Option<&[u8]> {
    let len = usize::from(*name.first()?);
    if len == 0 { None } else { name.get(1 + len..) }
}

/// Whether a name is another, or below it, without regard to case.
pub(crate) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = Some(name);
    while let Some(name) = rest.filter(|name| name.len() > ancestor.len()) {
        rest = parent(name);
    }
    rest.is_some_and(|name| name.eq_ignore_ascii_case(ancestor))
}

/// How long the name is at the beginning of these bytes, if it is a valid name without compression.
pub(crate) fn wire_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let len = usize::from(*bytes.get(at)?);
        at += 1 + len;
        if len > LABEL_LEN_MAX || at > NAME_LEN_MAX || at > bytes.len() {
            return None;
        }
        if len == 0 {
            return Some(at);
        }
    }
}

/// The canonical order of DNSSEC (RFC 4034, section 6.1): by labels from the right, without regard to case.
pub(crate) fn canonical_cmp(one: &[u8], other: &[u8]) -> Ordering {
    let (mut ones, mut others) = ([0u8; 128], [0u8; 128]);
    let (one_count, other_count) = (label_starts(one, &mut ones), label_starts(other, &mut others));
    for back in 1..=one_count.min(other_count) {
        let one = label_at(one, ones[one_count - back]);
        let other = label_at(other, others[other_count - back]);
        let one = one.iter().map(u8::to_ascii_lowercase);
        match one.cmp(other.iter().map(u8::to_ascii_lowercase)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    one_count.cmp(&other_count)
}

fn label_starts(name: &[u8], starts: &mut [u8; 128]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(&len) = name.get(at).filter(|len| **len > 0) {
        starts[count] = u8::try_from(at).unwrap_or(u8::MAX);
        count += 1;
        at += 1 + usize::from(len);
    }
    count
}

fn label_at(name: &[u8], start: u8) -> &[u8] {
    let start = usize::from(start);
    &name[start + 1..start + 1 + usize::from(name[start])]
}

/// A name on the stack, in lower case: lookups need no allocation.
#[derive(Clone)]
pub(crate) struct NameBuffer {
    bytes: [u8; NAME_LEN_MAX],
    len: usize,
}

impl NameBuffer {
    /// A copy in lower case. Longer names than 255 bytes are cut; callers have checked them.
    pub(crate) fn lowered(name: &[u8]) -> Self {
        let len = name.len().min(NAME_LEN_MAX);
        let mut bytes = [0; NAME_LEN_MAX];
        bytes[..len].copy_from_slice(&name[..len]);
        bytes[..len].make_ascii_lowercase();
        Self { bytes, len }
    }

    /// From a name of hickory-proto, which is taken as absolute; `None` if it is too long.
    pub(crate) fn from_name(name: &crate::codec::Name) -> Option<Self> {
        let (mut bytes, mut len) = ([0; NAME_LEN_MAX], 0);
        for label in name {
            let end = len + 1 + label.len();
            // The root follows.
            bytes.get_mut(len + 1..end).filter(|_| end < NAME_LEN_MAX)?.copy_from_slice(label);
            bytes[len] = u8::try_from(label.len()).ok()?;
            len = end;
        }
        Some(Self { bytes, len: len + 1 })
    }

    /// A prefix of labels and a suffix, put together; `None` if that is too long.
    pub(crate) fn joined(prefix: &[u8], suffix: &[u8]) -> Option<Self> {
        let len = prefix.len() + suffix.len();
        if len > NAME_LEN_MAX {
            return None;
        }
        let mut bytes = [0; NAME_LEN_MAX];
        bytes[..prefix.len()].copy_from_slice(prefix);
        bytes[prefix.len()..len].copy_from_slice(suffix);
        Some(Self { bytes, len })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> Result<WireName, NameFault> {
        WireName::parse(text.as_bytes(), Some(b"\x07example\0"))
    }

    #[test]
    fn names_of_zone_files() {
        let cases = [
            ("@", "example."),
            ("www", "www.example."),
            ("www.other.", "www.other."),
            (".", "."),
            ("a\\.b.c", "a\\.b.c.example."),
            ("a\\032b", "a\\032b.example."),
            ("\\@", "\\@.example."),
            ("*", "*.example."),
        ];
        for (text, shown) in cases {
            assert_eq!(wire(text).map(|name| name.to_string()).as_deref(), Ok(shown), "{text}");
        }
    }

    #[test]
    fn names_that_are_none() {
        let label = "a".repeat(64);
        let name = vec!["a".repeat(60); 5].join(".");
        let cases = [
            ("a..b", NameFault::EmptyLabel),
            (".a", NameFault::EmptyLabel),
            ("", NameFault::EmptyLabel),
            ("a\\256", NameFault::Escape),
            ("a\\", NameFault::Escape),
            ("a\\1", NameFault::Escape),
            (&label, NameFault::LabelTooLong),
            (&name, NameFault::TooLong),
        ];
        for (text, fault) in cases {
            assert_eq!(wire(text), Err(fault), "{text}");
        }
        assert_eq!(WireName::parse(b"a", None), Err(NameFault::Relative));
    }

    #[test]
    fn canonical_order_of_rfc_4034() {
        let texts = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        let names: Vec<_> = texts.iter().filter_map(|text| wire(text).ok()).collect();
        assert_eq!(names.len(), texts.len());
        for pair in names.windows(2) {
            let order = canonical_cmp(pair[0].as_bytes(), pair[1].as_bytes());
            assert_eq!(order, Ordering::Less, "{} {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn below() {
        let under = |name: &str, other: &str| {
            let (name, other) = (wire(name).unwrap(), wire(other).unwrap());
            is_at_or_below(name.as_bytes(), other.as_bytes())
        };
        assert!(under("a.b.", "b.") && under("b.", "b.") && under("b.", "."));
        assert!(!under("ab.", "b.") && !under("b.", "a.b."));
    }
}
