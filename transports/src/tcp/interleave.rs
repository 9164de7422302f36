//! The order in which addresses are tried: RFC 8305, section 4. Pure.

use std::{collections::VecDeque, net::SocketAddr};

/// An IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The IP version of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// Alternates between the address families, each in its own order, starting with `first`, or else with the family of the first
/// address. Removes duplicates and keeps at most `max` addresses.
///
/// Keeps at most `max` of each family, and stops reading when it has that many of both, so the work per address is bounded by
/// `max`, however many addresses there are.
pub(super) fn interleave(
    addrs: impl IntoIterator<Item = SocketAddr>,
    first: Option<Family>,
    max: usize,
) -> VecDeque<SocketAddr> {
    let mut first = first;
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for addr in addrs {
        let family = Family::of(&addr);
        first = first.or(Some(family));
        let own = if family == Family::V4 { &mut v4 } else { &mut v6 };
        if own.len() < max && !own.contains(&addr) {
            own.push(addr);
        }
        if v4.len() == max && v6.len() == max {
            break;
        }
    }
    let (preferred, other) = if first == Some(Family::V6) { (v6, v4) } else { (v4, v6) };
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = VecDeque::new();
    while preferred.len() + other.len() > 0 {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered.truncate(max);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate() {
        use Family::{V4, V6};
        // One letter per address: lower case is IPv4.
        let addr = |letter: char| -> SocketAddr {
            let text = match letter {
                'a'..='z' => format!("192.0.2.{}:80", letter as u32),
                _ => format!("[2001:db8::{:x}]:80", letter as u32),
            };
            text.parse().unwrap()
        };
        let cases = [
            ("", None, ""),
            ("a", Some(V6), "a"),
            ("ab", None, "ab"),
            ("ABCab", None, "AaBbC"),
            ("abAB", None, "aAbB"),
            ("aABC", Some(V6), "AaBC"),
            ("AabcB", Some(V4), "aAbBc"),
            ("aaAaA", None, "aA"),
            ("abcdefgh", None, "abcdef"),
        ];
        for (given, first, expected) in cases {
            let expected: Vec<_> = expected.chars().map(addr).collect();
            assert_eq!(interleave(given.chars().map(addr), first, 6), expected, "{given:?}");
        }
    }

    /// Regression: each address was compared with all others before the bound was applied.
    #[test]
    fn addresses_beyond_the_bound_are_not_read() {
        let looked_at = std::cell::Cell::new(0);
        let addrs = (0..u32::MAX).map(|at| {
            looked_at.set(looked_at.get() + 1);
            assert!(looked_at.get() <= 128, "read more addresses than the bound");
            match at % 2 {
                0 => SocketAddr::from((at.to_be_bytes(), 80)),
                _ => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, at as u16], 80)),
            }
        });
        assert_eq!(interleave(addrs, None, 64).len(), 64);
        // With one family only, the work per address is bounded, too: otherwise this would take hours.
        let many = (0..4_000_000_u32).map(|at| SocketAddr::from((at.to_be_bytes(), 80)));
        let first: Vec<_> = many.clone().take(64).collect();
        assert_eq!(interleave(many, Some(Family::V6), 64), first);
    }
}
