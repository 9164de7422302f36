//! Addresses of mail: [`Address`] (RFC 5321 4.1.2, with RFC 6531 for other scripts than ASCII).

use std::{fmt, str::FromStr};

use sinew_transports::reactor::Excerpt;

/// Most bytes of a local part (RFC 5321 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// Most bytes of a domain (RFC 5321 4.5.3.1.2).
const DOMAIN_MAX: usize = 255;
/// Most bytes of a path, without its angle brackets (RFC 5321 4.5.3.1.3).
const PATH_MAX: usize = 254;

/// The address of a mailbox: `ann@example.org`, `"ann lee"@example.org`, `ann@[192.0.2.1]`, `änne@bücher.example`; or `postmaster` alone.
///
/// It is checked when it is made, and is then one word of a command: it holds no control character, and a space only inside quotes.
/// Addresses are compared as they are written; only the receiving host knows what of a local part matters.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::Address;
///
/// let ann: Address = "ann@example.org".parse()?;
/// assert_eq!((ann.local(), ann.domain()), ("ann", "example.org"));
/// assert!("ann@example.org> SIZE=1\r\nDATA".parse::<Address>().is_err());
/// # Ok::<(), sinew_mail::smtp::codec::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    text: Box<str>,
    /// Bytes of the local part.
    local_len: usize,
}

/// Why a text is not an [`Address`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a mail address: {why}", Excerpt::new(.text.as_bytes()))]
#[non_exhaustive]
pub struct AddressError {
    /// The text.
    pub text: Box<str>,
    /// What is wrong.
    pub why: &'static str,
}

sinew_transports::reactor::error_debug!(AddressError);

impl Address {
    /// The part before the last `@`, with its quotes if it has some.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.local_len]
    }

    /// The part behind the `@`: a domain, or an address in brackets. Empty for `postmaster` alone.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.text.get(self.local_len + 1..).unwrap_or_default()
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is ASCII, and so needs no SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.text.is_ascii()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let made = local_len(text).and_then(|local_len| {
            check_domain(text, &text[local_len..])?;
            Ok(Self { text: text.into(), local_len })
        });
        made.map_err(|why| {
            // A text of any length may come from a peer.
            let mut end = text.len().min(PATH_MAX + 1);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            AddressError { text: text[..end].into(), why }
        })
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({:?})", self.text)
    }
}

/// Checks the local part, and returns its length.
fn local_len(text: &str) -> Result<usize, &'static str> {
    let len = match text.strip_prefix('"') {
        Some(rest) => quoted_len(rest)? + 2,
        None => text.find('@').unwrap_or(text.len()),
    };
    let local = &text[..len];
    match () {
        () if len == 0 => Err("the part before @ is missing"),
        () if len > LOCAL_MAX => Err("the part before @ is longer than 64 bytes"),
        () if local.starts_with('"') => Ok(len),
        // Dots at other places are not of RFC 5321, but there are such mailboxes.
        () if local.starts_with('.') || local.ends_with('.') => {
            Err("the part before @ begins or ends with a dot")
        }
        () if local.chars().all(is_atom_or_dot) => Ok(len),
        () => Err("the part before @ has a character that must be in quotes"),
    }
}

/// Bytes up to the closing quote.
fn quoted_len(quoted: &str) -> Result<usize, &'static str> {
    let mut is_escaped = false;
    for (at, char) in quoted.char_indices() {
        match char {
            // RFC 5321 4.1.2: qtextSMTP and quoted-pairSMTP are printable.
            _ if is_control(char) => return Err("a control character"),
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Ok(at),
            _ => {}
        }
    }
    Err("a quote is not closed")
}

/// Checks what follows the local part: nothing behind `postmaster`, else `@` and a domain.
fn check_domain(text: &str, rest: &str) -> Result<(), &'static str> {
    let Some(domain) = rest.strip_prefix('@') else {
        // RFC 5321 4.1.1.3: the only address without a domain.
        let is_postmaster = rest.is_empty() && text.eq_ignore_ascii_case("postmaster");
        return if is_postmaster { Ok(()) } else { Err("the domain is missing") };
    };
    if domain.len() > DOMAIN_MAX || text.len() > PATH_MAX {
        return Err("it is longer than 254 bytes");
    }
    if let Some(literal) = domain.strip_prefix('[') {
        let literal = literal.strip_suffix(']').ok_or("a bracket is not closed")?;
        return if is_literal(literal) { Ok(()) } else { Err("no address is in the brackets") };
    }
    let is_domain = domain.split('.').all(|label| {
        let is_inner = |char: char| char == '-' || char == '_' || is_letter_or_digit(char);
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(is_inner)
    });
    if is_domain { Ok(()) } else { Err("the part behind @ is not a domain") }
}

