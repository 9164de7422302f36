//! What a server does with one message, whichever way it came: [`Engine::receive`] checks a query and asks the handler, [`Engine::write`]
//! makes the bytes of the response. Opens no sockets.
//!
//! The checks, in this order; the first that fails decides:
//!
//! | check | otherwise |
//! |---|---|
//! | a header, and QR is 0 | dropped, never answered (RUSTSEC-2023-0041) |
//! | the ACL of the server | REFUSED, or dropped |
//! | the operation is QUERY or NOTIFY | NOTIMP |
//! | sizes and counts, names and lengths (`codec::inspect_query`) | FORMERR |
//! | one OPT record at most, its options whole | FORMERR |
//! | EDNS version 0 | BADVERS |
//! | the signature, if there is one | NOTAUTH, with the reason in its TSIG record |
//! | class IN | REFUSED |
//! | no meta type but ANY, AXFR and IXFR; AXFR over TCP only | NOTIMP; FORMERR |
//! | a handler does not pass | REFUSED |

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    Handled, Handler, Query, Response, ServerConfig,
    cookies::Cookies,
    edns::{Edns, OptRecord},
    head::{Head, QuestionBuffer, Signing},
    query::Client,
    rate_limit::{Rate, RateLimit},
    response_code::{BADVERS, FORMERR, NOERROR, NOTAUTH, NOTIMP, NXDOMAIN, REFUSED, SERVFAIL},
    signature,
    stats::{Counters, count},
    transfer::Changes,
    unix_time::unix_time,
};
use crate::{
    codec::{Outline, RawHeader, inspect, inspect_query, skip_name},
    random::random,
    zone::{
        Zone,
        response_writer::{NameTable, ResponseWriter},
        schema::{ANY, AXFR, IXFR, SOA},
    },
};

const QUERY: u8 = 0;
const NOTIFY: u8 = 4;

/// What all ports and connections of a server share.
pub(super) struct Engine {
    pub(super) config: ServerConfig,
    handler: Box<dyn Handler>,
    pub(super) counters: Counters,
    scratch: RefCell<Scratch>,
    cookies: RefCell<Option<Cookies>>,
    rate_limit: RefCell<Option<RateLimit>>,
    hasher: RandomState,
    /// Queries that wait for their answer.
    pending: Cell<usize>,
    pub(super) connections: RefCell<HashMap<IpAddr, usize>>,
}

/// Memory for responses, used again and again.
#[derive(Default)]
struct Scratch {
    out: Vec<u8>,
    names: NameTable,
}

/// What was written.
struct Written {
    code: u16,
    /// A hash of what answers, if a zone does: the same for all names below a wildcard or a delegation.
    source: Option<u64>,
}

/// What becomes of a message.
pub(super) enum Outcome {
    Nothing,
    Respond(Head, Ready),
    Later(Head, Deferred<Response>),
    Transfer(Head, Changes),
}

/// An answer that can be written.
pub(super) enum Ready {
    Code(u16),
    /// A code with the TSIG record that says why.
    BadSignature(Box<signature::Refusal>),
    Response(Box<Response>),
    Zone(Arc<Zone>),
    /// The SOA record of a zone, for transfers over UDP.
    Version(Arc<Zone>),
}

impl Engine {
    pub(super) fn new(handler: Box<dyn Handler>, config: ServerConfig) -> Self {
        let rate_limit =
            config.responses_per_second.map(|rate| RateLimit::new(rate, config.rate_slots));
        Self {
            config,
            handler,
            counters: Counters::default(),
            scratch: RefCell::default(),
            cookies: RefCell::default(),
            rate_limit: RefCell::new(rate_limit),
            hasher: RandomState::new(),
            pending: Cell::new(0),
            connections: RefCell::default(),
        }
    }

