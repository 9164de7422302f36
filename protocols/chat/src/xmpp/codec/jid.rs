//! Addresses (RFC 7622): [`Jid`]. What is bounded and refused is said there, and what of PRECIS is left out.

use std::{fmt, str::FromStr, sync::Arc};

use unicode_normalization::UnicodeNormalization;

/// Most bytes of each part.
const PART_MAX: usize = 1_023;

/// An address: `local@domain/resource`, of which only the domain must be there.
///
/// Parts have at most 1,023 bytes each. The local part and the domain are folded to lower case, all parts to NFC; spaces of other
/// scripts in a resource are spaces. Control characters, and in the local part spaces and `"&'/:<>@`, are refused. Of PRECIS, the rules
/// for directions of writing, for contexts and for compatible forms (width mapping, unassigned characters) are not applied, nor are
/// names of domains converted from or to `xn--`.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::Jid;
///
/// let jid: Jid = "Ann@Example.org/desk".parse()?;
/// assert_eq!(jid.to_string(), "ann@example.org/desk");
/// assert_eq!((jid.local(), jid.domain(), jid.resource()), (Some("ann"), "example.org", Some("desk")));
/// assert_eq!(jid.bare(), "ann@example.org".parse()?);
/// # Ok::<(), sinew_chat::xmpp::codec::JidError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Jid {
    local: Option<Arc<str>>,
    domain: Arc<str>,
    resource: Option<Arc<str>>,
}

/// Why a text is no address.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JidError {
    /// A part that is there is empty.
    #[error("the {part} of an address is empty")]
    Empty {
        /// Which.
        part: &'static str,
    },
    /// A part is too long.
    #[error("the {part} of an address has more than {PART_MAX} bytes")]
    TooLong {
        /// Which.
        part: &'static str,
    },
    /// A part has a character that it must not have.
    #[error("the {part} of an address has a character that it must not have")]
    Character {
        /// Which.
        part: &'static str,
    },
}

sinew_transports::reactor::error_debug!(JidError);

impl Jid {
    /// The part before `@`.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        self.local.as_deref()
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The part behind `/`.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// Whether there is no resource.
    #[must_use]
    pub const fn is_bare(&self) -> bool {
        self.resource.is_none()
    }

    /// The same without a resource.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self { resource: None, ..self.clone() }
    }

    /// The domain alone.
    #[must_use]
    pub fn of_domain(&self) -> Self {
        Self { local: None, domain: Arc::clone(&self.domain), resource: None }
    }

    /// The same with this resource.
    ///
    /// # Errors
    ///
    /// [`JidError`].
    pub fn with_resource(&self, resource: &str) -> Result<Self, JidError> {
        Ok(Self { resource: Some(prepare_resource(resource)?), ..self.clone() })
    }

    /// Whether both are the same without their resources.
    #[must_use]
    pub fn is_same_bare(&self, other: &Self) -> bool {
        self.local == other.local && self.domain == other.domain
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        // RFC 7622 3.2: the resource begins at the first `/`, and may have any of the others.
        let (address, resource) = match text.split_once('/') {
            Some((address, resource)) => (address, Some(prepare_resource(resource)?)),
            None => (text, None),
        };
        let (local, domain) = match address.split_once('@') {
            Some((local, domain)) => (Some(prepare_local(local)?), domain),
            None => (None, address),
        };
        Ok(Self { local, domain: prepare_domain(domain)?, resource })
    }
}

impl TryFrom<&str> for Jid {
    type Error = JidError;

