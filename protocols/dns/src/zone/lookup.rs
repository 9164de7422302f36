//! What a zone answers: [`Zone::respond`], the algorithm of RFC 1034, section 4.3.2, with wildcards (RFC 4592), DNAME (RFC 6672), negative
//! answers (RFC 2308) and the records of DNSSEC (RFC 4035, section 3.1). It writes a response, and allocates nothing.
//!
//! | the name | the type | the response |
//! |---|---|---|
//! | exists | is there | the record set |
//! | exists | CNAME is there | CNAME, and once more with its target, at most 8 times in the zone |
//! | exists | is not there | NODATA: the SOA record in the authority section |
//! | is a delegation or below one | any (at the delegation: not DS) | a referral: NS, glue, not authoritative |
//! | is below a DNAME | any | DNAME, a CNAME made from it, and once more with its target |
//! | does not exist, a wildcard does | as above | as above, by the records of the wildcard |
//! | does not exist | any | NXDOMAIN: the SOA record in the authority section |

use super::{
    denial::Denial,
    name::{NameBuffer, is_at_or_below},
    node::{APEX, Node, NodeId, Set},
    response_writer::{ResponseWriter, Section},
    schema::{A, AAAA, ANY, CNAME, DNAME, DS, NS, NSEC, NSEC3, RRSIG, SOA},
    zone::Zone,
};

/// Longest chain of CNAME and DNAME records that is followed.
const CHAIN_MAX: usize = 8;

/// What the header says of a response, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict<'z> {
    /// RCODE: 0, 3 for NXDOMAIN, 6 for YXDOMAIN.
    pub(crate) code: u16,
    /// AA.
    pub(crate) is_authoritative: bool,
    /// The name and the type of the set that answers first: of the wildcard, the delegation or the DNAME, where it is one. The type is 0
    /// if the name has no records of the type that was asked for; `None` if there is no name.
    pub(crate) source: Option<(&'z [u8], u16)>,
}

/// One step of the algorithm.
#[allow(
    clippy::large_enum_variant,
    reason = "it is on the stack only, since lookups do not allocate"
)]
enum Step {
    Done,
    /// Once more, with another name.
    Chain(NameBuffer),
}

struct Lookup<'z, 'w, 'o> {
    zone: &'z Zone,
    out: &'w mut ResponseWriter<'o>,
    query_type: u16,
    is_dnssec: bool,
    verdict: Verdict<'z>,
    /// Sets whose targets belong into the additional section.
    referring: [Option<(NodeId, usize)>; 4],
    /// Nodes whose NSEC or NSEC3 records were written: each once.
    proofs: [Option<NodeId>; 8],
    /// Nodes whose NSEC or NSEC3 records prove that wildcards apply. They are written behind all answers.
    wildcards: [Option<NodeId>; CHAIN_MAX + 1],
}

impl Zone {
    /// Writes the answer, authority and additional sections of the response to a question. The name is in the zone, on the wire, as it
    /// was asked.
    pub(crate) fn respond(
        &self,
        name: &[u8],
        query_type: u16,
        is_dnssec: bool,
        out: &mut ResponseWriter<'_>,
    ) -> Verdict<'_> {
        let mut lookup = Lookup {
            zone: self,
            out,
            query_type,
            is_dnssec,
            verdict: Verdict { code: 0, is_authoritative: true, source: None },
            referring: [None; 4],
            proofs: [None; 8],
            wildcards: [None; CHAIN_MAX + 1],
        };
        let mut target: Option<NameBuffer> = None;
        for step in 0.. {
            match lookup.step(target.as_ref().map_or(name, NameBuffer::as_bytes)) {
                Step::Chain(next) if step < CHAIN_MAX && self.contains(next.as_bytes()) => {
                    target = Some(next);
                }
                Step::Done | Step::Chain(_) => break,
            }
        }
        lookup.wildcard_proofs();
        lookup.additional();
        lookup.verdict
    }
}

