//! Who serves a zone: [`Delegation`], and those that are known: [`Delegations`]. Pure: the time is an argument.
//!
//! Delegations are what parent zones say. They lead to servers, and are never part of an answer (RFC 2181, section 5.4.1). The set of
//! servers that a zone names itself does not prolong them, and none outlives the delegation of the zone above that has told it, so that
//! a zone and all below it end when a zone above ends them ("ghost domains", CVE-2022-30698, CVE-2022-30699).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use crate::{
    client::store::{Store, StoreLimits},
    codec::Name,
};

/// Maximum servers of a zone that are known by name. More are ignored.
pub(super) const SERVERS_MAX: usize = 16;

/// Maximum addresses of a server that are taken from one response. More are ignored.
pub(super) const ADDRS_MAX: usize = 8;

/// The servers of a zone.
#[derive(Clone, Debug)]
pub(super) struct Delegation {
    pub(super) zone: Name,
    pub(super) servers: Vec<ZoneServer>,
    /// Seconds.
    pub(super) ttl: u32,
    /// When its time is over, once it is kept; `None` for the root, which no zone above can end.
    pub(super) until: Option<Instant>,
}

impl Delegation {
    /// Whether another is of the same zone and the same servers, in any order: many servers give them in turn.
    pub(super) fn has_same_servers(&self, other: &Self) -> bool {
        self.zone == other.zone && self.addrs_by_server() == other.addrs_by_server()
    }

    fn addrs_by_server(&self) -> BTreeMap<&Name, BTreeSet<SocketAddr>> {
        let of = |server: &ZoneServer| server.addrs.iter().copied().collect();
        self.servers.iter().map(|server| (&server.name, of(server))).collect()
    }
}

/// A server of a zone, with the addresses that came with the delegation (glue).
#[derive(Clone, Debug)]
pub(super) struct ZoneServer {
    pub(super) name: Name,
    pub(super) addrs: Vec<SocketAddr>,
}

/// The delegations that are known; the root at least.
#[derive(Debug)]
pub(super) struct Delegations {
    hints: Rc<Delegation>,
    store: Store<Name, Rc<Delegation>>,
    ttl_max: Duration,
}

impl Delegations {
    pub(super) fn new(hints: Vec<ZoneServer>, limits: StoreLimits, ttl_max: Duration) -> Self {
        let hints = Rc::new(Delegation { zone: Name::root(), servers: hints, ttl: 0, until: None });
        Self { hints, store: Store::new(limits), ttl_max }
    }

    pub(super) fn hints(&self) -> Rc<Delegation> {
        self.hints.clone()
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn clear(&mut self) {
        self.store.clear();
    }

    /// The servers of the lowest zone that is known and contains a name.
    pub(super) fn closest(&mut self, name: &Name, now: Instant) -> Rc<Delegation> {
        let mut ancestors = ancestors(name);
        let found = ancestors.find_map(|zone| self.store.get(&zone, now));
        found.map_or_else(|| self.hints.clone(), |held| held.value)
    }

    /// Keeps a delegation, at most until that of the zone that has told it ends.
    pub(super) fn insert(
        &mut self,
        mut delegation: Delegation,
        parent: &Delegation,
        now: Instant,
    ) -> Rc<Delegation> {
        let keep = Duration::from_secs(delegation.ttl.into()).min(self.ttl_max);
        let rest = parent.until.map(|until| until.saturating_duration_since(now));
        let keep = rest.map_or(keep, |rest| keep.min(rest));
        delegation.until = (!delegation.zone.is_root()).then(|| now + keep);
        let addrs: usize = delegation.servers.iter().map(|it| it.addrs.len()).sum();
        let bytes = delegation.servers.len() * 128 + addrs * size_of::<SocketAddr>();
        let delegation = Rc::new(delegation);
        self.store.insert(delegation.zone.clone(), delegation.clone(), bytes, now, keep);
        delegation
    }

    /// Forgets servers none of which has answered.
    pub(super) fn remove(&mut self, zone: &Name) {
        self.store.remove(zone);
    }
}

/// The name, and all above it down to the root.
pub(super) fn ancestors(name: &Name) -> impl Iterator<Item = Name> + use<> {
    let first = Some(name.clone());
    std::iter::successors(first, |name| (!name.is_root()).then(|| name.base_name()))
}

/// How many labels a name has, the root none.
pub(super) fn labels(name: &Name) -> usize {
    name.iter().count()
}

/// Whether an address can be that of a name server elsewhere. Those of this machine are asked only if that is allowed: else a zone
/// could have the resolver ask itself.
pub(super) fn may_be_asked(ip: IpAddr, allows_loopback: bool) -> bool {
    let ip = ip.to_canonical();
    let is_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unspecified(),
    };
    !is_local && !ip.is_multicast() && (allows_loopback || !ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn delegation(zone: &str, ttl: u32) -> Delegation {
        let server = ZoneServer { name: name("ns."), addrs: vec![([192, 0, 2, 1], 53).into()] };
        Delegation { zone: name(zone), servers: vec![server], ttl, until: None }
    }

    #[test]
    fn the_lowest_zone_that_is_known() {
        let limits = StoreLimits { entries_max: 10, bytes_max: 1 << 20, stale_max: Duration::ZERO };
        let mut all = Delegations::new(Vec::new(), limits, Duration::from_secs(50));
        let now = Instant::now();
        let root = all.hints();
        all.insert(delegation("test.", 100), &root, now);
        all.insert(delegation("a.test.", 10), &root, now);
        let mut closest =
            |asked, at| all.closest(&name(asked), now + Duration::from_secs(at)).zone.to_ascii();
        assert_eq!(closest("www.A.test.", 9), "a.test.");
        assert_eq!(closest("www.a.test.", 10), "test.");
        assert_eq!(closest("ba.test.", 10), "test.");
        assert_eq!(closest("a.test.", 50), ".");
        assert_eq!(closest(".", 0), ".");
    }

    #[test]
    fn none_outlives_the_zone_above() {
        let limits = StoreLimits { entries_max: 10, bytes_max: 1 << 20, stale_max: Duration::ZERO };
        let mut all = Delegations::new(Vec::new(), limits, Duration::from_secs(1000));
        let (begun, seconds) = (Instant::now(), Duration::from_secs);
        let root = all.insert(delegation(".", 1), &all.hints(), begun);
        let test = all.insert(delegation("test.", 100), &root, begun);
        let a = all.insert(delegation("a.test.", 900), &test, begun + seconds(99));
        assert_eq!([root.until, a.until], [None, Some(begun + seconds(100))]);
        assert_eq!(all.closest(&name("a.test."), begun + seconds(99)).zone, a.zone);
        assert!(all.closest(&name("a.test."), begun + seconds(100)).zone.is_root());
        // The zone above has ended during the question.
        all.insert(delegation("b.a.test.", 900), &a, begun + seconds(101));
        assert!(all.closest(&name("b.a.test."), begun + seconds(101)).zone.is_root());
    }

    #[test]
    fn addresses_that_are_not_asked() {
        let is_asked = |ip: &str, allows| may_be_asked(ip.parse().unwrap(), allows);
        for ip in ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "169.254.1.1", "fe80::1"] {
            assert!(!is_asked(ip, true), "{ip}");
        }
        for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_asked(ip, true) && !is_asked(ip, false), "{ip}");
        }
        assert!(is_asked("192.0.2.1", false) && is_asked("2001:db8::1", false));
    }
}