    fn try_from(text: &str) -> Result<Self, JidError> {
        text.parse()
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(local) = &self.local {
            write!(f, "{local}@")?;
        }
        f.write_str(&self.domain)?;
        match &self.resource {
            Some(resource) => write!(f, "/{resource}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

fn prepare_local(text: &str) -> Result<Arc<str>, JidError> {
    const PART: &str = "local part";
    let prepared = folded(text, PART)?;
    let is_bad = |c: char| c.is_whitespace() || r#""&'/:<>@"#.contains(c);
    checked(prepared, PART, is_bad)
}

fn prepare_domain(text: &str) -> Result<Arc<str>, JidError> {
    const PART: &str = "domain";
    // RFC 7622 3.2: the dot of the root is not a part of it.
    let text = text.strip_suffix('.').unwrap_or(text);
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if literal.is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(JidError::Character { part: PART });
    }
    let prepared = folded(text, PART)?;
    if literal.is_none() && prepared.split('.').any(str::is_empty) {
        return Err(JidError::Empty { part: PART });
    }
    let is_bad = |c: char| {
        c.is_whitespace()
            || r#""&'/<>@\"#.contains(c)
            || (c.is_ascii_punctuation() && !matches!(c, '-' | '.' | '_') && literal.is_none())
    };
    checked(prepared, PART, is_bad)
}

fn prepare_resource(text: &str) -> Result<Arc<str>, JidError> {
    const PART: &str = "resource";
    bounded(text, PART)?;
    let spaces = text.chars().map(|c| match c {
        c if c.is_whitespace() && !c.is_control() && !is_separator(c) => ' ',
        c => c,
    });
    checked(spaces.nfc().collect(), PART, |_| false)
}

/// In lower case and in NFC.
fn folded(text: &str, part: &'static str) -> Result<String, JidError> {
    bounded(text, part)?;
    if text.is_ascii() {
        return Ok(text.to_ascii_lowercase());
    }
    Ok(text.chars().flat_map(char::to_lowercase).nfc().collect())
}

const fn bounded(text: &str, part: &'static str) -> Result<(), JidError> {
    match text.len() {
        0 => Err(JidError::Empty { part }),
        len if len > PART_MAX => Err(JidError::TooLong { part }),
        _ => Ok(()),
    }
}

fn checked(
    text: String,
    part: &'static str,
    is_bad: impl Fn(char) -> bool,
) -> Result<Arc<str>, JidError> {
    // NFC may be longer than what it is made of.
    bounded(&text, part)?;
    let is_never = |c: char| {
        c.is_control()
            || is_separator(c)
            || matches!(c, '\u{fffd}'..='\u{ffff}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    match text.chars().any(|c| is_never(c) || is_bad(c)) {
        true => Err(JidError::Character { part }),
        false => Ok(text.into()),
    }
}

/// Separators of lines and of paragraphs, which are no spaces.
const fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn resource_prepared() {
        for (text, prepared) in [
            ("example.org", "example.org"),
            ("Example.ORG.", "example.org"),
            ("Ann@example.org", "ann@example.org"),
            ("ann@example.org/De sk", "ann@example.org/De sk"),
            ("ann@example.org/a/b@c", "ann@example.org/a/b@c"),
            ("ann@example.org/a\u{2003}b", "ann@example.org/a b"),
            ("example.org/e\u{301}", "example.org/\u{e9}"),
            ("\u{c4}nn@B\u{dc}CHER.example", "\u{e4}nn@b\u{fc}cher.example"),
            ("ann@[::1]/x", "ann@[::1]/x"),
            ("room@muc.example/\u{1f4f1}", "room@muc.example/\u{1f4f1}"),
        ] {
            let jid: Jid = text.parse().unwrap();
            assert_eq!(jid.to_string(), prepared);
            assert_eq!(jid.to_string().parse::<Jid>().unwrap(), jid);
        }
        for bad in [
            "",
            "@example.org",
            "ann@",
            "ann@example.org/",
            "/x",
            "ann@b@example.org",
            "a b@example.org",
            "a\"b@example.org",
            "a'b@example.org",
            "<a>@example.org",
            "a:b@example.org",
            "a&b@example.org",
            "a\0b@example.org",
            "a\u{3000}b@example.org",
            "ann@exa mple.org",
            "ann@example..org",
            "ann@.",
            "ann@[::1",
            "ann@[x]",
            "ann@exam'ple",
            "ann@example.org/a\nb",
            "ann@example.org/a\u{7f}",
            "ann@example.org/a\u{2028}",
            "ann@example.org/\u{202e}x",
        ] {
            assert!(bad.parse::<Jid>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn jid_parts_of_1023() {
        let long = "x".repeat(1_023);
        let jid: Jid = format!("{long}@{long}/{long}").parse().unwrap();
        assert_eq!(jid.resource(), Some(&*long));
        for bad in [format!("{long}x@a/b"), format!("a@{long}x/b"), format!("a@b/{long}x")] {
            assert!(matches!(bad.parse::<Jid>(), Err(JidError::TooLong { .. })));
        }
        // Longer in NFC than as it is written: U+1D160 becomes three characters of four bytes.
        let grows = "\u{1d160}".repeat(200);
        assert!(matches!(format!("a@b/{grows}").parse::<Jid>(), Err(JidError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn an_address_is_read_as_it_is_written(text in "\\PC{0,6}@?\\PC{0,6}/?\\PC{0,6}") {
            if let Ok(jid) = text.parse::<Jid>() {
                prop_assert_eq!(jid.to_string().parse::<Jid>(), Ok(jid));
            }
        }
    }
}
