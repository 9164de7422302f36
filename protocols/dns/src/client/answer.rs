//! What a lookup finds: [`Answer`], and how it is read out of responses along aliases: [`Chain`]. Pure.
//!
//! Only records that the question leads to are taken: those of its name, and of the names that its aliases lead to. All others, whatever
//! their section, are ignored, so that a server cannot slip in what was not asked.

use std::rc::Rc;

use super::{LookupError, store::records_bytes};
use crate::codec::{DNSClass, Message, Name, RData, Record, RecordType, ResponseCode};

/// The records that were found. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) content: Rc<Content>,
    /// Seconds that it was in the cache.
    pub(super) age: u32,
    pub(super) is_stale: bool,
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) aliases: Vec<Record>,
    pub(super) records: Vec<Record>,
    pub(super) is_authentic: bool,
    /// The least TTL of all records.
    pub(super) ttl: u32,
    /// Bytes of the messages that it came in, and of the records that are kept of them.
    pub(super) bytes: usize,
}

/// TTL of an answer that is used after its time (RFC 8767, section 4).
const STALE_TTL: u32 = 30;

impl Answer {
    /// The records of the type that was asked for, in the order of the response. Never empty. Their TTLs are as received.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.content.records
    }

    /// The aliases (CNAME) that led from the name to the records, in order. Mostly empty.
    #[must_use]
    pub fn aliases(&self) -> &[Record] {
        &self.content.aliases
    }

    /// The name that has the records, behind all aliases.
    #[must_use]
    pub fn canonical_name(&self) -> &Name {
        &self.content.records[0].name
    }

    /// How many seconds the answer is still good for: the least TTL of its records, less its time in the cache.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        if self.is_stale { STALE_TTL } else { self.content.ttl.saturating_sub(self.age) }
    }

    /// Whether the server has validated it by DNSSEC, and is trusted to say so ([`DnsConfig::trust_ad`](super::DnsConfig::trust_ad)).
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        self.content.is_authentic
    }

    /// A record that is known without a server.
    pub(super) fn of_record(record: Record) -> Self {
        let (aliases, records) = (Vec::new(), vec![record]);
        let content = Content { aliases, records, is_authentic: false, ttl: 0, bytes: 0 };
        Self { content: Rc::new(content), age: 0, is_stale: false }
    }

    /// Whether its time is over, and it is used because no server answers ([`DnsConfig::stale_max`](super::DnsConfig::stale_max)).
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        self.is_stale
    }
}

/// That there is no answer, with the time for which that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Negative {
    /// Whether the name exists, with other records.
    pub(super) does_exist: bool,
    /// Seconds; `None` must not be cached (RFC 2308, section 5).
    pub(super) ttl: Option<u32>,
}

/// What a response says about the name at the end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its records are there.
    Found,
    /// It has none.
    None(Negative),
    /// The chain leads on to a name, about which the response says nothing.
    Ask,
}

/// The way from a name along aliases to records.
#[derive(Debug)]
pub(super) struct Chain {
    /// The name that was asked for.
    asked: Name,
    record_type: RecordType,
    class: DNSClass,
    /// The name at the end.
    name: Name,
    aliases: Vec<Record>,
    aliases_max: usize,
    records: Vec<Record>,
    is_authentic: bool,
    bytes: usize,
}

impl Chain {
    pub(super) fn new(name: Name, record_type: RecordType, aliases_max: usize) -> Self {
        Self {
            asked: name.clone(),
            record_type,
            class: DNSClass::IN,
            name,
            aliases: Vec::new(),
            aliases_max,
            records: Vec::new(),
            is_authentic: true,
            bytes: 0,
        }
    }

