//! Responses that fit into a datagram: [`encode_within`]. Whole record sets or none, and EDNS always.

use std::collections::HashMap;

use super::{EncodeError, Message, Record, encode};

/// Encodes a response with at most `len_max` bytes. What does not fit is left out as whole record sets, from the end: additional records,
/// which the reader can ask for (RFC 2181, section 9); then authority records and answers, and the response says that it was cut (TC).
/// EDNS stays.
///
/// # Errors
///
/// [`EncodeError`], if the question alone does not fit.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use sinew_dns::codec::{Message, Name, OpCode, RData, Record, encode_within};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name: Name = "many.example.".parse()?;
/// let mut response = Message::response(1, OpCode::Query);
/// response.add_answers((0..100).map(|it| {
///     Record::from_rdata(name.clone(), 60, RData::A(Ipv4Addr::new(192, 0, 2, it).into()))
/// }));
/// let bytes = encode_within(response, 512)?;
/// // The record set does not fit: none of it is there, and TC is set.
/// assert_eq!((bytes.len(), bytes[2] & 2), (12, 2));
/// # Ok(())
/// # }
/// ```
pub fn encode_within(mut message: Message, len_max: usize) -> Result<Vec<u8>, EncodeError> {
    let mut result = encode(&message, len_max);
    if matches!(result, Err(EncodeError::TooLong { .. })) {
        gather_sets(&mut message.answers);
        gather_sets(&mut message.authorities);
        gather_sets(&mut message.additionals);
    }
    while matches!(result, Err(EncodeError::TooLong { .. })) && drop_last_set(&mut message) {
        result = encode(&message, len_max);
    }
    result
}

/// Moves the records of each set behind its first one.
fn gather_sets(records: &mut [Record]) {
    let mut sets = HashMap::new();
    records.sort_by_cached_key(|record| {
        let next = sets.len();
        *sets.entry((record.name.clone(), record.record_type())).or_insert(next)
    });
}

/// Removes the last record set, whose records follow each other. Says whether there was one.
fn drop_last_set(message: &mut Message) -> bool {
    let is_cut = message.additionals.is_empty();
    let section = [&mut message.additionals, &mut message.authorities, &mut message.answers]
        .into_iter()
        .find(|section| !section.is_empty());
    let Some(section) = section else { return false };
    if let Some(last) = section.pop() {
        let is_of_set = |record: &Record| {
            record.name == last.name && record.record_type() == last.record_type()
        };
        while section.last().is_some_and(is_of_set) {
            section.pop();
        }
    }
    message.metadata.truncation |= is_cut;
    true
}
