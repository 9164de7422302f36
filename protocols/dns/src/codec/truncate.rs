//! Responses that fit into a datagram: [`encode_within`]. Whole record sets or none, and EDNS always.

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
    loop {
        match encode(&message, len_max) {
            Err(EncodeError::TooLong { .. }) if drop_last_set(&mut message) => {}
            result => return result,
        }
    }
}

/// Removes the last record set. Says whether there was one.
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
        section.retain(|record| !is_of_set(record));
    }
    message.metadata.truncation |= is_cut;
    true
}
