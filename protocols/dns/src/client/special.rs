//! Names that have their meaning without DNS: [`special`], by RFC 6761, 6762, 7686 and 9476. Pure.

use crate::codec::Name;

/// What a special name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// This machine.
    Loopback,
    /// There is no such name, and no server is asked.
    Absent,
    /// Other means than DNS look it up; a server must not learn of it.
    Elsewhere(&'static str),
}

/// The meaning of a name, if it is special.
pub(crate) fn special(name: &Name) -> Option<Special> {
    let last = name.iter().next_back()?;
    let is = |label: &str| last.eq_ignore_ascii_case(label.as_bytes());
    if is("localhost") {
        // RFC 6761, section 6.3
        Some(Special::Loopback)
    } else if is("invalid") || is("alt") {
        // RFC 6761, section 6.4; RFC 9476, section 2
        Some(Special::Absent)
    } else if is("local") {
        Some(Special::Elsewhere("names under local are looked up by multicast (RFC 6762)"))
    } else if is("onion") {
        Some(Special::Elsewhere("names under onion belong to Tor (RFC 7686)"))
    } else if last.iter().all(u8::is_ascii_digit) || is_hexadecimal(last) {
        // An address that is written in another way, such as 127.1: no top-level domain is a number.
        Some(Special::Absent)
    } else {
        None
    }
}

/// A number such as `0x7f`.
fn is_hexadecimal(label: &[u8]) -> bool {
    let digits = label.strip_prefix(b"0x").or_else(|| label.strip_prefix(b"0X"));
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_names() {
        let of = |text: &str| special(&text.parse().unwrap());
        assert_eq!(of("localhost."), Some(Special::Loopback));
        assert_eq!(of("a.b.LocalHost."), Some(Special::Loopback));
        assert!(matches!(of("printer.local."), Some(Special::Elsewhere(_))));
        assert!(matches!(of("a.onion."), Some(Special::Elsewhere(_))));
        for absent in ["a.invalid.", "a.alt.", "127.1.", "0x7f.1.", "1.0x7F.", "300.300.300.300."] {
            assert_eq!(of(absent), Some(Special::Absent), "{absent}");
        }
        for usual in
            ["example.", "a.test.", "local.example.", ".", "1.example.", "0xyz.", "home.arpa."]
        {
            assert_eq!(of(usual), None, "{usual}");
        }
    }
}
