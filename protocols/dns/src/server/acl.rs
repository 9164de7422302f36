//! Who may do something, by subnet: [`Acl`]. Values only.

use std::net::IpAddr;

use sinew_transports::proxy::Subnet;

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
        [Subnet::LOOPBACK_V4, Subnet::LOOPBACK_V6].into_iter().fold(Self::nobody(), Self::allow)
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