    /// Checks a message, and asks the handler.
    pub(super) fn receive(&self, reactor: &Reactor, message: &[u8], client: Client) -> Outcome {
        let counters = &self.counters;
        count(if client.is_stream { &counters.stream_messages } else { &counters.udp_messages });
        let Some(header) = RawHeader::read(message).ok().filter(|it| !it.is_response()) else {
            count(&counters.dropped);
            return Outcome::Nothing;
        };
        let mut head = Head {
            id: header.id,
            flags: header.flags,
            question: QuestionBuffer::new(&[]),
            client,
            limit: if client.is_stream { usize::from(u16::MAX) } else { 512 },
            opt: None,
            is_dnssec: false,
            is_address_known: client.is_stream,
            signing: None,
        };
        let addr = client.addr.map(|addr| addr.ip());
        if !self.config.acl.allows_client(addr) {
            if self.config.drops_denied {
                count(&counters.dropped);
                return Outcome::Nothing;
            }
            return Outcome::Respond(head, Ready::Code(REFUSED));
        }
        if !matches!(head.op_code(), QUERY | NOTIFY) {
            return Outcome::Respond(head, Ready::Code(NOTIMP));
        }
        let outline = inspect_query(message).and_then(|limits| inspect(message, &limits));
        let Ok(outline) = outline else {
            return Outcome::Respond(head, Ready::Code(FORMERR));
        };
        head.question = QuestionBuffer::new(&message[12..outline.questions_end]);
        let ready = match self.checked(reactor, message, &outline, &mut head) {
            Ok(()) => return self.handle(reactor, message, &outline, head),
            Err(ready) => ready,
        };
        Outcome::Respond(head, ready)
    }

    /// EDNS, the signature, class and type.
    fn checked(
        &self,
        reactor: &Reactor,
        message: &[u8],
        outline: &Outline,
        head: &mut Head,
    ) -> Result<(), Ready> {
        let Ok(edns) = Edns::read(message, outline) else { return Err(Ready::Code(FORMERR)) };
        if let Some(edns) = edns {
            self.edns(reactor, &edns, head);
            if edns.version != 0 {
                return Err(Ready::Code(BADVERS));
            }
        }
        match signature::verify(message, outline, &self.config.keys, || unix_time(reactor)) {
            Ok(None) => {}
            Ok(Some((key, mac))) => head.signing = Some(Box::new(Signing { key, mac })),
            Err(refusal) => {
                count(&self.counters.bad_signatures);
                return Err(Ready::BadSignature(Box::new(refusal)));
            }
        }
        if head.question.class() != 1 {
            return Err(Ready::Code(REFUSED));
        }
        match head.question.record_type() {
            ANY => Ok(()),
            AXFR if !head.client.is_stream => Err(Ready::Code(FORMERR)),
            AXFR | IXFR if head.op_code() == QUERY => Ok(()),
            0 | 41 | 128..=255 => Err(Ready::Code(NOTIMP)),
            _ => Ok(()),
        }
    }

    /// What EDNS says about the response.
    fn edns(&self, reactor: &Reactor, edns: &Edns, head: &mut Head) {
        let payload = self.config.udp_payload;
        head.is_dnssec = edns.is_dnssec;
        if !head.client.is_stream {
            head.limit = usize::from(edns.payload.clamp(512, payload));
        }
        let addr = head.client.addr.map(|addr| addr.ip());
        let mut cookie = None;
        if let (Some(theirs), Some(addr), true) = (edns.cookie, addr, self.config.uses_cookies) {
            let now = reactor.age().as_secs();
            let mut cookies = self.cookies.borrow_mut();
            let cookies = cookies.get_or_insert_with(|| Cookies::new(now, || random(reactor)));
            cookies.rotate(now, || random(reactor));
            let time = unix_time(reactor) as u32;
            if theirs.whole.is_some_and(|whole| cookies.is_valid(&whole, addr, time)) {
                count(&self.counters.valid_cookies);
                head.is_address_known = true;
            }
            cookie = Some(cookies.cookie(&theirs.client, addr, time));
        }
        head.opt = Some(OptRecord::new(payload, edns.is_dnssec, cookie));
    }

