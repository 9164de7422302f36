//! Server cookies (RFC 7873, in the form of RFC 9018, section 4): [`Cookies`] makes and checks them. A client that returns one does not
//! forge its address. Pure: time and random numbers are arguments.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Length of the part of the client, and of the whole.
pub(super) const CLIENT_LEN: usize = 8;
pub(super) const COOKIE_LEN: usize = 24;

/// A cookie is good for an hour, and may be from a clock that is five minutes ahead (RFC 9018, section 4.3).
const AGE_MAX: u32 = 3_600;
const AHEAD_MAX: u32 = 300;

/// A secret is used for so long, and accepted for as long again.
const SECRET_AGE_MAX: u64 = 3_600;

/// The secrets of a server.
pub(super) struct Cookies {
    secrets: [[u8; 32]; 2],
    /// When the first secret was made.
    since: u64,
}

impl Cookies {
    /// With new secrets.
    pub(super) fn new(now: u64, mut random: impl FnMut() -> u64) -> Self {
        Self { secrets: [secret(&mut random), secret(&mut random)], since: now }
    }

    /// Replaces the older secret, if it is time. Seconds of any clock that only goes forward.
    pub(super) fn rotate(&mut self, now: u64, mut random: impl FnMut() -> u64) {
        let age = now.saturating_sub(self.since);
        if age >= SECRET_AGE_MAX {
            // After a long silence both are old.
            let before =
                if age >= 2 * SECRET_AGE_MAX { secret(&mut random) } else { self.secrets[0] };
            *self = Self { secrets: [secret(&mut random), before], since: now };
        }
    }

    /// The cookie for a client, in seconds since 1970.
    pub(super) fn cookie(
        &self,
        client: &[u8; CLIENT_LEN],
        addr: IpAddr,
        now: u32,
    ) -> [u8; COOKIE_LEN] {
        let mut cookie = [0; COOKIE_LEN];
        cookie[..CLIENT_LEN].copy_from_slice(client);
        // Version 1, three bytes reserved.
        cookie[8] = 1;
        cookie[12..16].copy_from_slice(&now.to_be_bytes());
        let hash = hash(&self.secrets[0], &cookie[..16], addr);
        cookie[16..].copy_from_slice(&hash);
        cookie
    }

    /// Whether a cookie was made here for this client not long ago.
    pub(super) fn is_valid(&self, cookie: &[u8], addr: IpAddr, now: u32) -> bool {
        let Some(cookie) = cookie.first_chunk::<COOKIE_LEN>().filter(|it| it.len() == cookie.len())
        else {
            return false;
        };
        let made = u32::from_be_bytes([cookie[12], cookie[13], cookie[14], cookie[15]]);
        let age = now.wrapping_sub(made) as i32;
        let is_fresh =
            age <= AGE_MAX.cast_signed() && age >= -AHEAD_MAX.cast_signed() && cookie[8] == 1;
        is_fresh
            && self.secrets.iter().any(|secret| {
                let hash = hash(secret, &cookie[..16], addr);
                // Compared in constant time.
                hash.iter().zip(&cookie[16..]).fold(0, |all, (a, b)| all | (a ^ b)) == 0
            })
    }
}

fn secret(random: &mut impl FnMut() -> u64) -> [u8; 32] {
    let mut secret = [0; 32];
    for part in secret.chunks_exact_mut(8) {
        part.copy_from_slice(&random().to_be_bytes());
    }
    secret
}

fn hash(secret: &[u8; 32], cookie: &[u8], addr: IpAddr) -> [u8; 8] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key may have any length");
    mac.update(cookie);
    match addr.to_canonical() {
        IpAddr::V4(addr) => mac.update(&addr.octets()),
        IpAddr::V6(addr) => mac.update(&addr.octets()),
    }
    let bytes = mac.finalize().into_bytes();
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_this_server_only() {
        let mut number = 0;
        let mut random = || {
            number += 1;
            number
        };
        let addr: IpAddr = "192.0.2.1".parse().expect("an address");
        let mut cookies = Cookies::new(0, &mut random);
        let cookie = cookies.cookie(b"12345678", addr, 1_000);
        assert!(cookies.is_valid(&cookie, addr, 1_000) && cookies.is_valid(&cookie, addr, 4_600));
        assert!(cookies.is_valid(&cookie, addr, 700), "a clock that is ahead");
        assert!(!cookies.is_valid(&cookie, addr, 4_601) && !cookies.is_valid(&cookie, addr, 699));
        assert!(!cookies.is_valid(&cookie, "192.0.2.2".parse().expect("an address"), 1_000));
        assert!(!cookies.is_valid(&cookie[..23], addr, 1_000));
        for at in 0..COOKIE_LEN {
            let mut other = cookie;
            other[at] ^= 1;
            // Of the time, a second may change nothing but the hash.
            assert!(!cookies.is_valid(&other, addr, 1_000), "byte {at}");
        }
        cookies.rotate(3_600, &mut random);
        assert!(cookies.is_valid(&cookie, addr, 1_000), "the secret before is accepted");
        cookies.rotate(7_200, &mut random);
        assert!(!cookies.is_valid(&cookie, addr, 1_000), "the one before that is not");
    }
}
