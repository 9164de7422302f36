//! The bytes of a [`Response`] from code: [`response`], with our OPT record behind it. Nearly all fit, and are written as the answers of
//! zones are; those that have to be cut are encoded by the codec.

use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use super::{Response, edns::OptRecord, head::Head, response_code::SERVFAIL};
use crate::codec::{DNSClass, Message, MessageType, OpCode, Query, RData, Record, encode_within};
use crate::zone::{
    name::{NameBuffer, to_name},
    response_writer::{NameTable, ResponseWriter, Section},
};

/// Appends a response that fits into the limit of its query: whole record sets, or TC.
pub(super) fn response(
    head: &Head,
    response: Response,
    flags: u16,
    opt: Option<OptRecord>,
    out: &mut Vec<u8>,
    names: &mut NameTable,
) {
    let base = out.len();
    let mut flags = flags | u16::from(response.code) & 15;
    for (is_set, flag) in [
        (response.is_authoritative, 0x0400),
        (response.is_recursive, 0x0080),
        (response.is_authentic, 0x0020),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    if whole(head, &response, flags, opt.as_ref(), out, names).is_none() {
        out.truncate(base);
        cut(head, response, flags, opt, out);
    }
}

/// Appends all of a response. `None` if it does not fit, or has something that a zone cannot have.
fn whole(
    head: &Head,
    response: &Response,
    flags: u16,
    opt: Option<&OptRecord>,
    out: &mut Vec<u8>,
    names: &mut NameTable,
) -> Option<()> {
    let limit = head.limit.saturating_sub(head.reserved());
    let question = head.question.as_bytes();
    let mut writer = ResponseWriter::new(out, names, head.header(), question, limit);
    let mut data = Vec::new();
    for (section, records) in [
        (Section::Answer, &response.answers),
        (Section::Authority, &response.authorities),
        (Section::Additional, &response.additionals),
    ] {
        for record in records.iter() {
            let owner = NameBuffer::from_name(&record.name)?;
            data.clear();
            read_data(record, &mut data)?;
            let record_type = u16::from(record.record_type());
            if !writer.record(section, owner.as_bytes(), record_type, record.ttl, &data) {
                return None;
            }
        }
    }
    let bytes = opt.map_or(&[][..], OptRecord::as_bytes);
    writer.finish(flags, bytes, u16::from(opt.is_some()));
    Some(())
}

/// Appends the data of a record, without compression.
fn read_data(record: &Record, data: &mut Vec<u8>) -> Option<()> {
    if record.dns_class != DNSClass::IN {
        return None;
    }
    match &record.data {
        RData::A(addr) => data.extend(addr.octets()),
        RData::AAAA(addr) => data.extend(addr.octets()),
        other => {
            let mut encoder = BinEncoder::new(data);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            other.emit(&mut encoder).ok()?;
        }
    }
    Some(())
}

/// Appends a response without what does not fit.
fn cut(head: &Head, response: Response, mut flags: u16, opt: Option<OptRecord>, out: &mut Vec<u8>) {
    let base = out.len();
    let mut message = Message::new(head.id, MessageType::Response, OpCode::Query);
    let name = to_name(head.question.name());
    let mut query = Query::query(name, head.question.record_type().into());
    query.set_query_class(DNSClass::from(head.question.class()));
    message.add_query(query);
    message.add_answers(response.answers);
    message.add_authorities(response.authorities);
    message.add_additionals(response.additionals);
    let question = head.question.as_bytes();
    let question_at = base + 12..base + 12 + question.len();
    match encode_within(message, head.limit.saturating_sub(head.reserved())) {
        Ok(bytes) if bytes.len() >= 12 + question.len() => {
            out.extend_from_slice(&bytes);
            // The question is repeated with its case.
            out[question_at].copy_from_slice(question);
        }
        failed => {
            let error = failed.err().map(|error| error.to_string());
            tracing::warn!(error, "the response of a handler cannot be encoded");
            out.extend_from_slice(&head.header());
            out.extend_from_slice(question);
            flags = flags & !0x040f | SERVFAIL;
        }
    }
    flags |= u16::from_be_bytes([out[base + 2], out[base + 3]]) & 0x0200;
    out[base + 2..base + 4].copy_from_slice(&flags.to_be_bytes());
    if let Some(opt) = opt {
        out.extend_from_slice(opt.as_bytes());
        let additionals = u16::from_be_bytes([out[base + 10], out[base + 11]]) + 1;
        out[base + 10..base + 12].copy_from_slice(&additionals.to_be_bytes());
    }
}
