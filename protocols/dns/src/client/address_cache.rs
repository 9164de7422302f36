//! The addresses of hosts, sorted: [`AddressCache`]. The records are in `cache.rs`; this spares putting them in order again. Pure.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// How long an order is kept at most: routes change.
const KEEP_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct AddressCache {
    hosts_max: usize,
    hosts: HashMap<Box<str>, (Vec<SocketAddr>, Instant)>,
}

impl AddressCache {
    pub(super) fn new(hosts_max: usize) -> Self {
        Self { hosts_max, hosts: HashMap::new() }
    }

    pub(super) fn get(&self, host: &str, now: Instant) -> Option<&[SocketAddr]> {
        let (addrs, until) = self.hosts.get(host)?;
        (*until > now).then_some(addrs)
    }

    /// Stores the addresses for so many seconds. When it is full of those that still hold, it is emptied.
    pub(super) fn insert(&mut self, host: &str, addrs: &[SocketAddr], ttl: u32, now: Instant) {
        let keep = Duration::from_secs(ttl.into()).min(KEEP_MAX);
        if keep.is_zero() || self.hosts_max == 0 {
            return;
        }
        if self.hosts.len() >= self.hosts_max && !self.hosts.contains_key(host) {
            self.hosts.retain(|_, (_, until)| *until > now);
            if self.hosts.len() >= self.hosts_max {
                self.hosts.clear();
            }
        }
        self.hosts.insert(host.into(), (addrs.to_vec(), now + keep));
    }

    pub(super) fn clear(&mut self) {
        self.hosts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_for_their_ttl_and_a_minute_at_most() {
        let (mut cache, now) = (AddressCache::new(2), Instant::now());
        let addrs = [([192, 0, 2, 1], 0).into()];
        let later = |seconds| now + Duration::from_secs(seconds);
        cache.insert("a", &addrs, 10, now);
        cache.insert("b", &addrs, 1000, now);
        cache.insert("none", &addrs, 0, now);
        assert_eq!(cache.get("a", later(9)), Some(&addrs[..]));
        assert_eq!(cache.get("a", later(10)), None);
        assert_eq!(cache.get("b", later(60)), None);
        assert_eq!(cache.get("none", now), None);
        // One is over.
        cache.insert("c", &addrs, 10, later(20));
        assert!(cache.get("b", later(20)).is_some());
        // None is over.
        cache.insert("d", &addrs, 10, later(21));
        assert!(cache.get("b", later(21)).is_none() && cache.get("d", later(21)).is_some());
    }
}
