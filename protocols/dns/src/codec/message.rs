//! Messages as values: [`decode`] and [`encode`], by hickory-proto behind the guard. Knows no transport.

use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, BinEncodable, BinEncoder};

use super::{
    EncodeError, Message, MessageError, MessageLimits, RawHeader, inspect, names::expand_unknown,
};

/// Longest message over TCP.
pub const MESSAGE_LEN_MAX: usize = u16::MAX as usize;

/// Decodes a message, after [inspecting](inspect) it. Bytes behind its last record are ignored. No name in it is compressed, also not in
/// the data of types that are [`RData::Unknown`](super::RData::Unknown) but may have names: RP, RRSIG and others.
///
/// # Errors
///
/// [`MessageError`].
pub fn decode(message: &[u8], limits: &MessageLimits) -> Result<Message, MessageError> {
    let outline = inspect(message, limits)?;
    let mut decoded = Message::read(&mut BinDecoder::new(message))
        .map_err(|error| MessageError::Content(error.to_string().into()))?;
    expand_unknown(message, &outline, &mut decoded)
        .ok_or_else(|| MessageError::Content("a record is not where it was read".into()))?;
    Ok(decoded)
}

/// Encodes a message.
///
/// # Errors
///
/// [`EncodeError::TooLong`] if it has more than `len_max` bytes, at most 65,535; nothing is cut. [`EncodeError::Content`] if a name or
/// the data of a record are too long.
pub fn encode(message: &Message, len_max: usize) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::with_capacity(512);
    let max = len_max.min(MESSAGE_LEN_MAX);
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_max_size(u16::try_from(max).unwrap_or(u16::MAX));
    let emitted = message.emit(&mut encoder);
    // hickory-proto leaves out the records that do not fit.
    let is_cut = RawHeader::read(&bytes).is_ok_and(|header| {
        let marks = usize::from(message.edns.is_some()) + usize::from(message.signature.is_some());
        let additionals = message.additionals.len() + marks;
        let lens = [message.answers.len(), message.authorities.len(), additionals];
        header.counts[1..].iter().zip(lens).any(|(count, len)| usize::from(*count) != len)
    });
    match emitted {
        Ok(()) if is_cut => Err(EncodeError::TooLong { max }),
        Ok(()) => Ok(bytes),
        Err(
            hickory_proto::ProtoError::MaxBufferSizeExceeded(_)
            | hickory_proto::ProtoError::NotAllRecordsWritten { .. },
        ) => Err(EncodeError::TooLong { max }),
        Err(error) => Err(EncodeError::Content(error.to_string().into())),
    }
}
