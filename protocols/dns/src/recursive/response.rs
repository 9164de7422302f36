//! What a response of a zone's server says: [`Reader::read`]. Pure.
//!
//! Nothing is believed but what the server was asked for and is responsible for ("bailiwick"):
//!
//! | the response | is read as |
//! |---|---|
//! | AA, records of the type at the name | the record set, with its signatures |
//! | AA, an alias (CNAME) at the name | the alias; what is behind it is asked for on its own |
//! | AA, "no such name"; AA and nothing at the name | that there is nothing, for as long as the SOA record of the zone says (RFC 2308) |
//! | servers (NS) of a zone below this one, and at or above the name | a delegation, with those of its addresses that are in this zone |
//! | servers of this zone, of one above it, or of one beside the name | [`ServerError::Referral`]: the next server is asked |
//! | no AA | [`ServerError::NotAuthoritative`]: the next server is asked |
//! | any other code | [`ServerError::Response`]: the next server is asked |
//!
//! Records of other names and other sections, and addresses from outside the zone, are ignored. Responses that were cut do not come here.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use super::{
    delegation::{ADDRS_MAX, Delegation, SERVERS_MAX, ZoneServer, may_be_asked},
    facts::{Fact, Kind},
};
use crate::{
    client::{ServerError, store::records_bytes},
    codec::{DNSClass, Message, Name, Question, RData, Record, RecordType, ResponseCode},
};

/// What was asked, and of whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// The zone that the server was asked as one of.
    pub(super) zone: &'a Name,
    pub(super) question: &'a Question,
    pub(super) is_dnssec: bool,
    /// The port of servers that delegations name.
    pub(super) port: u16,
    pub(super) allows_loopback: bool,
}

/// What a response says.
#[derive(Debug)]
pub(super) enum Reading {
    Fact(Rc<Fact>),
    Delegation(Delegation),
}

/// What the servers of a zone say.
pub(super) enum Found {
    Reading(Reading),
    /// A part of the name was asked for, and a server responds with an error, as some do that know only whole names.
    ErrorToPart,
}

/// The types of records that prove that something is not there.
const PROOFS: [RecordType; 2] = [RecordType::NSEC, RecordType::NSEC3];

/// Maximum records that prove something, with signatures. More are ignored: a proof has at most four sets, and each a signature or two.
const PROOFS_MAX: usize = 32;