impl Lookup<'_, '_, '_> {
    fn step(&mut self, shown: &[u8]) -> Step {
        let lower = NameBuffer::lowered(shown);
        let name = lower.as_bytes();
        if let Some(id) = self.zone.find(name) {
            let node = self.zone.node(id);
            return match node.above {
                Some(above) => self.blocked(above, shown),
                // DS records belong to the side above the delegation (RFC 4035, section 3.1.4.1).
                None if node.is_cut && self.query_type != DS => self.referral(id),
                None => self.at(id, shown, None),
            };
        }
        let (encloser, missing) = self.zone.closest_encloser(name);
        let node = self.zone.node(encloser);
        if let Some(above) = node.above {
            return self.blocked(above, shown);
        }
        if node.is_cut || node.set(DNAME).is_some() {
            return self.blocked(encloser, shown);
        }
        let absent = Absent { name, encloser, missing };
        match node.wildcard {
            Some(wildcard) => self.at(wildcard, shown, Some(&absent)),
            None => {
                self.verdict.code = 3;
                self.negative_soa();
                self.prove_no_name(&absent);
                Step::Done
            }
        }
    }

    /// Below a delegation or a DNAME.
    fn blocked(&mut self, above: NodeId, shown: &[u8]) -> Step {
        if self.zone.node(above).is_cut {
            return self.referral(above);
        }
        let node = self.zone.node(above);
        let Some((set, target)) = node.set(DNAME).and_then(|set| Some((set, set.records.first()?)))
        else {
            return Step::Done;
        };
        self.comes_from(above, DNAME);
        self.answer(node.name.as_bytes(), set);
        let prefix = &shown[..shown.len() - node.name.as_bytes().len()];
        match NameBuffer::joined(prefix, target) {
            Some(target) => {
                let ttl = set.ttl;
                if !self.out.record(Section::Answer, shown, CNAME, ttl, target.as_bytes()) {
                    self.out.truncate();
                }
                if self.query_type == CNAME || self.query_type == ANY {
                    return Step::Done;
                }
                Step::Chain(target)
            }
            // The name would be too long (RFC 6672, section 2.2).
            None => {
                self.verdict.code = 6;
                Step::Done
            }
        }
    }

    /// At a node: of the name itself, or the wildcard for a name that does not exist.
    fn at(&mut self, id: NodeId, shown: &[u8], absent: Option<&Absent<'_>>) -> Step {
        let node = self.zone.node(id);
        let found = match self.query_type {
            // One set is enough (RFC 8482, section 4.1).
            ANY => node.sets.iter().find(|set| !set.records.is_empty() && set.record_type != NSEC3),
            RRSIG => None,
            record_type => node.set(record_type),
        };
        if let Some(set) = found {
            self.comes_from(id, set.record_type);
            self.answer(shown, set);
            self.refer(id, set);
            self.prove_wildcard(absent);
            return Step::Done;
        }
        if self.query_type == RRSIG
            && let Some(set) = node.sets.iter().find(|set| !set.signatures.is_empty())
        {
            self.comes_from(id, RRSIG);
            let signatures = (set.signature_ttl, &set.signatures);
            if !self.out.set(Section::Answer, shown, RRSIG, signatures, None) {
                self.out.truncate();
            }
            self.prove_wildcard(absent);
            return Step::Done;
        }
        if let Some(set) = node.set(CNAME) {
            self.comes_from(id, CNAME);
            self.answer(shown, set);
            self.prove_wildcard(absent);
            let target = set.records.first().and_then(|target| NameBuffer::joined(target, &[]));
            return target.map_or(Step::Done, Step::Chain);
        }
        self.comes_from(id, 0);
        self.negative_soa();
        self.prove_no_data(id, absent);
        Step::Done
    }

    /// The first step of a chain decides, since the others follow from it.
    fn comes_from(&mut self, id: NodeId, record_type: u16) {
        let name = self.zone.node(id).name.as_bytes();
        self.verdict.source.get_or_insert((name, record_type));
    }

    fn answer(&mut self, shown: &[u8], set: &Set) {
        if !self.write(Section::Answer, shown, set) {
            self.out.truncate();
        }
    }

    fn write(&mut self, section: Section, owner: &[u8], set: &Set) -> bool {
        let signatures = (self.is_dnssec && !set.signatures.is_empty())
            .then_some((set.signature_ttl, &set.signatures));
        self.out.set(section, owner, set.record_type, (set.ttl, &set.records), signatures)
    }

    fn authority(&mut self, owner: &[u8], set: &Set) {
        if !self.write(Section::Authority, owner, set) {
            self.out.truncate();
        }
    }

    /// The SOA record with the TTL of negative answers (RFC 2308, section 3).
    fn negative_soa(&mut self) {
        let node = self.zone.node(APEX);
        let Some(set) = node.set(SOA) else { return };
        let [.., minimum] = self.zone.soa_numbers();
        let signatures = (self.is_dnssec && !set.signatures.is_empty())
            .then_some((set.signature_ttl.min(minimum), &set.signatures));
        let records = (set.ttl.min(minimum), &set.records);
        let name = node.name.as_bytes();
        if !self.out.set(Section::Authority, name, SOA, records, signatures) {
            self.out.truncate();
        }
    }

    /// To the servers of a delegation: NS without signatures, DS or the proof that there is none, and glue.
    fn referral(&mut self, cut: NodeId) -> Step {
        let node = self.zone.node(cut);
        self.comes_from(cut, NS);
        // Behind a CNAME the response has an authoritative answer.
        self.verdict.is_authoritative = self.out.counts()[0] > 0;
        if let Some(set) = node.set(NS) {
            let records = (set.ttl, &set.records);
            if !self.out.set(Section::Authority, node.name.as_bytes(), NS, records, None) {
                self.out.truncate();
            }
            self.refer(cut, set);
        }
        if self.is_dnssec && self.zone.is_signed() {
            match node.set(DS) {
                Some(set) => self.authority(node.name.as_bytes(), set),
                None => self.prove_no_data(cut, None),
            }
        }
        Step::Done
    }

    fn refer(&mut self, id: NodeId, set: &Set) {
        let node = self.zone.node(id);
        let at = node.sets.iter().position(|it| std::ptr::eq(it, set));
        let free = self.referring.iter_mut().find(|it| it.is_none());
        if let (Some(at), Some(free)) = (at.filter(|_| !set.targets.is_empty()), free) {
            *free = Some((id, at));
        }
    }

    /// Addresses of the servers that were named. Those below a delegation are needed to reach it: without them the response is
    /// incomplete (RFC 9471). All others are left out if they do not fit.
    fn additional(&mut self) {
        for (id, at) in self.referring.into_iter().flatten() {
            let node = self.zone.node(id);
            for &target in &node.sets[at].targets {
                let target = self.zone.node(target);
                let (name, cut) = (target.name.as_bytes(), node.name.as_bytes());
                let is_needed = node.is_cut && is_at_or_below(name, cut);
                for set in [target.set(A), target.set(AAAA)].into_iter().flatten() {
                    let fits = self.write(Section::Additional, name, set);
                    if !fits {
                        if is_needed {
                            self.out.truncate();
                        }
                        return;
                    }
                }
            }
        }
    }
}

