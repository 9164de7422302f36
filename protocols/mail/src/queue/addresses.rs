//! Which addresses mail is sent to that only the DNS or an address literal has named: [`AddressPolicy`]. Pure, but for a closure of the
//! user's. Servers of routes and smart hosts are not asked about here: the configuration has named them.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sinew_transports::{is_public_address, proxy::Subnet};

/// The addresses of this host, and the subnets that are allowed beside public addresses.
#[derive(Clone, Default)]
pub(super) struct AddressPolicy {
    pub(super) own: Option<Rc<dyn Fn() -> Vec<IpAddr>>>,
    pub(super) allowed: Vec<Subnet>,
}

/// The policy with the addresses that this host has at the moment.
pub(super) struct Addresses<'a> {
    own: Vec<IpAddr>,
    allowed: &'a [Subnet],
}

/// Why none of some addresses is connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// One of them is this host.
    Own(IpAddr),
    /// All are of private networks, or of other special use.
    NotPublic(IpAddr),
}

impl AddressPolicy {
    pub(super) fn now(&self) -> Addresses<'_> {
        let own = self.own.as_ref().map(|own| own()).unwrap_or_default();
        let own = own.into_iter().map(|ip| ip.to_canonical()).collect();
        Addresses { own, allowed: &self.allowed }
    }
}

impl Addresses<'_> {
    /// Whether one address may be connected to.
    pub(super) fn check(&self, ip: IpAddr) -> Result<(), Forbidden> {
        let ip = ip.to_canonical();
        // A connection to the unspecified address is one to this host.
        if ip.is_loopback() || ip.is_unspecified() || self.own.contains(&ip) {
            return Err(Forbidden::Own(ip));
        }
        let is_allowed = || self.allowed.iter().any(|subnet| subnet.contains(ip));
        match is_public_address(ip) || is_allowed() {
            true => Ok(()),
            false => Err(Forbidden::NotPublic(ip)),
        }
    }

    /// Those of the addresses of a host that may be connected to. A host with one address of this host's is this host.
    pub(super) fn of_host(&self, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, Forbidden> {
        let (mut allowed, mut forbidden) = (Vec::with_capacity(found.len()), None);
        for addr in found {
            match self.check(addr.ip()) {
                Ok(()) => allowed.push(*addr),
                Err(own @ Forbidden::Own(_)) => return Err(own),
                Err(other) => forbidden = forbidden.or(Some(other)),
            }
        }
        match forbidden {
            Some(forbidden) if allowed.is_empty() => Err(forbidden),
            _ => Ok(allowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_special_and_public_addresses() {
        let own = ["198.51.100.9", "8.8.4.4", "::ffff:9.9.9.9"].map(|ip| ip.parse().unwrap());
        let policy = AddressPolicy {
            own: Some(Rc::new(move || own.to_vec())),
            allowed: vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()],
        };
        let addresses = policy.now();
        for (ip, expected) in [
            ("8.8.8.8", None),
            ("10.1.2.3", None),
            ("2606:4700::1", None),
            ("192.168.0.1", Some(false)),
            ("169.254.1.1", Some(false)),
            ("fe80::1", Some(false)),
            ("fd00::1", Some(false)),
            ("64:ff9b::7f00:1", Some(false)),
            // This host, whatever is allowed.
            ("127.0.0.3", Some(true)),
            ("::ffff:127.0.0.1", Some(true)),
            ("::1", Some(true)),
            ("0.0.0.0", Some(true)),
            ("::", Some(true)),
            ("198.51.100.9", Some(true)),
            ("::ffff:8.8.4.4", Some(true)),
            ("9.9.9.9", Some(true)),
        ] {
            let is_own = match addresses.check(ip.parse().unwrap()) {
                Ok(()) => None,
                Err(forbidden) => Some(matches!(forbidden, Forbidden::Own(_))),
            };
            assert_eq!(is_own, expected, "{ip}");
        }
    }

    #[test]
    fn a_host_with_several_addresses() {
        let policy = AddressPolicy::default();
        let addresses = policy.now();
        let host = |ips: &[&str]| {
            let ips = ips.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 25));
            addresses.of_host(&ips.collect::<Vec<_>>()).map(|allowed| allowed.len())
        };
        let (loopback, private) = ("127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap());
        assert_eq!(host(&["8.8.8.8", "10.0.0.1", "9.9.9.9"]), Ok(2));
        assert_eq!(host(&["10.0.0.1", "10.0.0.2"]), Err(Forbidden::NotPublic(private)));
        assert_eq!(host(&["8.8.8.8", "127.0.0.1"]), Err(Forbidden::Own(loopback)));
    }
}
