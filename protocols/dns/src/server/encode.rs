//! The bytes of a [`Response`] from code: [`response`], by the codec, with our OPT record behind it.

use super::{Response, edns::OptRecord, head::Head, response_code::SERVFAIL};
use crate::codec::{DNSClass, Message, MessageType, OpCode, Query, encode_within};
use crate::zone::name::WireName;

/// Appends a response that fits into the limit of its query: whole record sets, or TC.
pub(super) fn response(
    head: &Head,
    response: Response,
    flags: u16,
    opt: Option<OptRecord>,
    out: &mut Vec<u8>,
) {
    let base = out.len();
    let mut message = Message::new(head.id, MessageType::Response, OpCode::Query);
    let name = WireName::from_wire(head.question.name()).to_name();
    let mut query = Query::query(name, head.question.record_type().into());
    query.set_query_class(DNSClass::from(head.question.class()));
    message.add_query(query);
    let mut flags = flags | u16::from(response.code) & 15;
    for (is_set, flag) in [
        (response.is_authoritative, 0x0400),
        (response.is_recursive, 0x0080),
        (response.is_authentic, 0x0020),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
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
