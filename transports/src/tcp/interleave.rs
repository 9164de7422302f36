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
pub(super) fn interleave(
    addrs: impl IntoIterator<Item = SocketAddr>,
    first: Option<Family>,
    max: usize,
) -> VecDeque<SocketAddr> {
    let mut once: Vec<SocketAddr> = Vec::new();
    for addr in addrs {
        if !once.contains(&addr) {
            once.push(addr);
        }
    }
    let Some(first) = first.or(once.first().map(Family::of)) else { return VecDeque::new() };
    let (mut ours, mut others): (VecDeque<_>, VecDeque<_>) =
        once.into_iter().partition(|addr| Family::of(addr) == first);
    let mut ordered = VecDeque::new();
    while !(ours.is_empty() && others.is_empty()) {
        ordered.extend(ours.pop_front());
        ordered.extend(others.pop_front());
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
}
