//! Lookups of records by their types: [`DnsResolver::mx`] and its like, with the records in the order in which to use them.

use std::net::IpAddr;

use sinew_transports::reactor::{Deferred, Reactor};

use super::{DnsResolver, LookupError, lookup::settled, search::reverse};
use crate::{
    codec::{
        Name, Question, RData, RecordType,
        rdata::{CAA, HTTPS, MX, NAPTR, SOA, SRV, SSHFP, SVCB, TLSA},
    },
    random::random,
};

/// Lookups that return the data of their records.
macro_rules! typed {
    ($($(#[$doc:meta])* $method:ident, $variant:ident, $of:expr => $data:ty;)*) => {
        impl DnsResolver {
            $($(#[$doc])*
            ///
            /// # Errors
            ///
            /// [`LookupError`], by the deferred.
            pub fn $method(&self, name: &str) -> Deferred<Vec<$data>, LookupError> {
                self.lookup(name, RecordType::$variant).map(|answer| {
                    let of = $of;
                    let data = |data: &RData| match data {
                        RData::$variant(data) => Some(of(data)),
                        _ => None,
                    };
                    answer.map(|answer| answer.records().iter().filter_map(|record| data(&record.data)).collect())
                })
            })*
        }
    };
}

typed! {
    /// The texts at a name (TXT). Those of one record are joined, since they are split only because each has at most 255 bytes.
    txt, TXT, |txt: &crate::codec::rdata::TXT| txt.txt_data.concat() => Vec<u8>;
    /// The name servers of a zone (NS).
    ns, NS, |ns: &crate::codec::rdata::NS| ns.0.clone() => Name;
    /// What certificates may be issued for a name, and by whom (CAA, RFC 8659). For all domains above it as well: ask for those in turn.
    caa, CAA, Clone::clone => CAA;
    /// How to reach a web server (HTTPS, RFC 9460).
    https, HTTPS, Clone::clone => HTTPS;
    /// How to reach a service (SVCB, RFC 9460).
    svcb, SVCB, Clone::clone => SVCB;
    /// The certificates of a server (TLSA, RFC 6698). Of use only if the answer is authentic: see
    /// [`Answer::is_authentic`](super::Answer::is_authentic).
    tlsa, TLSA, Clone::clone => TLSA;
    /// The fingerprints of the keys of an SSH server (SSHFP, RFC 4255).
    sshfp, SSHFP, Clone::clone => SSHFP;
}

impl DnsResolver {
    /// The mail exchangers of a domain (MX), by preference; those of equal preference in random order (RFC 5321, section 5.1). A domain
    /// that takes no mail has one whose name is the root (RFC 7505).
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred. Without a record, mail goes to the [addresses](Self::addresses) of the domain.
    pub fn mx(&self, domain: &str) -> Deferred<Vec<MX>, LookupError> {
        let reactor = self.reactor();
        self.lookup(domain, RecordType::MX).map(move |answer| {
            let mut all: Vec<MX> = answer?
                .records()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(mx.clone()),
                    _ => None,
                })
                .collect();
            shuffle(reactor.as_ref(), &mut all);
            all.sort_by_key(|mx| mx.preference);
            Ok(all)
        })
    }

    /// The servers of a service (SRV), as in `_xmpp-client._tcp.example.org`, in the order in which to try them: by priority, and those of
    /// equal priority at random by their weights (RFC 2782). Empty if the service is expressly not offered.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn srv(&self, service: &str) -> Deferred<Vec<SRV>, LookupError> {
        let reactor = self.reactor();
        self.lookup(service, RecordType::SRV).map(move |answer| {
            let answer = answer?;
            let all = answer.records().iter().filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(srv.clone()),
                _ => None,
            });
            let random = || reactor.as_ref().map_or(0, random);
            let all = all.filter(|srv| !srv.target.is_root()).collect();
            Ok(in_order(all, |srv| srv, random))
        })
    }

    /// Rules that rewrite names and numbers (NAPTR), by order and preference (RFC 3403).
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn naptr(&self, name: &str) -> Deferred<Vec<NAPTR>, LookupError> {
        self.lookup(name, RecordType::NAPTR).map(|answer| {
            let mut all: Vec<NAPTR> = answer?
                .records()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::NAPTR(naptr) => Some(naptr.clone()),
                    _ => None,
                })
                .collect();
            all.sort_by_key(|naptr| (naptr.order, naptr.preference));
            Ok(all)
        })
    }

    /// The start of authority of a zone (SOA). Only the zone's own name has one.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn soa(&self, zone: &str) -> Deferred<SOA, LookupError> {
        let name = zone.to_owned();
        self.lookup(zone, RecordType::SOA).map(move |answer| {
            let answer = answer?;
            let soa = answer.records().iter().find_map(|record| match &record.data {
                RData::SOA(soa) => Some(soa.clone()),
                _ => None,
            });
            soa.ok_or_else(|| LookupError::NoRecord {
                name: Box::new(super::search::absolute(&name).unwrap_or_default()),
                record_type: RecordType::SOA,
            })
        })
    }

    /// The name that has the records of a name, behind all aliases (CNAME): the name itself if it is no alias.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn canonical_name(&self, name: &str) -> Deferred<Name, LookupError> {
        self.lookup(name, RecordType::A).map(|answer| Ok(answer?.canonical_name().clone()))
    }

    /// The names of an address (PTR). The hosts file comes first.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn ptr(&self, ip: IpAddr) -> Deferred<Vec<Name>, LookupError> {
        let Some(reactor) = self.reactor() else { return self.abandoned() };
        self.shared.refresh(&reactor);
        if let Some(names) = self.shared.hosts.borrow().names(ip) {
            return settled(&reactor, Ok(names.to_vec()));
        }
        self.look_up(Question::new(reverse(ip), RecordType::PTR)).map(|answer| {
            let names = |data: &RData| match data {
                RData::PTR(ptr) => Some(ptr.0.clone()),
                _ => None,
            };
            answer.map(|answer| {
                answer.records().iter().filter_map(|record| names(&record.data)).collect()
            })
        })
    }
}

