//! In which order addresses are tried: RFC 8305, section 4. Pure.

use std::{collections::VecDeque, net::SocketAddr};

/// A version of the internet protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// That of an address.
    #[must_use]
    pub const fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// The families in turn, each in its order, `first` before the other, or that of the first address; each address once, and
/// `max` of them at most.
///
/// No more than `max` of a family are kept, and with so many of both nothing more is looked at: so the work for an address is
/// bounded by `max`, however many there are.
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
    let (ours, others) = if first == Some(Family::V6) { (v6, v4) } else { (v4, v6) };
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    let mut ordered = VecDeque::new();
    while ours.len() + others.len() > 0 {
        ordered.extend(ours.next());
        ordered.extend(others.next());
    }
    ordered.truncate(max);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        use Family::{V4, V6};
        // A letter an address: lower case is IPv4.
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

    /// A resolver may give anything. Before, each address was compared with all others, and the bound came last.
    #[test]
    fn what_is_too_much_is_not_looked_at() {
        let looked_at = std::cell::Cell::new(0);
        let addrs = (0..u32::MAX).map(|at| {
            looked_at.set(looked_at.get() + 1);
            assert!(looked_at.get() <= 128, "an address more");
            match at % 2 {
                0 => SocketAddr::from((at.to_be_bytes(), 80)),
                _ => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, at as u16], 80)),
            }
        });
        assert_eq!(interleave(addrs, None, 64).len(), 64);
        // Of one family alone, the work for each is bounded: this would take hours if it were not.
        let many = (0..4_000_000_u32).map(|at| SocketAddr::from((at.to_be_bytes(), 80)));
        let first: Vec<_> = many.clone().take(64).collect();
        assert_eq!(interleave(many, Some(Family::V6), 64), first);
    }
}