    fn handle(&self, reactor: &Reactor, message: &[u8], outline: &Outline, head: Head) -> Outcome {
        let query = Query {
            reactor,
            wire_name: head.question.name(),
            record_type: head.question.record_type(),
            flags: head.flags,
            is_dnssec: head.is_dnssec,
            client: head.client,
            key: head.signing.as_ref().map(|signing| &signing.key),
            serial: soa_serial(message, outline),
        };
        let is_transfer = matches!(query.record_type, AXFR | IXFR);
        let handled = if head.op_code() == NOTIFY {
            count(&self.counters.notifications);
            self.handler.notify(&query)
        } else {
            self.handler.handle(&query)
        };
        let ready = match handled {
            Handled::Response(response) => Ready::Response(response),
            Handled::Later(deferred) => return Outcome::Later(head, deferred),
            // A zone is sent as a whole only on purpose.
            Handled::Zone(_) if is_transfer => Ready::Code(REFUSED),
            Handled::Zone(zone) if zone.contains(head.question.name()) => Ready::Zone(zone),
            Handled::Transfer(zone) if is_transfer && head.client.is_stream => {
                count(&self.counters.transfers);
                return Outcome::Transfer(head, Changes::whole(zone));
            }
            Handled::Changes(changes) if is_transfer && head.client.is_stream => {
                count(&self.counters.transfers);
                return Outcome::Transfer(head, changes);
            }
            Handled::Transfer(zone) if is_transfer => Ready::Version(zone),
            Handled::Changes(changes) if is_transfer => Ready::Version(changes.zone().clone()),
            Handled::Drop => {
                count(&self.counters.dropped);
                return Outcome::Nothing;
            }
            Handled::Pass | Handled::Zone(_) | Handled::Transfer(_) | Handled::Changes(_) => {
                Ready::Code(REFUSED)
            }
        };
        Outcome::Respond(head, ready)
    }

    /// Waits for an answer, and calls `done` with it, or with SERVFAIL when it fails or takes too long.
    pub(super) fn wait(
        self: &Rc<Self>,
        reactor: &Reactor,
        deferred: Deferred<Response>,
        done: impl FnOnce(&Self, &Reactor, Ready) + 'static,
    ) {
        if self.pending.get() >= self.config.pending_max {
            return done(self, reactor, Ready::Code(SERVFAIL));
        }
        self.pending.set(self.pending.get() + 1);
        let canceller = deferred.canceller();
        let timer = reactor.call_later(self.config.answer_timeout, move |_| canceller.cancel());
        let engine = Rc::clone(self);
        deferred.then(move |reactor, result| {
            timer.cancel();
            engine.pending.set(engine.pending.get() - 1);
            let ready = match result {
                Ok(response) => Ready::Response(Box::new(response)),
                Err(error) => {
                    tracing::debug!(%error, "a handler has failed to answer");
                    Ready::Code(SERVFAIL)
                }
            };
            done(&engine, reactor, ready);
        });
    }

    /// Makes the bytes of a response, over a stream with their length before them, and passes them to `send`, unless the rate limit
    /// drops them.
    pub(super) fn write(
        &self,
        reactor: &Reactor,
        head: &Head,
        ready: Ready,
        send: impl FnOnce(&[u8]),
    ) {
        let mut scratch = self.scratch.borrow_mut();
        let Scratch { out, names } = &mut *scratch;
        let (signs, base) = (head.signing.is_some(), if head.client.is_stream { 2 } else { 0 });
        out.clear();
        out.extend_from_slice(&[0, 0][..base]);
        let written = self.message(reactor, head, ready, out, names);
        if !signs && self.is_limited(reactor, head, &written, out, names) {
            return;
        }
        if signs && !sign(reactor, head, out, base) {
            count(&self.counters.dropped);
            return;
        }
        if head.client.is_stream {
            let len = u16::try_from(out.len() - base).unwrap_or(u16::MAX);
            out[..2].copy_from_slice(&len.to_be_bytes());
        }
        self.count_response(written.code, out.get(base + 2).is_some_and(|flags| flags & 2 != 0));
        send(out);
    }