/// An IPv4 address, an IPv6 address with its tag, or another tagged address (RFC 5321 4.1.3).
fn is_literal(literal: &str) -> bool {
    match literal.split_once(':') {
        None => literal.parse::<std::net::Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => {
            address.parse::<std::net::Ipv6Addr>().is_ok()
        }
        Some((tag, address)) => {
            // RFC 5321 allows quotes and angle brackets, too, where a path would not be a path any more.
            let is_content = |byte: u8| matches!(byte, b'!'..=b'~') && !b"\"<>[\\]".contains(&byte);
            !tag.is_empty()
                && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !tag.ends_with('-')
                && !address.is_empty()
                && address.bytes().all(is_content)
        }
    }
}

/// The host that a domain in brackets is (RFC 5321 4.1.3), or the domain.
pub(crate) fn host_of_literal(domain: &str) -> &str {
    let inside = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let literal = inside.unwrap_or(domain);
    let tag = literal.split_at_checked(5).filter(|(tag, _)| tag.eq_ignore_ascii_case("IPv6:"));
    tag.map_or(literal, |(_, address)| address)
}

fn is_atom_or_dot(char: char) -> bool {
    // RFC 5322 3.2.3.
    char == '.' || is_letter_or_digit(char) || "!#$%&'*+-/=?^_`{|}~".contains(char)
}

fn is_letter_or_digit(char: char) -> bool {
    // RFC 6531 3.3 allows all beyond ASCII; what shows as a space or as nothing is of no use but to deceive.
    char.is_ascii_alphanumeric() || !char.is_ascii() && !is_control(char) && !char.is_whitespace()
}

fn is_control(char: char) -> bool {
    // The separators of lines and paragraphs, and marks of direction, beside the control characters.
    char.is_control()
        || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, local, domain) in [
            ("ann@example.org", "ann", "example.org"),
            ("a.n-n+tag=1@example.org", "a.n-n+tag=1", "example.org"),
            ("a..b@example.org", "a..b", "example.org"),
            ("\"ann lee\"@example.org", "\"ann lee\"", "example.org"),
            ("\"a@b\\\"c\"@example.org", "\"a@b\\\"c\"", "example.org"),
            ("ann@[192.0.2.1]", "ann", "[192.0.2.1]"),
            ("ann@[IPv6:2001:db8::1]", "ann", "[IPv6:2001:db8::1]"),
            ("ann@[x-y:z]", "ann", "[x-y:z]"),
            ("änne@bücher.example", "änne", "bücher.example"),
            ("Postmaster", "Postmaster", ""),
            ("ann@localhost", "ann", "localhost"),
            ("_dmarc@_x.example", "_dmarc", "_x.example"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                (address.local(), address.domain(), address.as_str()),
                (local, domain, text)
            );
        }
    }

    #[test]
    fn the_host_of_a_domain_is_without_brackets_and_tag() {
        for (domain, host) in [
            ("[192.0.2.1]", "192.0.2.1"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
            ("[ipv6:::1]", "::1"),
            ("[x-y:z]", "x-y:z"),
            ("example.org", "example.org"),
            ("", ""),
        ] {
            assert_eq!(host_of_literal(domain), host);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = format!("{}@example.org", "x".repeat(65));
        let longer = format!("x@{}org", "x.".repeat(150));
        for text in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@@example.org",
            "ann@b@c",
            ".ann@example.org",
            "ann.@example.org",
            "ann@example..org",
            "ann@.org",
            "ann@example.org.",
            "ann@-a.org",
            "ann@a-.org",
            "ann lee@example.org",
            "ann@exa mple.org",
            "ann@example.org\r\nDATA",
            "ann\r\n@example.org",
            "ann@example.org\n",
            "ann\0@example.org",
            "\"ann\r\n\"@example.org",
            "\"ann@example.org",
            "\"ann\"x@example.org",
            "\"\\",
            "ann@[192.0.2]",
            "ann@[192.0.2.1",
            "ann@[IPv6:zz]",
            "ann@[]",
            "ann@[a:]",
            "ann@[a:b\"c]",
            "ann@[a:b>c]",
            "<ann@example.org>",
            "ann@example.org>",
            "ann@ex\u{2028}ample",
            "a\u{85}b@c.d",
            "a\u{202e}b@example.org",
            &long,
            &longer,
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_shows_what_was_refused() {
        let error = "ann\r\n@example.org".parse::<Address>().unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
        let huge = "ä".repeat(100_000).parse::<Address>().unwrap_err();
        assert!(huge.text.len() <= 255);
    }
}
