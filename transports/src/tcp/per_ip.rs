//! Limit of connections per client address: [`PerIp`]. Pure.

use std::{cell::RefCell, collections::HashMap, net::IpAddr};

use crate::{ListenConfig, client_network};

/// Counts the open connections of each client.
pub(super) struct PerIp {
    max: usize,
    prefix_v6: u8,
    /// Keyed by the client's address or IPv6 prefix. Empty if there is no limit.
    open: RefCell<HashMap<IpAddr, usize>>,
}

impl PerIp {
    pub(super) fn new(config: &ListenConfig) -> Self {
        let (max, prefix_v6) = (config.connections_per_ip_max, config.ipv6_prefix);
        Self { max, prefix_v6, open: RefCell::default() }
    }

    /// Whether the client has reached its limit.
    pub(super) fn is_full(&self, ip: Option<IpAddr>) -> bool {
        self.client(ip).is_some_and(|client| {
            self.open.borrow().get(&client).is_some_and(|open| *open >= self.max)
        })
    }

    pub(super) fn opened(&self, ip: Option<IpAddr>) {
        if let Some(client) = self.client(ip) {
            *self.open.borrow_mut().entry(client).or_default() += 1;
        }
    }

    pub(super) fn closed(&self, ip: Option<IpAddr>) {
        let Some(client) = self.client(ip) else { return };
        let mut all = self.open.borrow_mut();
        if let Some(open) = all.get_mut(&client) {
            *open -= 1;
            if *open == 0 {
                all.remove(&client);
            }
        }
    }

    /// The key of a client. `None` if it is not counted.
    fn client(&self, ip: Option<IpAddr>) -> Option<IpAddr> {
        Some(client_network(ip.filter(|_| self.max != usize::MAX)?, self.prefix_v6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two addresses are one client, by the length of the prefix.
    #[test]
    fn addresses_of_one_prefix_are_one_client() {
        let cases = [
            (64, "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            (64, "2001:db8:1:2::1", "2001:db8:1:3::1", false),
            (56, "2001:db8:1:2::1", "2001:db8:1:ff::1", true),
            (56, "2001:db8:1:2::1", "2001:db8:1:100::1", false),
            (128, "2001:db8::1", "2001:db8::2", false),
            (128, "2001:db8::1", "2001:db8::1", true),
            (0, "2001:db8::1", "fd00::1", true),
            (0, "2001:db8::1", "192.0.2.1", false),
            // IPv4 is counted by address, IPv4-mapped or not.
            (64, "192.0.2.1", "192.0.2.2", false),
            (64, "192.0.2.1", "::ffff:192.0.2.1", true),
            (64, "::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            (0, "::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            // Link-local.
            (64, "fe80::1", "fe80::2", false),
            (64, "fe80::1", "fe80::1", true),
        ];
        for (bits, one, other, expected) in cases {
            let config = ListenConfig::default().max_per_ip(1).ipv6_prefix(bits);
            let per_ip = PerIp::new(&config);
            let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
            per_ip.opened(ip(one));
            assert_eq!(per_ip.is_full(ip(other)), expected, "{one} and {other} with /{bits}");
            per_ip.closed(ip(one));
            assert!(!per_ip.is_full(ip(other)) && per_ip.open.borrow().is_empty());
        }
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let per_ip = PerIp::new(&ListenConfig::default());
        for _ in 0..3 {
            per_ip.opened(Some([127, 0, 0, 1].into()));
        }
        assert!(per_ip.open.borrow().is_empty() && !per_ip.is_full(Some([127, 0, 0, 1].into())));
        // Prefix longer than an address.
        let config = ListenConfig::default().ipv6_prefix(255);
        assert_eq!(config.ipv6_prefix, 128);
    }
}
