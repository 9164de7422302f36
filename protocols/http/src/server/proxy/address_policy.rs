//! Destination addresses that a forward proxy allows: [`AddressPolicy`]. Pure.

use std::net::IpAddr;

use sinew_transports::{is_public_address, proxy::Subnet};

/// Public addresses, and additional allowed ones.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressPolicy {
    pub(super) allowed: Vec<Subnet>,
}

impl AddressPolicy {
    pub(super) fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public_address(ip) || self.allowed.iter().any(|subnet| subnet.contains(ip))
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
