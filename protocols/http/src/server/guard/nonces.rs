//! Nonces of Digest authentication: [`Nonces`] issues them and accepts each count of each nonce once. An unused nonce
//! takes no memory, because it is signed, not stored.

use std::{collections::BTreeMap, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::codec::{hex, unhex};

/// Most nonces whose counts are remembered. Above it, the oldest count as stale.
const USED_MAX: usize = 10_000;

/// Bytes of a nonce: when it was issued and a random number, then their signature.
const ID_LEN: usize = 16;
const SIGNATURE_LEN: usize = 16;

/// When a nonce was issued, in microseconds, and a random number: so the oldest sorts first.
type Id = [u8; ID_LEN];

/// Issues and checks nonces. Pure: times are arguments, as ages of the reactor.
pub(super) struct Nonces {
    key: [u8; 32],
    lifetime: Duration,
    used: BTreeMap<Id, Counts>,
    /// Nonces issued until then have lost their counts.
    forgotten: u64,
}

/// Used counts of a nonce: the highest, and which of the 64 up to it. Requests on several connections may overtake each
/// other, so counts need not rise, but none may be used twice.
#[derive(Clone, Copy, Default)]
struct Counts {
    highest: u32,
    seen: u64,
}

impl Nonces {
    pub(super) const fn new(key: [u8; 32], lifetime: Duration) -> Self {
        Self { key, lifetime, used: BTreeMap::new(), forgotten: 0 }
    }

    /// A new nonce, in hexadecimal.
    pub(super) fn issue(&self, now: Duration, random: u64) -> String {
        let mut id = [0; ID_LEN];
        id[..8].copy_from_slice(&micros(now).to_be_bytes());
        id[8..].copy_from_slice(&random.to_be_bytes());
        let signature = self.sign(&id).finalize().into_bytes();
        hex(&id) + &hex(&signature[..SIGNATURE_LEN])
    }

    /// Whether this count of a nonce is valid; marks it as used. Otherwise the client needs a new nonce.
    pub(super) fn accept(&mut self, nonce: &str, count: u32, now: Duration) -> bool {
        let Some(id) = self.verified(nonce) else { return false };
        let now = micros(now);
        let lifetime = micros(self.lifetime);
        if now > issued(&id).saturating_add(lifetime) {
            return false;
        }
        if !self.used.contains_key(&id) {
            if issued(&id) <= self.forgotten && self.forgotten > 0 {
                return false;
            }
            self.make_room(now.saturating_sub(lifetime));
        }
        self.used.entry(id).or_default().accept(count)
    }

    fn make_room(&mut self, oldest: u64) {
        while let Some(first) = self.used.first_entry() {
            let is_expired = issued(first.key()) < oldest;
            if !is_expired && self.used.len() < USED_MAX {
                return;
            }
            if let Some((id, _)) = self.used.pop_first() {
                self.forgotten = self.forgotten.max(issued(&id));
            }
        }
    }

    fn verified(&self, nonce: &str) -> Option<Id> {
        let bytes = unhex(nonce).filter(|bytes| bytes.len() == ID_LEN + SIGNATURE_LEN)?;
        let (id, signature) = bytes.split_at(ID_LEN);
        let id = id.try_into().ok()?;
        // A comparison in constant time.
        self.sign(&id).verify_truncated_left(signature).ok()?;
        Some(id)
    }

    fn sign(&self, id: &Id) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        let mut mac = mac.expect("HMAC accepts keys of any length");
        mac.update(id);
        mac
    }
}

impl Counts {
    fn accept(&mut self, count: u32) -> bool {
        if count == 0 {
            return false;
        }
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let is_new = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        is_new
    }
}

fn issued(id: &Id) -> u64 {
    id[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn micros(age: Duration) -> u64 {
    u64::try_from(age.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_count_is_used_once() {
        let mut nonces = Nonces::new([1; 32], 300 * SECOND);
        let nonce = nonces.issue(SECOND, 7);
        let cases = [
            (0, false),
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (3, false),
            (100, true),
            (36, false), // more than 64 behind
            (37, true),
            (u32::MAX, true),
            (u32::MAX, false),
            (1, false),
        ];
        for (count, expected) in cases {
            assert_eq!(nonces.accept(&nonce, count, SECOND), expected, "{count}");
        }
    }

    #[test]
    fn a_nonce_is_ours_and_not_too_old() {
        let mut nonces = Nonces::new([1; 32], 300 * SECOND);
        let nonce = nonces.issue(SECOND, 7);
        let other = Nonces::new([2; 32], 300 * SECOND).issue(SECOND, 7);
        let mut changed = nonce.clone().into_bytes();
        changed[20] ^= 1;
        for bad in [&other, "", &nonce[1..], "\u{e4}", &String::from_utf8(changed).unwrap()] {
            assert!(!nonces.accept(bad, 1, SECOND), "{bad}");
        }
        assert!(nonces.accept(&nonce, 1, 301 * SECOND));
        assert!(!nonces.accept(&nonce, 2, 302 * SECOND));
    }

    #[test]
    fn what_was_forgotten_is_not_used_again() {
        let mut nonces = Nonces::new([1; 32], 300 * SECOND);
        let all: Vec<_> = (0..=USED_MAX as u64)
            .map(|n| nonces.issue(SECOND + Duration::from_micros(n), n))
            .collect();
        for nonce in &all {
            assert!(nonces.accept(nonce, 1, 2 * SECOND));
        }
        assert_eq!(nonces.used.len(), USED_MAX);
        assert!(
            !nonces.accept(&all[0], 1, 2 * SECOND),
            "it was the oldest, and could be a repetition"
        );
        assert!(!nonces.accept(&all[1], 1, 2 * SECOND) && nonces.accept(&all[1], 2, 2 * SECOND));
    }
}