    /// Appends the message without its signature.
    fn message(
        &self,
        reactor: &Reactor,
        head: &Head,
        ready: Ready,
        out: &mut Vec<u8>,
        names: &mut NameTable,
    ) -> Written {
        let (code, base) = (ready_code(&ready), out.len());
        let opt = |code| head.opt.map(|opt| opt.with_code(code));
        let flags = head.response_flags();
        match ready {
            Ready::Response(response) => {
                super::encode::response(head, *response, flags, opt(code), out, names);
            }
            ready => {
                let limit = head.limit.saturating_sub(head.reserved());
                let question = head.question.as_bytes();
                let mut writer = ResponseWriter::new(out, names, head.header(), question, limit);
                let (mut code, mut flags, mut source) = (code, flags, None);
                let mut of_zone = |zone: &Zone, record_type, writer: &mut ResponseWriter<'_>| {
                    let name = head.question.name();
                    let verdict = zone.respond(name, record_type, head.is_dnssec, writer);
                    code = verdict.code;
                    source = verdict.source.map(|source| self.hasher.hash_one(source));
                    flags |= if verdict.is_authoritative { 0x0400 } else { 0 };
                };
                match &ready {
                    Ready::Zone(zone) => {
                        of_zone(zone, head.question.record_type(), &mut writer);
                    }
                    Ready::Version(zone) => of_zone(zone, SOA, &mut writer),
                    _ => {}
                }
                let opt = opt(code);
                let bytes = opt.as_ref().map_or(&[][..], OptRecord::as_bytes);
                let refusal = match &ready {
                    Ready::BadSignature(refusal) => Some(refusal),
                    _ => None,
                };
                let room = head.limit.saturating_sub(writer.len() + bytes.len());
                let fitting = refusal.filter(|refusal| refusal.len() <= room);
                if refusal.is_some() && fitting.is_none() {
                    // Without the reason, which two long names do not leave room for.
                    writer.truncate();
                }
                writer.finish(flags | code & 15, bytes, u16::from(opt.is_some()));
                if let Some(refusal) = fitting {
                    refusal.append(out, base, head.id, unix_time(reactor));
                }
                return Written { code, source };
            }
        }
        Written { code, source: None }
    }

    /// Applies the rate limit: says whether nothing is sent, or replaces the response by one that says TC.
    fn is_limited(
        &self,
        reactor: &Reactor,
        head: &Head,
        written: &Written,
        out: &mut Vec<u8>,
        names: &mut NameTable,
    ) -> bool {
        let mut limit = self.rate_limit.borrow_mut();
        let (Some(limit), Some(addr), false) =
            (&mut *limit, head.client.addr, head.is_address_known)
        else {
            return false;
        };
        let question = &head.question;
        let source = match written.code {
            NOERROR => written.source.unwrap_or_else(|| {
                self.hasher.hash_one((question.lowered().as_bytes(), question.record_type()))
            }),
            // All errors are equal, also those of names that a flood makes up.
            _ => 0,
        };
        let network = RateLimit::network(addr.ip());
        let key = self.hasher.hash_one((network, written.code, source));
        match limit.count(key, reactor.age().as_secs()) {
            Rate::Send => false,
            Rate::Drop => {
                count(&self.counters.rate_dropped);
                true
            }
            Rate::Truncate => {
                count(&self.counters.rate_truncated);
                out.clear();
                let question = head.question.as_bytes();
                let mut writer =
                    ResponseWriter::new(out, names, head.header(), question, head.limit);
                writer.truncate();
                let opt = head.opt;
                let bytes = opt.as_ref().map_or(&[][..], OptRecord::as_bytes);
                writer.finish(head.response_flags(), bytes, u16::from(opt.is_some()));
                false
            }
        }
    }

    fn count_response(&self, code: u16, is_truncated: bool) {
        let counters = &self.counters;
        count(&counters.responses);
        match code {
            FORMERR => count(&counters.malformed),
            SERVFAIL => count(&counters.failed),
            NXDOMAIN => count(&counters.no_such_name),
            REFUSED => count(&counters.refused),
            _ => {}
        }
        if is_truncated {
            count(&counters.truncated);
        }
    }
}

fn ready_code(ready: &Ready) -> u16 {
    match ready {
        Ready::Code(code) => *code,
        Ready::BadSignature(_) => NOTAUTH,
        Ready::Response(response) => u16::from(response.code),
        Ready::Zone(_) | Ready::Version(_) => NOERROR,
    }
}

/// Replaces the message behind `base` by the same with a signature.
fn sign(reactor: &Reactor, head: &Head, out: &mut Vec<u8>, base: usize) -> bool {
    let Some(signing) = &head.signing else { return true };
    let signed = signing.key.sign(&out[base..], unix_time(reactor), Some(&signing.mac));
    match signed {
        Ok(signed) => {
            out.truncate(base);
            out.extend_from_slice(&signed.bytes);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "a response could not be signed");
            false
        }
    }
}

/// The serial number of the SOA record behind the question.
fn soa_serial(message: &[u8], outline: &Outline) -> Option<u32> {
    let counts = outline.header.counts;
    if counts[1] == 0 && counts[2] == 0 {
        return None;
    }
    let at = skip_name(message, outline.questions_end);
    let fixed = message.get(at..)?.first_chunk::<10>()?;
    if u16::from_be_bytes([fixed[0], fixed[1]]) != SOA {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    let data = at + 10;
    let numbers = skip_name(message, skip_name(message, data));
    let serial = message.get(numbers..data + len)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*serial))
}
