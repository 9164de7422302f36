//! Who may do something, by subnet: [`Acl`] and [`Subnet`]. Values only.

use std::{fmt, net::IpAddr, str::FromStr};

/// Addresses with a common prefix, such as `192.0.2.0/24`. An address alone is a subnet of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    addr: IpAddr,
    len: u8,
}

/// A text is no subnet.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("a subnet like 192.0.2.0/24 or 2001:db8::/32 is expected, not {0}")]
#[non_exhaustive]
pub struct SubnetError(Box<str>);

sinew_transports::reactor::error_debug!(SubnetError);

impl Subnet {
    /// The addresses whose first `len` bits are those of `addr`. `None` if an address has fewer bits.
    #[must_use]
    pub fn new(addr: IpAddr, len: u8) -> Option<Self> {
        let addr = addr.to_canonical();
        (len <= bits(addr)).then(|| Self { addr: prefix(addr, len), len })
    }

    /// Whether an address is in it. IPv4 addresses that are mapped into IPv6 are taken as IPv4.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        addr.is_ipv4() == self.addr.is_ipv4() && prefix(addr, self.len) == self.addr
    }
}

/// The number of bits of an address.
fn bits(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

/// An address whose bits after the first `len` are zero.
pub(super) fn prefix(addr: IpAddr, len: u8) -> IpAddr {
    match addr {
        IpAddr::V4(addr) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0);
            IpAddr::V4((addr.to_bits() & mask).into())
        }
        IpAddr::V6(addr) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(len.min(128))).unwrap_or(0);
            IpAddr::V6((addr.to_bits() & mask).into())
        }
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let (addr, len) = match text.split_once('/') {
            Some((addr, len)) => (addr, Some(len)),
            None => (text, None),
        };
        let parse = || {
            let addr = addr.parse::<IpAddr>().ok()?;
            let len = len.map_or(Some(bits(addr)), |len| len.parse().ok())?;
            Self::new(addr, len)
        };
        parse().ok_or_else(|| {
            SubnetError(sinew_transports::reactor::Excerpt::new(text).to_string().into())
        })
    }
}

impl From<IpAddr> for Subnet {
    fn from(addr: IpAddr) -> Self {
        let addr = addr.to_canonical();
        Self { addr, len: bits(addr) }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

/// A list of subnets that are allowed or denied. The first one that contains an address decides.
///
/// # Examples
///
/// ```
/// use sinew_dns::server::Acl;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let acl = Acl::nobody().deny("192.0.2.66".parse()?).allow("192.0.2.0/24".parse()?);
/// assert!(acl.allows("192.0.2.1".parse()?));
/// assert!(!acl.allows("192.0.2.66".parse()?) && !acl.allows("::1".parse()?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Acl {
    rules: Vec<(Subnet, bool)>,
    otherwise: bool,
}

impl Acl {
    /// Allows everybody who is not denied.
    pub fn everybody() -> Self {
        Self { rules: Vec::new(), otherwise: true }
    }

    /// Denies everybody who is not allowed.
    pub fn nobody() -> Self {
        Self { rules: Vec::new(), otherwise: false }
    }

    /// Allows only this machine: `127.0.0.0/8` and `::1`.
    pub fn loopback() -> Self {
        let loopback = [
            Subnet { addr: IpAddr::V4([127, 0, 0, 0].into()), len: 8 },
            Subnet { addr: IpAddr::V6(1.into()), len: 128 },
        ];
        loopback.into_iter().fold(Self::nobody(), Self::allow)
    }

    /// Adds a subnet that is allowed.
    pub fn allow(mut self, subnet: Subnet) -> Self {
        self.rules.push((subnet, true));
        self
    }

    /// Adds a subnet that is denied.
    pub fn deny(mut self, subnet: Subnet) -> Self {
        self.rules.push((subnet, false));
        self
    }

    /// Whether an address is allowed.
    #[must_use]
    pub fn allows(&self, addr: IpAddr) -> bool {
        let rule = self.rules.iter().find(|(subnet, _)| subnet.contains(addr));
        rule.map_or(self.otherwise, |(_, allowed)| *allowed)
    }

    /// Whether a client is allowed. One without an address, in this process or over a Unix socket, is taken as this machine.
    pub(super) fn allows_client(&self, addr: Option<IpAddr>) -> bool {
        self.allows(addr.unwrap_or(IpAddr::V6(1.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("10.0.0.7/8", "10.1.1.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ];
        for (subnet, addr, is_in) in cases {
            let subnet: Subnet = subnet.parse().expect("it is a subnet");
            assert_eq!(
                subnet.contains(addr.parse().expect("an address")),
                is_in,
                "{subnet} {addr}"
            );
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "a/8", "1.2.3.4/-1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