impl Reader<'_> {
    pub(super) fn read(&self, message: &Message, len: usize) -> Result<Reading, ServerError> {
        let code = message.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Err(ServerError::Response(code));
        }
        if message.metadata.authoritative
            && let Some(fact) = self.fact(message, len)
        {
            return Ok(Reading::Fact(Rc::new(fact)));
        }
        let is_cut = |record: &&Record| record.record_type() == RecordType::NS;
        let mut cuts = message.authorities.iter().filter(is_cut).peekable();
        let names_others = cuts.peek().is_some();
        let cut = cuts.find(|record| code == ResponseCode::NoError && self.leads_down(record));
        match cut {
            Some(cut) => {
                let servers = &message.authorities;
                let delegation = self.delegation(&cut.name, servers, &message.additionals);
                Ok(Reading::Delegation(delegation))
            }
            None if message.metadata.authoritative => {
                Ok(Reading::Fact(Rc::new(self.nothing(message, Kind::NoRecord, len))))
            }
            None if names_others => Err(ServerError::Referral),
            None => Err(ServerError::NotAuthoritative),
        }
    }

    /// Reads the response to the question for the servers of the root itself (RFC 8109), which stand in the answer section.
    pub(super) fn read_priming(&self, message: &Message) -> Result<Delegation, ServerError> {
        match message.metadata.response_code {
            ResponseCode::NoError if message.metadata.authoritative => {
                Ok(self.delegation(self.zone, &message.answers, &message.additionals))
            }
            ResponseCode::NoError => Err(ServerError::NotAuthoritative),
            code => Err(ServerError::Response(code)),
        }
    }

    /// What an authoritative response says about the name. `None` if it says nothing, or only who is responsible.
    fn fact(&self, message: &Message, len: usize) -> Option<Fact> {
        let (name, record_type) = (self.question.name(), self.question.record_type());
        let here = message.answers.iter().filter(|record| is_at(record, name));
        let alias = here.clone().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((record, &target.0)),
            _ => None,
        });
        let is_wanted = |record: &&Record| {
            record_type == RecordType::ANY || record.record_type() == record_type
        };
        let mut answers: Vec<_> = here.filter(is_wanted).cloned().collect();
        let mut kind = Kind::Records;
        if let Some((record, target)) = alias
            && (answers.is_empty() || record_type == RecordType::CNAME)
        {
            let mut target = target.clone();
            target.set_fqdn(true);
            kind = Kind::Alias(target);
            answers = self.renamings(message).chain([record.clone()]).collect();
        }
        if answers.is_empty() {
            let is_soa = |record: &Record| record.record_type() == RecordType::SOA;
            let has_soa = message.authorities.iter().any(is_soa);
            return match message.metadata.response_code {
                ResponseCode::NXDomain => Some(self.nothing(message, Kind::NoName, len)),
                _ if has_soa => Some(self.nothing(message, Kind::NoRecord, len)),
                _ => None,
            };
        }
        if self.is_dnssec {
            let kinds: HashSet<_> = answers.iter().map(Record::record_type).collect();
            // All answers are at the name, but a renaming, which is the first.
            let renaming = answers.first().filter(|first| first.record_type() == RecordType::DNAME);
            let renamed = renaming.map(|renaming| renaming.name.clone());
            let is_of_set = |record: &&Record| {
                covered(record).is_some_and(|covered| kinds.contains(&covered))
                    && (record.name == *name || renamed.as_ref() == Some(&record.name))
            };
            let signatures: Vec<_> = message.answers.iter().filter(is_of_set).cloned().collect();
            answers.extend(signatures);
        }
        let ttl = answers.iter().map(|record| ttl(record.ttl)).min().unwrap_or(0);
        // The TTLs of a set are equal (RFC 2181, section 5.2).
        answers.iter_mut().for_each(|record| record.ttl = ttl);
        let authorities = self.proofs(message, ttl);
        let zone = self.zone.clone();
        let bytes = len + records_bytes(answers.iter().chain(&authorities));
        Some(Fact { kind, zone, answers, authorities, ttl, bytes })
    }

    /// The renamings of zones (DNAME, RFC 6672) that the alias comes from. The server makes the alias; they are for those who validate.
    fn renamings(&self, message: &Message) -> impl Iterator<Item = Record> {
        let name = self.question.name();
        let is_one = |record: &&Record| {
            record.record_type() == RecordType::DNAME
                && self.is_in_zone(&record.name)
                && record.name.zone_of(name)
                && record.name != *name
        };
        message.answers.iter().filter(is_one).take(1).cloned()
    }

    /// That there is nothing. Without the SOA record of a zone that is in this one and contains the name, it is not kept.
    fn nothing(&self, message: &Message, kind: Kind, len: usize) -> Fact {
        let name = self.question.name();
        let soa = message.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) if self.is_in_zone(&record.name) && record.name.zone_of(name) => {
                let ttl = ttl(record.ttl).min(ttl(soa.minimum));
                Some((record.clone(), ttl))
            }
            _ => None,
        });
        let (zone, answers) = (self.zone.clone(), Vec::new());
        let Some((mut soa, ttl)) = soa else {
            return Fact { kind, zone, answers, authorities: Vec::new(), ttl: 0, bytes: len };
        };
        soa.ttl = ttl;
        let mut authorities = vec![soa];
        authorities.extend(self.proofs(message, ttl));
        let bytes = len + records_bytes(&authorities);
        Fact { kind, zone, answers, authorities, ttl, bytes }
    }

    /// The proofs of DNSSEC in the authority section, with signatures, for those who validate.
    fn proofs(&self, message: &Message, ttl: u32) -> Vec<Record> {
        if !self.is_dnssec {
            return Vec::new();
        }
        let is_proof = |record: &&Record| {
            let of = covered(record).unwrap_or(record.record_type());
            let is_soa_signature = of == RecordType::SOA && covered(record).is_some();
            (PROOFS.contains(&of) || is_soa_signature) && self.is_in_zone(&record.name)
        };
        let proofs = message.authorities.iter().filter(is_proof).take(PROOFS_MAX);
        let mut proofs: Vec<_> = proofs.cloned().collect();
        proofs.iter_mut().for_each(|record| record.ttl = record.ttl.min(ttl));
        proofs
    }

    /// Whether a server of a zone is named that is below this one, and at or above the name that was asked for.
    fn leads_down(&self, record: &Record) -> bool {
        let (cut, name) = (&record.name, self.question.name());
        // The DS records of a zone are above it (RFC 4035, section 3.1.4.1).
        let is_asked_above = self.question.record_type() == RecordType::DS && cut == name;
        record.dns_class == DNSClass::IN
            && self.is_in_zone(cut)
            && cut != self.zone
            && cut.zone_of(name)
            && !is_asked_above
    }

    /// The servers of a zone, by its NS records of one section, with the addresses that this zone may tell.
    fn delegation(&self, zone: &Name, servers: &[Record], addrs: &[Record]) -> Delegation {
        let mut ttl_min = u32::MAX;
        let mut all: Vec<ZoneServer> = Vec::new();
        for record in servers.iter().filter(|record| is_at(record, zone)) {
            let RData::NS(name) = &record.data else { continue };
            let mut name = name.0.clone();
            name.set_fqdn(true);
            ttl_min = ttl_min.min(ttl(record.ttl));
            if all.len() < SERVERS_MAX && !all.iter().any(|known| known.name == name) {
                all.push(ZoneServer { addrs: self.glue(&name, addrs), name });
            }
        }
        let ttl = if all.is_empty() { 0 } else { ttl_min };
        Delegation { zone: zone.clone(), servers: all, ttl, until: None }
    }

    fn glue(&self, server: &Name, addrs: &[Record]) -> Vec<SocketAddr> {
        if !self.is_in_zone(server) {
            return Vec::new();
        }
        let here = addrs.iter().filter(|record| is_at(record, server));
        let mut addrs: Vec<_> = here.filter_map(|record| self.addr(&record.data)).collect();
        addrs.truncate(ADDRS_MAX);
        addrs
    }

    /// Where a server with this address is asked, if it may be.
    pub(super) fn addr(&self, data: &RData) -> Option<SocketAddr> {
        let ip = match data {
            RData::A(ip) => IpAddr::V4(ip.0),
            RData::AAAA(ip) => IpAddr::V6(ip.0),
            _ => return None,
        };
        may_be_asked(ip, self.allows_loopback).then(|| SocketAddr::new(ip, self.port))
    }

    fn is_in_zone(&self, name: &Name) -> bool {
        self.zone.zone_of(name)
    }
}

