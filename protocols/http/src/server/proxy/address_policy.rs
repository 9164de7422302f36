//! Destination addresses that a forward proxy allows: [`AddressPolicy`]. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sinew_transports::proxy::Subnet;

/// Public addresses, and additional allowed ones.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressPolicy {
    pub(super) allowed: Vec<Subnet>,
}

impl AddressPolicy {
    pub(super) fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.allowed.iter().any(|subnet| subnet.contains(ip))
    }
}

/// Whether it is globally reachable (the registries of RFC 6890): not of this machine, a private network, multicast
/// or reserved. An IPv6 address that contains an IPv4 address is as public as that.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || (a == 100 && b & 0xc0 == 64) // shared by the customers of a provider, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 198 && b & 0xfe == 18) // benchmarks
        || a >= 224; // multicast, reserved, broadcast
    !is_special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let words = ip.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match words {
        // Translated, RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(embedded(high, low)),
        // 6to4, RFC 3056.
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Teredo and other protocol assignments, and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast, RFC 4291; so no loopback, link-local, unique local, multicast or mapped address.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_and_others() {
        let policy = AddressPolicy::default();
        for ip in [
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.254",
            "2606:4700::1",
            "2001:4860::8888",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(policy.allows(ip.parse().unwrap()), "{ip}");
        }
        let special = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff:1::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for ip in special {
            assert!(!policy.allows(ip.parse().unwrap()), "{ip}");
        }
        let allowed = vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let policy = AddressPolicy { allowed };
        for (ip, expected) in
            [("10.0.0.1", true), ("::ffff:10.0.0.1", true), ("::1", true), ("127.0.0.1", false)]
        {
            assert_eq!(policy.allows(ip.parse().unwrap()), expected, "{ip}");
        }
    }
}
