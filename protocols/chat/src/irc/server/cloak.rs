//! What others see in place of an address: [`cloak`]. Pure.

use std::net::IpAddr;

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The name that stands for an address: three parts, of the whole address, of a part of it and of a larger part, so that a ban can be
/// as wide.
pub(super) fn cloak(secret: &[u8], ip: IpAddr) -> String {
    let (bytes, lens, end) = match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.octets().to_vec(), [4, 3, 2], "ip4"),
        IpAddr::V6(ip) => (ip.octets().to_vec(), [16, 8, 6], "ip6"),
    };
    let parts = lens.map(|len| part(secret, end, &bytes[..len]));
    format!("{}.{}.{}.{end}", parts[0], parts[1], parts[2])
}

fn part(secret: &[u8], kind: &str, bytes: &[u8]) -> String {
    // A key of any length is valid.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(kind.as_bytes());
    mac.update(bytes);
    let digest = mac.finalize().into_bytes();
    // 60 bits.
    BASE32_NOPAD.encode(&digest[..8])[..12].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alike_for_one_network_only() {
        let cloaked = |ip: &str| cloak(b"secret", ip.parse().unwrap());
        let parts = |ip: &str| cloaked(ip).split('.').map(str::to_owned).collect::<Vec<_>>();
        let (one, other, far) = (parts("192.0.2.1"), parts("192.0.2.2"), parts("192.0.3.1"));
        assert_ne!(one[0], other[0]);
        assert_eq!(one[1..], other[1..]);
        assert_ne!(one[1], far[1]);
        assert_eq!(one[2..], far[2..]);
        assert_eq!(cloaked("::ffff:192.0.2.1"), cloaked("192.0.2.1"));
        assert_eq!(parts("2001:db8::1")[1], parts("2001:db8::2")[1]);
        assert_ne!(cloak(b"other", "192.0.2.1".parse().unwrap()), cloaked("192.0.2.1"));
        assert!(cloaked("2001:db8::1").len() <= 63 && !cloaked("192.0.2.1").contains("192"));
    }
}