fn is_at(record: &Record, name: &Name) -> bool {
    record.dns_class == DNSClass::IN && record.name == *name
}

/// The type that a signature covers (RRSIG).
fn covered(record: &Record) -> Option<RecordType> {
    match &record.data {
        RData::Unknown { code: RecordType::RRSIG, rdata } => {
            let bytes = rdata.anything.first_chunk::<2>()?;
            Some(RecordType::from(u16::from_be_bytes(*bytes)))
        }
        _ => None,
    }
}

/// Longest TTL: a week (RFC 8767, section 4).
const TTL_MAX: u32 = 7 * 86_400;

/// A TTL with its highest bit set is 0 (RFC 2181, section 8).
fn ttl(seconds: u32) -> u32 {
    if seconds > i32::MAX as u32 { 0 } else { seconds.min(TTL_MAX) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::codec::{OpCode, rdata};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn record(owner: &str, data: RData) -> Record {
        Record::from_rdata(name(owner), 300, data)
    }

    /// A signature of records of a type.
    fn signature(owner: &str, covered: RecordType) -> Record {
        let rdata = rdata::NULL::with(u16::from(covered).to_be_bytes().to_vec());
        record(owner, RData::Unknown { code: RecordType::RRSIG, rdata })
    }

    /// What a server of `zone.test` says about A of `www.zone.test`, with the records of DNSSEC.
    fn fact_of(answers: Vec<Record>, authorities: Vec<Record>) -> Rc<Fact> {
        let question = Question::new(name("www.zone.test."), RecordType::A);
        let reader = Reader {
            zone: &name("zone.test."),
            question: &question,
            is_dnssec: true,
            port: 53,
            allows_loopback: false,
        };
        let mut message = Message::response(1, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_answers(answers);
        message.add_authorities(authorities);
        match reader.read(&message, 100) {
            Ok(Reading::Fact(fact)) => fact,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn signatures_of_the_set_and_of_the_renaming_are_taken() {
        let signatures = [
            signature("www.zone.test.", RecordType::A),
            signature("www.zone.test.", RecordType::CNAME),
            signature("zone.test.", RecordType::DNAME),
            signature("other.zone.test.", RecordType::A),
        ];
        let with = |records: &[Record]| fact_of([records, &signatures].concat(), Vec::new());
        let addr = record("www.zone.test.", RData::A(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(with(std::slice::from_ref(&addr)).answers, [addr, signatures[0].clone()]);
        let none = rdata::NULL::with(vec![0]);
        let renaming = RData::Unknown { code: RecordType::DNAME, rdata: none };
        let renaming = record("zone.test.", renaming);
        let alias = record("www.zone.test.", RData::CNAME(rdata::CNAME(name("www.other.test."))));
        let of_alias = with(&[renaming.clone(), alias.clone()]);
        assert_eq!(
            of_alias.answers,
            [renaming, alias, signatures[1].clone(), signatures[2].clone()]
        );
    }

    #[test]
    fn all_that_is_kept_is_counted() {
        let addr = record("www.zone.test.", RData::A(Ipv4Addr::LOCALHOST.into()));
        let proof = signature("n.zone.test.", RecordType::NSEC);
        let fact = fact_of(vec![addr; 1000], vec![proof; 10]);
        assert_eq!((fact.answers.len(), fact.authorities.len()), (1000, 10));
        let bytes = 1010 * size_of::<Record>();
        assert!((bytes..bytes * 2).contains(&fact.bytes), "{}", fact.bytes);
        let soa = rdata::SOA::new(name("ns."), name("me."), 1, 1, 1, 1, 60);
        let soa = record("zone.test.", RData::SOA(soa));
        assert!(fact_of(Vec::new(), vec![soa]).bytes > size_of::<Record>());
    }

    #[test]
    fn proofs_are_bounded() {
        let soa = rdata::SOA::new(name("ns."), name("me."), 1, 1, 1, 1, 60);
        let mut authorities = vec![record("zone.test.", RData::SOA(soa))];
        authorities.push(signature("zone.test.", RecordType::SOA));
        for at in 0..1000 {
            authorities.push(signature(&format!("n{at}.zone.test."), RecordType::NSEC));
        }
        let fact = fact_of(Vec::new(), authorities.clone());
        assert_eq!((fact.kind.clone(), fact.authorities.len()), (Kind::NoRecord, 1 + PROOFS_MAX));
        let names = |records: &[Record]| -> Vec<_> {
            records.iter().map(|record| record.name.clone()).collect()
        };
        assert_eq!(names(&fact.authorities), names(&authorities[..1 + PROOFS_MAX]));
    }

    /// Numbers that look random, by a seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as usize % end
        }

        fn name(&mut self) -> Name {
            const NAMES: [&str; 12] = [
                ".",
                "test.",
                "net.",
                "zone.test.",
                "www.zone.test.",
                "WWW.zone.test.",
                "www.zone.test.",
                "www.zone.test.",
                "a.www.zone.test.",
                "b.zone.test.",
                "other.test.",
                "ns.net.",
            ];
            name(NAMES[self.below(NAMES.len())])
        }

        fn record(&mut self) -> Record {
            let other = self.name();
            let data = match self.below(6) {
                0 => RData::A(std::net::Ipv4Addr::new(192, 0, 2, 1).into()),
                1 => RData::NS(rdata::NS(other)),
                2 => RData::CNAME(rdata::CNAME(other)),
                3 => RData::SOA(rdata::SOA::new(name("ns."), name("me."), 1, 1, 1, 1, 60)),
                4 => RData::Unknown {
                    code: RecordType::RRSIG,
                    rdata: rdata::NULL::with(vec![0, [1, 2, 5, 6, 47][self.below(5)], 0]),
                },
                _ => RData::Unknown {
                    code: [RecordType::DNAME, RecordType::NSEC][self.below(2)],
                    rdata: rdata::NULL::with(vec![0]),
                },
            };
            Record::from_rdata(self.name(), 300, data)
        }

        fn message(&mut self) -> Message {
            let mut message = Message::response(1, OpCode::Query);
            message.metadata.authoritative = self.below(2) == 0;
            let codes = [ResponseCode::NoError, ResponseCode::NoError, ResponseCode::NXDomain];
            message.metadata.response_code = codes[self.below(3)];
            for _ in 0..self.below(5) {
                message.add_answer(self.record());
            }
            for _ in 0..self.below(5) {
                message.add_authority(self.record());
            }
            for _ in 0..self.below(5) {
                message.add_additional(self.record());
            }
            message
        }
    }

    #[test]
    fn no_response_leads_out_of_the_zone_or_beside_the_question() {
        let (zone, asked) = (name("zone.test."), name("www.zone.test."));
        let mut read = [0; 5];
        for seed in 0..10_000 {
            let mut random = Random(seed);
            let types = [RecordType::A, RecordType::NS, RecordType::DS, RecordType::CNAME];
            let question = Question::new(asked.clone(), types[random.below(4)]);
            let reader = Reader {
                zone: &zone,
                question: &question,
                is_dnssec: random.below(2) == 0,
                port: 53,
                allows_loopback: false,
            };
            match reader.read(&random.message(), 100) {
                Err(_) => read[0] += 1,
                Ok(Reading::Delegation(delegation)) => {
                    read[1] += 1;
                    assert_eq!(delegation.zone, asked, "seed {seed}");
                    assert_ne!(question.record_type(), RecordType::DS, "seed {seed}");
                    let has_glue = |server: &&ZoneServer| !server.addrs.is_empty();
                    let glue = delegation.servers.iter().filter(has_glue);
                    assert!(glue.into_iter().all(|it| zone.zone_of(&it.name)), "seed {seed}");
                }
                Ok(Reading::Fact(fact)) => {
                    read[2 + usize::from(fact.ttl > 0)] += 1;
                    read[4] += usize::from(fact.answers.len() > 1);
                    let of_name = |record: &Record| {
                        let renames = record.name == zone;
                        record.name == asked || renames && matches!(fact.kind, Kind::Alias(_))
                    };
                    assert!(fact.answers.iter().all(of_name), "seed {seed}: {fact:?}");
                    let in_zone = |record: &Record| zone.zone_of(&record.name);
                    assert!(fact.authorities.iter().all(in_zone), "seed {seed}: {fact:?}");
                    let is_ns = |it: &Record| it.record_type() == RecordType::NS;
                    assert!(!fact.authorities.iter().any(is_ns), "seed {seed}: {fact:?}");
                }
            }
        }
        assert!(read.iter().all(|count| *count > 20), "{read:?}");
    }
}
