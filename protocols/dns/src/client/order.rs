//! The order of addresses by RFC 6724, section 6: [`sort`]. Pure: the source addresses are arguments.

use std::{
    cmp::{Ordering, Reverse},
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// A destination, and the address that the system would connect from; `None` if it is unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) to: SocketAddr,
    pub(super) from: Option<IpAddr>,
}

/// Sorts, best first. Rules 3, 4 and 7 (deprecated, home and tunnelled addresses) need what only the kernel knows, and are left out.
pub(super) fn sort(candidates: &mut [Candidate]) {
    // Rule 10: otherwise the order stays.
    candidates.sort_by(compare);
}

fn compare(a: &Candidate, b: &Candidate) -> Ordering {
    // Rule 1: unreachable ones last.
    let (from_a, from_b) = match (a.from, b.from) {
        (Some(from_a), Some(from_b)) => (mapped(from_a), mapped(from_b)),
        (from_a, from_b) => return from_b.is_some().cmp(&from_a.is_some()),
    };
    let (to_a, to_b) = (mapped(a.to.ip()), mapped(b.to.ip()));
    let has_own_scope = |to, from| scope(to) == scope(from);
    let has_own_label = |to, from| policy(to).1 == policy(from).1;
    // Rule 2: the scope of the source fits.
    Reverse(has_own_scope(to_a, from_a))
        .cmp(&Reverse(has_own_scope(to_b, from_b)))
        // Rule 5: its label fits.
        .then_with(|| {
            Reverse(has_own_label(to_a, from_a)).cmp(&Reverse(has_own_label(to_b, from_b)))
        })
        // Rule 6: the higher precedence.
        .then_with(|| policy(to_b).0.cmp(&policy(to_a).0))
        // Rule 8: the smaller scope.
        .then_with(|| scope(to_a).cmp(&scope(to_b)))
        // Rule 9: the longer common prefix, of IPv6; of IPv4 it says nothing today, and would defeat the order of the server.
        .then_with(|| match (a.to, b.to) {
            (SocketAddr::V6(_), SocketAddr::V6(_)) => {
                common(to_b, from_b).cmp(&common(to_a, from_a))
            }
            _ => Ordering::Equal,
        })
}

fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Length of the common prefix of a destination and its source, up to the 64 bits of a network.
fn common(to: Ipv6Addr, from: Ipv6Addr) -> u32 {
    (u128::from(to) ^ u128::from(from)).leading_zeros().min(64)
}

/// The scope (RFC 6724, section 3.1).
fn scope(ip: Ipv6Addr) -> u8 {
    const LINK: u8 = 2;
    const SITE: u8 = 5;
    const GLOBAL: u8 = 14;
    if let Some(ip) = ip.to_ipv4_mapped() {
        return if ip.is_loopback() || ip.is_link_local() { LINK } else { GLOBAL };
    }
    let first = ip.segments()[0];
    match first {
        // Multicast addresses tell it.
        0xff00..=0xffff => (first & 15) as u8,
        0xfe80..=0xfebf => LINK,
        0xfec0..=0xfeff => SITE,
        _ if ip.is_loopback() => LINK,
        _ => GLOBAL,
    }
}

/// Precedence and label by the default policy table (RFC 6724, section 2.1).
fn policy(ip: Ipv6Addr) -> (u8, u8) {
    const TABLE: [(Ipv6Addr, u32, u8, u8); 9] = [
        (Ipv6Addr::LOCALHOST, 128, 50, 0),
        (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, 35, 4),
        (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
        (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
        (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
        (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
        (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    ];
    let is_in =
        |prefix: Ipv6Addr, len| (u128::from(prefix) ^ u128::from(ip)).leading_zeros() >= len;
    let found = TABLE.iter().find(|(prefix, len, ..)| is_in(*prefix, *len));
    found.map_or((40, 1), |&(_, _, precedence, label)| (precedence, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A destination and its source.
    type Pair = (&'static str, Option<&'static str>);

    /// The examples of RFC 6724, section 10.2, as far as the rules that are kept decide them.
    #[test]
    fn examples_of_the_rfc() {
        let cases: [(&[Pair], &[usize]); 10] = [
            (
                &[
                    ("2001:db8:1::1", Some("2001:db8:1::2")),
                    ("198.51.100.121", Some("169.254.13.78")),
                ],
                &[0, 1],
            ),
            (
                &[("2001:db8:1::1", Some("fe80::1")), ("198.51.100.121", Some("198.51.100.117"))],
                &[1, 0],
            ),
            (&[("2001:db8:1::1", Some("2001:db8:1::2")), ("10.1.2.3", Some("10.1.2.4"))], &[0, 1]),
            (&[("2001:db8:1::1", Some("2001:db8:1::2")), ("fe80::1", Some("fe80::2"))], &[1, 0]),
            (&[("2001:db8:1::1", None), ("198.51.100.121", Some("198.51.100.117"))], &[1, 0]),
            (
                &[
                    ("2001:db8:3ffe::1", Some("2001:db8:3f44::2")),
                    ("2001:db8:1::1", Some("2001:db8:1::2")),
                ],
                &[1, 0],
            ),
            (
                &[
                    ("2002:c633:6401::1", Some("2002:c633:6401::2")),
                    ("2001:db8:1::1", Some("2002:c633:6401::2")),
                ],
                &[0, 1],
            ),
            (
                &[
                    ("2002:c633:6401::1", Some("2002:c633:6401::2")),
                    ("2001:db8:1::1", Some("2001:db8:1::2")),
                ],
                &[1, 0],
            ),
            (&[("192.0.2.1", Some("192.0.2.9")), ("192.0.2.2", Some("192.0.2.9"))], &[0, 1]),
            (&[("127.0.0.1", Some("127.0.0.1")), ("::1", Some("::1"))], &[1, 0]),
        ];
        for (given, order) in cases {
            let given: Vec<_> = given
                .iter()
                .map(|(to, from)| Candidate {
                    to: (to.parse::<IpAddr>().unwrap(), 0).into(),
                    from: from.map(|from| from.parse().unwrap()),
                })
                .collect();
            let mut sorted = given.clone();
            sort(&mut sorted);
            let expected: Vec<_> = order.iter().map(|at| given[*at]).collect();
            assert_eq!(sorted, expected);
        }
    }
}
