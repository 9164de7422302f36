//! IP subnets: [`Subnet`].

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use sinew_reactor::Excerpt;

/// An IP subnet, as in `10.0.0.0/8`, or a single address, `192.0.2.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    ip: IpAddr,
    bits: u8,
}

/// The text is not a subnet.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a subnet: neither an address, without a scope, nor address/bits", Excerpt::new(.0))]
pub struct BadSubnet(String);

sinew_reactor::error_debug!(BadSubnet);

impl Subnet {
    /// This machine by IPv4: `127.0.0.0/8`.
    pub const LOOPBACK_V4: Self = Self { ip: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 };
    /// This machine by IPv6: `::1`.
    pub const LOOPBACK_V6: Self = Self { ip: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 };

    /// The subnet of `ip` with a prefix of `bits` bits. `None` if the address has fewer bits. A subnet of IPv4-mapped IPv6 addresses, as
    /// `::ffff:10.0.0.0/104`, is that of the IPv4 addresses.
    #[must_use]
    pub const fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        match (ip, ip.to_canonical()) {
            (IpAddr::V6(_), ip @ IpAddr::V4(_)) if bits >= 96 && bits <= 128 => {
                Some(Self { ip, bits: bits - 96 })
            }
            (IpAddr::V4(_), _) if bits > 32 => None,
            (IpAddr::V6(_), _) if bits > 128 => None,
            _ => Some(Self { ip, bits }),
        }
    }

    /// Whether an address is in the subnet. An IPv4-mapped IPv6 address counts as IPv4.
    #[must_use]
    pub const fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(subnet), IpAddr::V4(ip)) => {
                // A shift by all bits would overflow, and /0 contains every address.
                self.bits == 0 || (subnet.to_bits() ^ ip.to_bits()) >> (32 - self.bits) == 0
            }
            (IpAddr::V6(subnet), IpAddr::V6(ip)) => {
                self.bits == 0 || (subnet.to_bits() ^ ip.to_bits()) >> (128 - self.bits) == 0
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for Subnet {
    fn from(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self { ip, bits: if ip.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Subnet {
    type Err = BadSubnet;

    fn from_str(text: &str) -> Result<Self, BadSubnet> {
        let parsed = match text.split_once('/') {
            None => text.parse::<IpAddr>().ok().map(Self::from),
            Some((ip, bits)) => match (ip.parse(), bits.parse()) {
                (Ok(ip), Ok(bits)) => Self::new(ip, bits),
                _ => None,
            },
        };
        parsed.ok_or_else(|| BadSubnet(text.to_owned()))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::from(self.ip) {
            return self.ip.fmt(f);
        }
        write!(f, "{}/{}", self.ip, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_subnets() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7/31", "192.0.2.6", true),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "::1", true),
            ("10.0.0.7/8", "10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "10.255.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
            ("::ffff:0:0/95", "192.0.2.7", false),
            ("::ffff:0:0/96", "192.0.2.7", true),
        ];
        for (subnet, ip, expected) in cases {
            let subnet: Subnet = subnet.parse().unwrap();
            assert_eq!(subnet.contains(ip.parse().unwrap()), expected, "{ip} in {subnet}");
        }
        for text in ["10.0.0.0/8", "192.0.2.7", "::/0", "2001:db8::1", "127.0.0.0/31"] {
            assert_eq!(text.parse::<Subnet>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "10.0.0.0/33",
            "::/129",
            "10/8",
            "10.0.0.0/",
            "host",
            "fe80::1%1",
            "1.2.3.4/-1",
            "::ffff:1.2.3.4/129",
        ] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }
}
