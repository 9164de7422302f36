//! What the response to a query needs of it: [`Head`]. It is kept while an answer is made, and allocates nothing unless the query is signed.

use super::{edns::OptRecord, query::Client};
use crate::{
    codec::tsig::TsigKey,
    zone::name::{NAME_LEN_MAX, NameBuffer},
};

/// A name, a type and a class.
const QUESTION_LEN_MAX: usize = NAME_LEN_MAX + 4;

/// A question as it is on the wire, on the stack. Empty if the query could not be read so far.
#[derive(Clone)]
pub(super) struct QuestionBuffer {
    bytes: [u8; QUESTION_LEN_MAX],
    len: usize,
}

impl QuestionBuffer {
    /// From the bytes of a question; empty if they are too long to be one.
    pub(super) fn new(question: &[u8]) -> Self {
        let question = if question.len() > QUESTION_LEN_MAX { &[] } else { question };
        let mut bytes = [0; QUESTION_LEN_MAX];
        bytes[..question.len()].copy_from_slice(question);
        Self { bytes, len: question.len() }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.bytes[..self.len.saturating_sub(4)]
    }

    pub(super) fn record_type(&self) -> u16 {
        self.word(4)
    }

    pub(super) fn class(&self) -> u16 {
        self.word(2)
    }

    fn word(&self, before_end: usize) -> u16 {
        match self.len.checked_sub(before_end) {
            Some(at) => u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]),
            None => 0,
        }
    }

    /// The name in lower case.
    pub(super) fn lowered(&self) -> NameBuffer {
        NameBuffer::lowered(self.name())
    }
}

/// What a response repeats or observes of its query.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) question: QuestionBuffer,
    pub(super) client: Client,
    /// Longest response.
    pub(super) limit: usize,
    /// The OPT record of the response, if the query has one.
    pub(super) opt: Option<OptRecord>,
    pub(super) is_dnssec: bool,
    /// The address is not forged: over TCP, or the client has returned our cookie.
    pub(super) is_address_known: bool,
    pub(super) signing: Option<Box<Signing>>,
}

/// How the response is signed.
#[derive(Clone)]
pub(super) struct Signing {
    pub(super) key: TsigKey,
    /// The signature of the query.
    pub(super) mac: Vec<u8>,
}

impl Head {
    /// The part of the flags that a response repeats: the operation, RD and CD, and that it is a response.
    pub(super) fn response_flags(&self) -> u16 {
        0x8000 | self.flags & 0x7910
    }

    pub(super) fn op_code(&self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// The header without counts, except for the question.
    pub(super) fn header(&self) -> [u8; 12] {
        let mut header = [0; 12];
        header[..2].copy_from_slice(&self.id.to_be_bytes());
        header[5] = u8::from(!self.question.is_empty());
        header
    }

    /// Bytes that OPT and the signature need.
    pub(super) fn reserved(&self) -> usize {
        let opt = self.opt.map_or(0, |opt| opt.as_bytes().len());
        // Name, fixed part, algorithm, time, 64 bytes of hash.
        let signature = self.signing.as_ref().map_or(0, |it| it.key.name().len() + 1 + 150);
        opt + signature
    }
}
