//! The way from a name along aliases: [`Chain`]. Pure.

use super::{
    RecursiveError, Resolved,
    facts::{Key, Kind, Known},
};
use crate::codec::{Name, Record, RecordType};

/// What is known so far.
#[derive(Debug)]
pub(super) struct Chain {
    asked: Name,
    /// What is to be found next.
    pub(super) key: Key,
    links: Vec<Known>,
}

impl Chain {
    pub(super) fn new(key: &Key) -> Self {
        Self { asked: key.name.clone(), key: key.clone(), links: Vec::new() }
    }

    /// Takes what was found. Says whether that is the end.
    pub(super) fn follow(&mut self, known: Known, max: usize) -> Result<bool, RecursiveError> {
        let next = match &known.value.kind {
            // Who asks for an alias gets it.
            Kind::Alias(target) if self.key.record_type != Some(RecordType::CNAME) => {
                Some(target.clone())
            }
            _ => None,
        };
        let from = self.key.name.clone();
        self.links.push(known);
        let Some(next) = next else { return Ok(true) };
        let name = || Box::new(self.asked.clone());
        let is_alias =
            |record: &Record| record.record_type() == RecordType::CNAME && record.name == next;
        let is_loop = |link: &Known| link.value.answers.iter().any(is_alias);
        if next == from || self.links.iter().any(is_loop) {
            return Err(RecursiveError::ChainLoop { name: name() });
        }
        if self.links.len() > max {
            return Err(RecursiveError::ChainTooLong { name: name(), max });
        }
        self.key.name = next;
        Ok(false)
    }

    /// The records at the end.
    pub(super) fn records(&self) -> &[Record] {
        self.links.last().map_or(&[], |last| &last.value.answers)
    }

    pub(super) fn resolved(&self) -> Resolved {
        Resolved::new(&self.asked, &self.links)
    }
}