    /// The name to ask for.
    pub(super) const fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn has_aliases(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// Takes a response to the question for the name at the end, whose code is "no error" or "no such name".
    pub(super) fn read(&mut self, response: &Message, len: usize) -> Result<Step, LookupError> {
        self.is_authentic &= response.metadata.authentic_data;
        self.bytes += len;
        let asked = self.name.clone();
        loop {
            let of_name = response.answers.iter().filter(|record| self.is_at_end(record));
            self.records = of_name.filter(|record| self.is_wanted(record)).cloned().collect();
            if !self.records.is_empty() {
                return Ok(Step::Found);
            }
            let mut here = response.answers.iter().filter(|record| self.is_at_end(record));
            // By the data: a record of the type that has none leads nowhere.
            let alias = here.find_map(|record| match &record.data {
                RData::CNAME(target) => Some((record, &target.0)),
                _ => None,
            });
            let Some((alias, target)) = alias else { break };
            self.follow(alias, target.clone())?;
        }
        let does_exist = response.metadata.response_code != ResponseCode::NXDomain;
        let soa = self.soa(response);
        // The response says nothing about the name that its aliases lead to.
        if does_exist && soa.is_none() && self.name != asked {
            return Ok(Step::Ask);
        }
        Ok(Step::None(Negative { does_exist, ttl: soa }))
    }

    fn is_at_end(&self, record: &Record) -> bool {
        record.dns_class == self.class && record.name == self.name
    }

    fn is_wanted(&self, record: &Record) -> bool {
        self.record_type == RecordType::ANY || record.record_type() == self.record_type
    }

    fn follow(&mut self, alias: &Record, mut target: Name) -> Result<(), LookupError> {
        let asked = || Box::new(self.asked.clone());
        if self.aliases.len() >= self.aliases_max {
            return Err(LookupError::ChainTooLong { name: asked(), max: self.aliases_max });
        }
        target.set_fqdn(true);
        if target == alias.name || self.aliases.iter().any(|earlier| earlier.name == target) {
            return Err(LookupError::ChainLoop { name: asked() });
        }
        self.aliases.push(alias.clone());
        self.name = target;
        Ok(())
    }

    /// For how long it holds that there is no answer: by the SOA record of a zone that contains the name (RFC 2308, section 5).
    fn soa(&self, response: &Message) -> Option<u32> {
        response.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) if record.name.zone_of(&self.name) => {
                let aliases = self.aliases.iter().map(|alias| ttl(alias.ttl));
                Some(aliases.fold(ttl(record.ttl).min(ttl(soa.minimum)), u32::min))
            }
            _ => None,
        })
    }

    /// The answer, once the records are found.
    pub(super) fn into_answer(self, trust_ad: bool) -> Answer {
        let all = self.aliases.iter().chain(&self.records);
        let ttl = all.clone().map(|record| ttl(record.ttl)).min().unwrap_or(0);
        let bytes = self.bytes + records_bytes(all);
        let content = Content {
            aliases: self.aliases,
            records: self.records,
            is_authentic: self.is_authentic && trust_ad,
            ttl,
            bytes,
        };
        Answer { content: Rc::new(content), age: 0, is_stale: false }
    }
}

