//! Response rate limiting: [`RateLimit`] bounds how many equal responses go to one network over UDP, where the sender's address may be
//! forged to flood its owner. Pure: time and hashes are arguments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How long the prefix of a network is, which counts as one client.
const IPV4_PREFIX: u32 = 24;
const IPV6_PREFIX: u32 = 56;

/// What to do with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Send,
    /// Send only that the client is to ask over TCP, where addresses cannot be forged.
    Truncate,
    Drop,
}

/// Counters of equal responses, in a table of fixed size. Two that meet in one place forget each other, so a flood of different
/// responses can pass, but costs no memory.
#[derive(Debug)]
pub(super) struct RateLimit {
    slots: Box<[Slot]>,
    per_second: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: u64,
    second: u64,
    count: u32,
}

impl RateLimit {
    pub(super) fn new(per_second: u32, slots: usize) -> Self {
        let slots = slots.clamp(1, 1 << 24).next_power_of_two();
        Self { slots: vec![Slot::default(); slots].into(), per_second }
    }

    /// Counts a response. `key` is a hash of the [network](Self::network) and of what is answered.
    pub(super) fn count(&mut self, key: u64, second: u64) -> Rate {
        let at = key as usize & (self.slots.len() - 1);
        let slot = &mut self.slots[at];
        if (slot.key, slot.second) != (key, second) {
            *slot = Slot { key, second, count: 0 };
        }
        slot.count = slot.count.saturating_add(1);
        match slot.count.checked_sub(self.per_second) {
            None | Some(0) => Rate::Send,
            Some(more) if more % 2 == 1 => Rate::Truncate,
            Some(_) => Rate::Drop,
        }
    }

    /// The network of a client: /24 or /56.
    pub(super) fn network(addr: IpAddr) -> IpAddr {
        match addr.to_canonical() {
            IpAddr::V4(addr) => {
                Ipv4Addr::from(addr.to_bits() & (u32::MAX << (32 - IPV4_PREFIX))).into()
            }
            IpAddr::V6(addr) => {
                Ipv6Addr::from(addr.to_bits() & (u128::MAX << (128 - IPV6_PREFIX))).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_one_is_truncated() {
        let mut limit = RateLimit::new(2, 16);
        let rates: Vec<_> = (0..6).map(|_| limit.count(1, 0)).collect();
        use Rate::{Drop, Send, Truncate};
        assert_eq!(rates, [Send, Send, Truncate, Drop, Truncate, Drop]);
        assert_eq!(limit.count(1, 1), Send, "a new second");
        assert_eq!(limit.count(2, 1), Send, "another response");
    }

    #[test]
    fn networks() {
        let cases = [
            ("192.0.2.77", "192.0.2.0"),
            ("::ffff:192.0.2.77", "192.0.2.0"),
            ("2001:db8:1:22ff::1", "2001:db8:1:2200::"),
        ];
        for (addr, network) in cases {
            let addr = addr.parse().expect("an address");
            assert_eq!(RateLimit::network(addr).to_string(), network);
        }
    }
}
