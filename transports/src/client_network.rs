//! Which addresses count as one client: [`client_network`]. For limits by address.

use std::net::{IpAddr, Ipv6Addr};

/// The network that counts as one client: an IPv4 address (also an IPv4-mapped one) alone, and of IPv6 the first `prefix_v6` bits; 64 is
/// what one customer has at least. A link-local address is alone, too, since those share one prefix.
#[must_use]
pub fn client_network(ip: IpAddr, prefix_v6: u8) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) if !v6.is_unicast_link_local() => {
            let others = 128_u32.saturating_sub(prefix_v6.into());
            let kept = u128::MAX.checked_shl(others).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & kept).into()
        }
        other => other,
    }
}
