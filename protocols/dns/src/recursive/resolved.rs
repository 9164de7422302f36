//! The answer to a question: [`Resolved`].

use std::rc::Rc;

use super::facts::{Kind, Known};
use crate::codec::{Name, Record, ResponseCode};

/// What was found, if only that there is nothing. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolved(Rc<Content>);

#[derive(Debug)]
struct Content {
    code: ResponseCode,
    answers: Vec<Record>,
    /// How many of them are aliases.
    aliases: usize,
    authorities: Vec<Record>,
    name: Name,
}

impl Resolved {
    /// From what is known of the name, of the name that it is an alias of, and so on.
    pub(super) fn new(name: &Name, links: &[Known]) -> Self {
        let mut content = Content {
            code: ResponseCode::NoError,
            answers: Vec::new(),
            aliases: 0,
            authorities: Vec::new(),
            name: name.clone(),
        };
        for (at, link) in links.iter().enumerate() {
            let fact = &link.value;
            content.answers.extend(aged(&fact.answers, link));
            content.authorities.extend(aged(&fact.authorities, link));
            match &fact.kind {
                // The last is one only if an alias was asked for.
                Kind::Alias(target) if at + 1 < links.len() => {
                    content.aliases = content.answers.len();
                    content.name = target.clone();
                }
                Kind::NoName => content.code = ResponseCode::NXDomain,
                Kind::Alias(_) | Kind::Records | Kind::NoRecord => {}
            }
        }
        Self(Rc::new(content))
    }

    /// "No error", or that the name, or that which its aliases lead to, does not exist (NXDOMAIN).
    #[must_use]
    pub fn code(&self) -> ResponseCode {
        self.0.code
    }

    /// The records of the type that was asked for, with their signatures if the question has DO. Empty if there are none. Their TTLs are
    /// what is left of them.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.0.answers[self.0.aliases..]
    }

    /// The aliases (CNAME) that led from the name to the records, in order; with signatures and DNAME records if the question has DO.
    #[must_use]
    pub fn aliases(&self) -> &[Record] {
        &self.0.answers[..self.0.aliases]
    }

    /// The aliases and the records: the answer section of a response.
    #[must_use]
    pub fn answers(&self) -> &[Record] {
        &self.0.answers
    }

    /// The authority section of a response: the SOA record that says how long it holds that there is nothing (RFC 2308), and the proofs
    /// of DNSSEC if the question has DO.
    #[must_use]
    pub fn authorities(&self) -> &[Record] {
        &self.0.authorities
    }

    /// The name behind all aliases.
    #[must_use]
    pub fn canonical_name(&self) -> &Name {
        &self.0.name
    }
}

/// TTL of records that are used after their time (RFC 8767, section 4).
const STALE_TTL: u32 = 30;

/// Records with what is left of their TTL.
fn aged(records: &[Record], known: &Known) -> impl Iterator<Item = Record> {
    let Known { age, is_stale, .. } = *known;
    records.iter().map(move |record| {
        let mut record = record.clone();
        record.ttl = if is_stale { STALE_TTL } else { record.ttl.saturating_sub(age) };
        record
    })
}