/// A TTL with its highest bit set is 0 (RFC 2181, section 8).
const fn ttl(seconds: u32) -> u32 {
    if seconds > i32::MAX as u32 { 0 } else { seconds }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::codec::{OpCode, rdata};

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn a(owner: &str) -> Record {
        Record::from_rdata(name(owner), 60, RData::A(Ipv4Addr::LOCALHOST.into()))
    }

    fn alias(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 50, RData::CNAME(rdata::CNAME(name(to))))
    }

    fn soa(zone: &str, ttl: u32, minimum: u32) -> Record {
        let soa = rdata::SOA::new(name("ns."), name("me."), 1, 2, 3, 4, minimum);
        Record::from_rdata(name(zone), ttl, RData::SOA(soa))
    }

    fn response(answers: &[Record], authorities: &[Record]) -> Message {
        let mut message = Message::response(1, OpCode::Query);
        message.add_answers(answers.to_vec());
        message.add_authorities(authorities.to_vec());
        message
    }

    fn chain(from: &str) -> Chain {
        Chain::new(name(from), RecordType::A, 8)
    }

    #[test]
    fn records_and_aliases_in_any_order() {
        let mut chain = chain("a.example.");
        let others = [
            a("other.example."),
            a("c.example."),
            alias("b.example.", "C.example."),
            alias("a.example.", "b.example."),
        ];
        assert_eq!(chain.read(&response(&others, &[]), 100).unwrap(), Step::Found);
        let answer = chain.into_answer(false);
        assert_eq!(answer.records(), [a("c.example.")]);
        assert_eq!(answer.aliases().len(), 2);
        assert_eq!((answer.ttl(), answer.canonical_name().to_ascii().as_str()), (50, "c.example."));
    }

    #[test]
    fn all_that_is_kept_is_counted() {
        let (mut chain, records) = (chain("a.example."), vec![a("a.example."); 1000]);
        assert_eq!(chain.read(&response(&records, &[]), 500).unwrap(), Step::Found);
        let kept = chain.into_answer(false).content.bytes;
        assert!((1000 * size_of::<Record>()..500_000).contains(&kept), "{kept}");
    }

    #[test]
    fn a_chain_over_several_responses() {
        let mut chain = chain("a.example.");
        let step = chain.read(&response(&[alias("a.example.", "b.example.net.")], &[]), 0);
        assert_eq!(step.unwrap(), Step::Ask);
        assert_eq!(chain.name(), &name("b.example.net."));
        assert_eq!(chain.read(&response(&[a("b.example.net.")], &[]), 0).unwrap(), Step::Found);
        assert_eq!(chain.into_answer(false).aliases().len(), 1);
    }

    #[test]
    fn cname_loop() {
        let circle = [alias("a.", "b."), alias("b.", "c."), alias("c.", "a.")];
        let error = chain("a.").read(&response(&circle, &[]), 0).unwrap_err();
        assert!(matches!(error, LookupError::ChainLoop { .. }), "{error}");
        let error = chain("a.").read(&response(&[alias("a.", "a.")], &[]), 0).unwrap_err();
        assert!(matches!(error, LookupError::ChainLoop { .. }), "{error}");
        let long: Vec<_> =
            (0..10).map(|at| alias(&format!("n{at}."), &format!("n{}.", at + 1))).collect();
        let error = chain("n0.").read(&response(&long, &[]), 0).unwrap_err();
        assert!(matches!(error, LookupError::ChainTooLong { max: 8, .. }), "{error}");
        let eight = [&long[..8], &[a("n8.")]].concat();
        assert_eq!(chain("n0.").read(&response(&eight, &[]), 0).unwrap(), Step::Found);
    }

    #[test]
    fn an_alias_without_a_target_leads_nowhere() {
        let empty = Record::update0(name("a.example."), 60, RecordType::CNAME);
        let step = chain("a.example.").read(&response(&[empty], &[]), 0).unwrap();
        assert_eq!(step, Step::None(Negative { does_exist: true, ttl: None }));
    }

    #[test]
    fn glue_out_of_bailiwick() {
        let mut message = response(&[a("www.bank.example.")], &[soa("example.", 9, 9)]);
        message.add_additional(a("a.example."));
        let step = chain("a.example.").read(&message, 0).unwrap();
        assert_eq!(step, Step::None(Negative { does_exist: true, ttl: Some(9) }));
    }

    #[test]
    fn there_is_no_answer() {
        let none = |message: &Message| match chain("a.example.").read(message, 0).unwrap() {
            Step::None(negative) => (negative.does_exist, negative.ttl),
            step => panic!("{step:?}"),
        };
        assert_eq!(none(&response(&[], &[soa("example.", 600, 60)])), (true, Some(60)));
        assert_eq!(none(&response(&[], &[soa("example.", 30, 60)])), (true, Some(30)));
        assert_eq!(none(&response(&[], &[soa("example.", u32::MAX, 60)])), (true, Some(0)));
        // The SOA record of another zone means nothing.
        assert_eq!(none(&response(&[], &[soa("other.", 600, 60)])), (true, None));
        let mut message =
            response(&[alias("a.example.", "b.example.")], &[soa("example.", 600, 60)]);
        message.metadata.response_code = ResponseCode::NXDomain;
        assert_eq!(none(&message), (false, Some(50)));
    }
}