/// A name that does not exist.
struct Absent<'a> {
    /// In lower case.
    name: &'a [u8],
    /// The closest name above it that exists.
    encloser: NodeId,
    /// The length of the labels that do not exist.
    missing: usize,
}

impl Absent<'_> {
    /// The name with one label more than the encloser.
    fn next_closer(&self) -> &[u8] {
        let (mut at, mut start) = (0, 0);
        while at < self.missing {
            start = at;
            at += 1 + usize::from(self.name[at]);
        }
        &self.name[start..]
    }

    /// The wildcard that does not exist either, or would have answered.
    fn wildcard(&self) -> Option<NameBuffer> {
        NameBuffer::joined(b"\x01*", &self.name[self.missing..])
    }
}

/// The proofs of DNSSEC.
impl Lookup<'_, '_, '_> {
    fn proof(&mut self, id: Option<NodeId>, record_type: u16) {
        let Some(id) = id.filter(|id| !self.proofs.contains(&Some(*id))) else { return };
        if let Some(free) = self.proofs.iter_mut().find(|it| it.is_none()) {
            *free = Some(id);
        }
        let node: &Node = self.zone.node(id);
        if let Some(set) = node.set(record_type) {
            self.authority(node.name.as_bytes(), set);
        }
    }

    /// That neither a name nor a wildcard for it exists (RFC 4035, section 3.1.3.2; RFC 5155, section 7.2.2).
    fn prove_no_name(&mut self, absent: &Absent<'_>) {
        if !self.is_dnssec {
            return;
        }
        let (zone, denial) = (self.zone, &self.zone.denial);
        self.proof(denial.nsec_covering(&zone.nodes, absent.name), NSEC);
        let wildcard = absent.wildcard();
        if let Some(wildcard) = &wildcard {
            self.proof(denial.nsec_covering(&zone.nodes, wildcard.as_bytes()), NSEC);
        }
        self.prove_encloser(absent);
        if let Some(wildcard) = &wildcard {
            self.proof(denial.nsec3_covering(wildcard.as_bytes()), NSEC3);
        }
    }

    /// That a name exists, and none below it on the way to another (RFC 5155, section 7.2.1).
    fn prove_encloser(&mut self, absent: &Absent<'_>) {
        let denial = &self.zone.denial;
        let encloser = NameBuffer::lowered(self.zone.node(absent.encloser).name.as_bytes());
        self.proof(denial.nsec3_matching(encloser.as_bytes()), NSEC3);
        self.proof(denial.nsec3_covering(absent.next_closer()), NSEC3);
    }

    /// That a name for which a wildcard answers does not exist (RFC 4035, section 3.1.3.3; RFC 5155, section 7.2.6).
    fn prove_wildcard(&mut self, absent: Option<&Absent<'_>>) {
        let Some(absent) = absent.filter(|_| self.is_dnssec) else { return };
        let (zone, denial) = (self.zone, &self.zone.denial);
        let found = denial
            .nsec_covering(&zone.nodes, absent.name)
            .or_else(|| denial.nsec3_covering(absent.next_closer()));
        if let Some(free) = self.wildcards.iter_mut().find(|it| it.is_none()) {
            *free = found;
        }
    }

    fn wildcard_proofs(&mut self) {
        let record_type = if matches!(self.zone.denial, Denial::Nsec(_)) { NSEC } else { NSEC3 };
        for id in self.wildcards {
            self.proof(id, record_type);
        }
    }

    /// That a node has no records of the type (RFC 4035, sections 3.1.3.1 and 3.1.3.4; RFC 5155, sections 7.2.3 to 7.2.5 and 7.2.7).
    fn prove_no_data(&mut self, id: NodeId, absent: Option<&Absent<'_>>) {
        if !self.is_dnssec {
            return;
        }
        let (zone, denial) = (self.zone, &self.zone.denial);
        let lower = NameBuffer::lowered(zone.node(id).name.as_bytes());
        let name = lower.as_bytes();
        if let Some(absent) = absent {
            self.proof(denial.nsec_covering(&zone.nodes, absent.name), NSEC);
            self.prove_encloser(absent);
        }
        self.proof(denial.nsec_covering(&zone.nodes, name), NSEC);
        match denial.nsec3_matching(name) {
            Some(id) => self.proof(Some(id), NSEC3),
            // An unsigned delegation in a span that opts out: up to the next name with a record.
            None => self.prove_opt_out(name),
        }
    }

    fn prove_opt_out(&mut self, name: &[u8]) {
        let denial = &self.zone.denial;
        let mut next_closer = name;
        while let Some(above) = super::name::parent(next_closer) {
            if let Some(id) = denial.nsec3_matching(above) {
                self.proof(Some(id), NSEC3);
                self.proof(denial.nsec3_covering(next_closer), NSEC3);
                return;
            }
            if above.len() <= self.zone.wire_origin().len() {
                return;
            }
            next_closer = above;
        }
    }
}