fn shuffle<T>(reactor: Option<&Reactor>, all: &mut [T]) {
    let Some(reactor) = reactor else { return };
    for end in (1..all.len()).rev() {
        let at = random(reactor) % (end as u64 + 1);
        all.swap(end, at as usize);
    }
}

/// Sorts by priority, then draws by weight: servers of weight 0 come first among the equal, so that they are seldom drawn
/// (RFC 2782, "Weight").
pub(super) fn in_order<T>(
    mut all: Vec<T>,
    of: impl Fn(&T) -> &SRV,
    mut random: impl FnMut() -> u64,
) -> Vec<T> {
    all.sort_by_key(|server| (of(server).priority, of(server).weight));
    let mut ordered = Vec::with_capacity(all.len());
    while !all.is_empty() {
        let priority = of(&all[0]).priority;
        let equal = all.iter().take_while(|server| of(server).priority == priority).count();
        let sum: u64 = all[..equal].iter().map(|server| u64::from(of(server).weight)).sum();
        let mut drawn = random() % (sum + 1);
        let at = all[..equal].iter().position(|server| {
            let weight = u64::from(of(server).weight);
            let is_it = drawn <= weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        ordered.push(all.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, port: u16) -> SRV {
        SRV::new(priority, weight, port, "a.".parse().unwrap())
    }

    #[test]
    fn by_priority_and_weight() {
        let all = || vec![srv(2, 0, 5), srv(1, 10, 2), srv(1, 0, 1), srv(1, 90, 3)];
        let ports = |drawn: u64| -> Vec<u16> {
            in_order(all(), |srv| srv, || drawn).iter().map(|srv| srv.port).collect()
        };
        assert_eq!(ports(0), [1, 2, 3, 5]);
        assert_eq!(ports(10), [2, 3, 1, 5]);
        assert_eq!(ports(11), [3, 1, 2, 5]);
        assert!(in_order(Vec::new(), |srv: &SRV| srv, || 0).is_empty());
    }

    #[test]
    fn as_often_as_the_weights_say() {
        let reactor = Reactor::simulated(7);
        let first = |port| {
            let draws = (0..10_000).map(|_| {
                in_order(vec![srv(0, 10, 1), srv(0, 30, 2)], |srv| srv, || reactor.random())
            });
            draws.filter(|ordered| ordered[0].port == port).count()
        };
        // A quarter.
        assert!((2_200..2_900).contains(&first(1)), "{}", first(1));
    }
}
