//! Tables of queries and responses, by the engine without sockets, and connections in memory.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use sinew_transports::{
    Factory, Peer, Protocol, Transport,
    reactor::{Failure, Reactor},
};

use super::{
    Acl, Chain, DnsServer, Handled, Overrides, OwnedQuery, Query, Response, ServerConfig,
    TransferAccess, Zones, answer_async, engine::Outcome, query::Client,
};
use crate::{
    codec::{
        Edns, Message, MessageLimits, MessageType, Name, OpCode, Query as Asked, RData, Record,
        RecordType, ResponseCode, decode, encode,
        tsig::{TsigAlgorithm, TsigKey},
    },
    zone::Zone,
};

mod hostile;

const TEXT: &str = "$TTL 60\n@ SOA ns root 7 1 1 1 30\n NS ns\nns A 192.0.2.1\nsub NS ns.sub\nns.sub A 192.0.2.2\n";

fn zone(text: &str) -> Zone {
    Zone::parse(text, &name("example.")).expect("it is a zone")
}

fn name(text: &str) -> Name {
    // `parse` makes lower case.
    Name::from_ascii(text).expect("it is a name")
}

fn zones() -> Zones {
    let zones = Zones::new();
    let many: String = (0..200).map(|at| format!("many A 192.0.2.{at}\n")).collect();
    zones.insert(zone(&format!("{TEXT}{many}")));
    zones
}

fn query(asked: &str, record_type: RecordType) -> Message {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.add_query(Asked::query(name(asked), record_type));
    message
}

fn with_edns(mut message: Message, payload: u16, is_dnssec: bool) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    edns.set_dnssec_ok(is_dnssec);
    message.set_edns(edns);
    message
}

fn bytes(message: &Message) -> Vec<u8> {
    encode(message, 65_535).expect("it fits")
}

/// One server and a client.
struct Bench {
    reactor: Reactor,
    server: DnsServer,
    client: SocketAddr,
}

impl Bench {
    fn new(server: DnsServer) -> Self {
        let client = "198.51.100.7:5353".parse().expect("an address");
        Self { reactor: Reactor::new().expect("a reactor"), server, client }
    }

    /// What a datagram is answered with; `None` if nothing is sent. Answers that are made later are waited for.
    fn udp(&self, message: &[u8]) -> Option<Vec<u8>> {
        let client = Client { addr: Some(self.client), is_stream: false };
        let sent = Rc::<RefCell<Option<Vec<u8>>>>::default();
        let of_write = sent.clone();
        match self.server.engine().receive(&self.reactor, message, client) {
            Outcome::Nothing | Outcome::Transfer(..) => {}
            Outcome::Respond(head, ready) => {
                self.server.engine().write(&self.reactor, &head, ready, |bytes| {
                    of_write.replace(Some(bytes.to_vec()));
                });
            }
            Outcome::Later(head, deferred) => {
                let (promise, done) = self.reactor.promise::<(), Failure>();
                self.server.engine().wait(
                    &self.reactor,
                    deferred,
                    move |engine, reactor, ready| {
                        engine.write(reactor, &head, ready, |bytes| {
                            of_write.replace(Some(bytes.to_vec()));
                        });
                        promise.resolve(());
                    },
                );
                let _ = self.reactor.run_until(done);
            }
        }
        sent.take()
    }

    fn ask(&self, message: &Message) -> Message {
        let bytes = self.udp(&bytes(message)).expect("an answer");
        decode(&bytes, &MessageLimits::response()).expect("a message")
    }

    fn code(&self, message: &[u8]) -> Option<u8> {
        self.udp(message).map(|bytes| bytes[3] & 15)
    }

    fn connect(&self) -> (super::DnsProtocol, Transport, sinew_transports::memory::Wire) {
        let mut server = self.server.clone();
        let mut connection =
            server.build_protocol(&Peer::Inet(self.client)).expect("it is accepted");
        let (transport, wire) = Transport::memory();
        connection.connection_made(&transport);
        (connection, transport, wire)
    }
}

#[test]
fn answer_to_an_answer_is_dropped() {
    let bench = Bench::new(DnsServer::new(zones()));
    let mut message = bytes(&query("ns.example.", RecordType::A));
    assert!(bench.udp(&message).is_some());
    message[2] |= 0x80;
    assert_eq!(bench.udp(&message), None);
    for len in 0..12 {
        assert_eq!(bench.udp(&message[..len]), None);
    }
    assert_eq!(bench.server.stats().dropped, 13);
}

#[test]
fn checks_of_queries_in_their_order() {
    let bench = Bench::new(DnsServer::new(zones()));
    let good = bytes(&query("ns.example.", RecordType::A));
    let changed = |at: usize, byte: u8| {
        let mut message = good.clone();
        message[at] = byte;
        message
    };
    let of_type = |record_type| bytes(&query("ns.example.", record_type));
    let cases = [
        (good.clone(), 0, "a good query"),
        (changed(2, 0x28), 4, "UPDATE"),
        (changed(2, 0x08), 4, "IQUERY"),
        (changed(5, 0), 1, "no question"),
        (changed(5, 2), 1, "two questions"),
        (changed(7, 1), 1, "an answer"),
        (changed(12, 0xc0), 1, "a pointer into the header"),
        (changed(12, 64), 1, "label_of_64"),
        (good[..good.len() - 1].to_vec(), 1, "cut"),
        (changed(good.len() - 1, 3), 5, "class CH"),
        (of_type(RecordType::AXFR), 1, "AXFR over UDP"),
        (of_type(RecordType::from(41)), 4, "OPT as a question"),
        (of_type(RecordType::from(253)), 4, "MAILB"),
        (bytes(&query("other.", RecordType::A)), 5, "another zone"),
        (bytes(&query("nothing.example.", RecordType::A)), 3, "no such name"),
        ([&good[..], &[0; 5000]].concat(), 1, "too long"),
    ];
    for (message, code, what) in cases {
        assert_eq!(bench.code(&message), Some(code), "{what}");
    }
    let answer = bench.ask(&query("NS.eXample.", RecordType::A));
    assert_eq!(answer.queries[0].name().to_ascii(), "NS.eXample.", "the case is repeated");
    assert!(answer.metadata.authoritative && !answer.metadata.recursion_available);
}

#[test]
fn edns() {
    let bench = Bench::new(DnsServer::new(zones()));
    let answer = bench.ask(&with_edns(query("ns.example.", RecordType::A), 4096, true));
    let edns = answer.edns.expect("EDNS is answered with EDNS");
    assert!(edns.max_payload() == 1232 && edns.flags().dnssec_ok);
    assert!(bench.ask(&query("ns.example.", RecordType::A)).edns.is_none());

    let mut edns = Edns::new();
    edns.set_version(1);
    let mut other_version = query("ns.example.", RecordType::A);
    other_version.set_edns(edns);
    let answer = bench.ask(&other_version);
    assert_eq!(u16::from(answer.metadata.response_code), 16);
    assert!(answer.answers.is_empty());

    let mut two = bytes(&with_edns(query("ns.example.", RecordType::A), 512, false));
    let opt = two[two.len() - 11..].to_vec();
    two.extend(opt);
    two[11] = 2;
    assert_eq!(bench.code(&two), Some(1), "two OPT records");
}

#[test]
fn opt_survives_truncation() {
    let bench = Bench::new(DnsServer::new(zones()));
    for payload in [0, 512, 700, 1232, 4096, 65_535] {
        let message = with_edns(query("many.example.", RecordType::A), payload, false);
        let raw = bench.udp(&bytes(&message)).expect("an answer");
        assert!(raw.len() <= usize::from(payload.clamp(512, 1232)), "{payload}");
        let answer = decode(&raw, &MessageLimits::response()).expect("a message");
        assert!(answer.metadata.truncation && answer.edns.is_some() && answer.answers.is_empty());
    }
    assert!(bench.ask(&query("many.example.", RecordType::A)).metadata.truncation);
}

#[test]
fn answers_from_code() {
    let code = |query: &Query<'_>| {
        if query.is(&name("one.test.")) {
            Some(Handled::from(Response::new().address(query.name(), 5, [192, 0, 2, 1])))
        } else if query.is_at_or_below(&name("gone.test.")) {
            Some(ResponseCode::NXDomain.into())
        } else if query.is(&name("silent.test.")) {
            Some(Handled::Drop)
        } else if query.is(&name("big.test.")) {
            let response = (0..100).fold(Response::new(), |response, at| {
                response.address(query.name(), 5, [192, 0, 2, at])
            });
            Some(response.into())
        } else {
            None
        }
    };
    let bench = Bench::new(DnsServer::new(Chain::new().then(code).then(zones())));
    let answer = bench.ask(&with_edns(query("ONE.test.", RecordType::A), 1232, false));
    assert_eq!(answer.answers.len(), 1);
    assert!(answer.metadata.authoritative && answer.edns.is_some());
    assert_eq!(answer.queries[0].name().to_ascii(), "ONE.test.");
    assert_eq!(bench.code(&bytes(&query("x.gone.test.", RecordType::A))), Some(3));
    assert_eq!(bench.code(&bytes(&query("other.test.", RecordType::A))), Some(5));
    assert_eq!(bench.code(&bytes(&query("ns.example.", RecordType::A))), Some(0));
    assert_eq!(bench.udp(&bytes(&query("silent.test.", RecordType::A))), None);
    let answer = bench.ask(&with_edns(query("big.test.", RecordType::A), 1232, false));
    assert!(answer.metadata.truncation && answer.answers.is_empty() && answer.edns.is_some());
}

/// Of types whose data are written with compression.
#[test]
fn data_from_code_that_have_no_name() {
    for kind in [7, 14, 15] {
        for data in [&[0xc0, 12][..], &[0, 1, 0xc0, 12], &[0, 0, 64], &[1; 300], &[0; 300]] {
            let data = crate::codec::rdata::NULL::with(data.to_vec());
            let data = RData::Unknown { code: RecordType::from(kind), rdata: data };
            let bench = Bench::new(DnsServer::new(move |query: &Query<'_>| {
                Response::new().answer(Record::from_rdata(query.name(), 1, data.clone()))
            }));
            let answer = bench.udp(&bytes(&query("a.", RecordType::from(kind))));
            assert_eq!(answer.map(|it| (it[3] & 15, it[7])), Some((0, 1)), "type {kind}");
        }
    }
}

/// What another server has compressed is passed on readable.
#[test]
fn data_from_another_server() {
    let data = b"\x02mx\xc0\x10\xc0\x0c";
    let theirs = crate::codec::tests::with_pointers(14, data);
    let theirs = decode(&theirs, &MessageLimits::response()).expect("a message");
    let records = theirs.answers.clone();
    let bench = Bench::new(DnsServer::new(move |_: &Query<'_>| {
        records.iter().cloned().fold(Response::new(), Response::answer)
    }));
    let ours = bench.ask(&query("other.", RecordType::from(14)));
    assert_eq!(ours.answers, theirs.answers);
}

#[test]
fn longest_names_from_code() {
    let bench = Bench::new(DnsServer::new(|query: &Query<'_>| {
        Response::new().address(query.name(), 1, [192, 0, 2, 1])
    }));
    // 127 labels of one byte, and labels as long as they may be; all bytes.
    let short = [[1, b'x'].repeat(127), vec![0]].concat();
    let long =
        [[vec![63], vec![0xff; 63]].concat().repeat(3), vec![61], vec![0; 61], vec![0]].concat();
    for wire in [short, long, vec![0]] {
        assert!(wire.len() <= 255);
        let head = [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        // With EDNS, since the codec does not compress names of so many labels.
        let opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0];
        let message = [&head[..], &wire, &[0, 1, 0, 1], &opt].concat();
        let answer = bench.udp(&message).expect("an answer");
        assert_eq!(answer[12..12 + wire.len()], wire);
        assert_eq!((answer[3] & 15, answer[7]), (0, 1), "{} bytes", wire.len());
    }
}

#[test]
fn answers_later() {
    let later = || {
        answer_async(|query: OwnedQuery| async move {
            match query.record_type {
                RecordType::A => query.reactor.sleep(Duration::from_millis(1)).await,
                RecordType::TXT => query.reactor.sleep(Duration::from_secs(3600)).await,
                _ => panic!("a handler that panics"),
            }
            Response::new().address(query.name, 1, [192, 0, 2, 1])
        })
    };
    let bench = Bench::new(DnsServer::new(later()));
    assert_eq!(bench.ask(&query("a.", RecordType::A)).answers.len(), 1);
    let config = ServerConfig::default().answer_timeout(Duration::from_millis(5));
    let bench = Bench::new(DnsServer::with_config(later(), config));
    for record_type in [RecordType::TXT, RecordType::MX] {
        let answer = bench.ask(&query("a.", record_type));
        assert_eq!(answer.metadata.response_code, ResponseCode::ServFail, "{record_type}");
    }
    let config = ServerConfig::default().pending_max(0);
    let bench = Bench::new(DnsServer::with_config(later(), config));
    let answer = bench.ask(&query("a.", RecordType::A));
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
}

#[test]
fn acl_refuses_or_drops() {
    let acl = Acl::nobody().allow("192.0.2.0/24".parse().expect("a subnet"));
    let config = ServerConfig::default().acl(acl);
    let message = bytes(&query("ns.example.", RecordType::A));
    let bench = Bench::new(DnsServer::with_config(zones(), config.clone()));
    assert_eq!(bench.code(&message), Some(5));
    let bench = Bench::new(DnsServer::with_config(zones(), config.drop_denied(true)));
    assert_eq!(bench.udp(&message), None);
}

#[test]
fn equal_answers_are_limited() {
    let config = ServerConfig::default().responses_per_second(3);
    let bench = Bench::new(DnsServer::with_config(zones(), config));
    let message = bytes(&query("ns.example.", RecordType::A));
    let kinds: Vec<_> = (0..7)
        .map(|_| match bench.udp(&message) {
            None => "dropped",
            Some(bytes) if bytes[2] & 2 != 0 => "tc",
            Some(_) => "sent",
        })
        .collect();
    // The second may change in between, which a fresh server makes unlikely, and harmless for the first three.
    assert_eq!(kinds[..4], ["sent", "sent", "sent", "tc"]);
    assert_eq!(kinds[4], "dropped");
    // A cookie proves the address.
    let mut first = bytes(&with_edns(query("ns.example.", RecordType::A), 1232, false));
    let len = first.len();
    first[len - 1] = 12;
    first.extend([0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    let bench = Bench::new(DnsServer::with_config(
        zones(),
        ServerConfig::default().responses_per_second(3),
    ));
    let answer = bench.udp(&first).expect("an answer");
    let cookie = &answer[answer.len() - 24..];
    assert_eq!(cookie[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
    let mut second = first[..len].to_vec();
    second[len - 1] = 28;
    second.extend([0, 10, 0, 24]);
    second.extend(cookie);
    for _ in 0..20 {
        let answer = bench.udp(&second).expect("an answer");
        assert_eq!(answer[2] & 2, 0);
    }
    assert_eq!(bench.server.stats().valid_cookies, 20);
    // A cookie of an impossible length.
    first[len - 1] = 11;
    first.pop();
    first[len + 3] = 7;
    assert_eq!(bench.code(&first), Some(1));
}

/// Names that a flood makes up below a wildcard, a delegation or a DNAME, and types that a name does not have, give equal answers.
#[test]
fn made_up_names_are_limited() {
    let text = format!("{TEXT}*.wild A 192.0.2.3\n*.alias CNAME ns\ndown DNAME sub\n");
    let below = |above: &str, at: u16| query(&format!("x{at}.{above}.example."), RecordType::A);
    let kinds: [(&str, &dyn Fn(u16) -> Message); 6] = [
        ("wildcard", &|at| below("wild", at)),
        ("CNAME of a wildcard", &|at| below("alias", at)),
        ("delegation", &|at| below("sub", at)),
        ("DNAME", &|at| below("down", at)),
        ("types of a wildcard", &|at| query(&format!("x{at}.wild.example."), (at + 1000).into())),
        ("types of a name", &|at| query("ns.example.", (at + 1000).into())),
    ];
    for (what, ask) in kinds {
        let zones = Zones::new();
        zones.insert(zone(&text));
        let config = ServerConfig::default().responses_per_second(3);
        let bench = Bench::new(DnsServer::with_config(zones, config));
        let sent =
            (0..40).filter(|at| bench.udp(&bytes(&ask(*at))).is_some_and(|it| it[2] & 2 == 0));
        // Three in a second, however many of them this takes.
        assert!(sent.count() < 40, "{what}");
    }
    // Names that exist are counted each.
    let many: String = (0..40).map(|at| format!("x{at} A 192.0.2.4\n")).collect();
    let zones = Zones::new();
    zones.insert(zone(&format!("{TEXT}{many}")));
    let config = ServerConfig::default().responses_per_second(3);
    let bench = Bench::new(DnsServer::with_config(zones, config));
    let ask = |at| query(&format!("x{at}.example."), RecordType::A);
    assert!((0..40).all(|at| bench.udp(&bytes(&ask(at))).is_some_and(|it| it[2] & 2 == 0)));
}

#[test]
fn signed_queries() {
    let key = |secret: &str| TsigKey::new(name("key."), TsigAlgorithm::HmacSha256, secret);
    let config = ServerConfig::default().key(key("secret"));
    let bench = Bench::new(DnsServer::with_config(
        |query: &Query<'_>| {
            assert_eq!(query.key().map(Name::to_ascii).as_deref(), Some("key."));
            ResponseCode::NoError
        },
        config,
    ));
    let now = super::unix_time::unix_time(&bench.reactor);
    let message = bytes(&query("a.", RecordType::A));
    let signed = key("secret").sign(&message, now, None).expect("signed");
    let answer = bench.udp(&signed.bytes).expect("an answer");
    assert!(key("secret").verify(&answer, Some(&signed.mac), now).is_ok());
    let cases = [
        (key("wrong").sign(&message, now, None), 16),
        (key("secret").sign(&message, now - 1000, None), 18),
        (TsigKey::new(name("no."), TsigAlgorithm::HmacSha256, "x").sign(&message, now, None), 17),
    ];
    for (signed, error) in cases {
        let signed = signed.expect("signed");
        let answer = bench.udp(&signed.bytes).expect("an answer");
        assert_eq!(answer[3] & 15, 9, "NOTAUTH");
        let refused = key("secret").verify(&answer, Some(&signed.mac), now);
        let is_refused =
            matches!(refused, Err(crate::codec::tsig::TsigError::Refused(it)) if it == error);
        assert!(is_refused, "{error}: {refused:?}");
    }
}

/// A refusal repeats the names of the key and the algorithm, as long as it fits into a datagram.
#[test]
fn refusals_of_signatures_fit() {
    let long = |len: u8| {
        [[vec![63], vec![b'k'; 63]].concat().repeat(3), vec![len], vec![b'k'; len.into()], vec![0]]
            .concat()
    };
    let config = ServerConfig::default().responses_per_second(None);
    let bench = Bench::new(DnsServer::with_config(zones(), config));
    let (mut whole, mut cut) = (0, 0);
    for len in 1..=61 {
        let mut message = bytes(&query("a.", RecordType::A));
        message[11] = 1;
        message.extend([long(len), vec![0, 250, 0, 255, 0, 0, 0, 0]].concat());
        let data = [long(len), vec![0; 8], vec![0; 2], vec![0; 6]].concat();
        message.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
        message.extend(data);
        let answer = bench.udp(&message).expect("an answer");
        assert!(answer.len() <= 512, "{} bytes", answer.len());
        assert_eq!(answer[3] & 15, 9, "NOTAUTH");
        let is_cut = answer[2] & 2 != 0;
        assert_eq!(answer[11], u8::from(!is_cut));
        *(if is_cut { &mut cut } else { &mut whole }) += 1;
    }
    assert!(whole > 0 && cut > 0, "{whole} {cut}");
}

/// A signature without data, and behind the message a pointer to itself.
#[test]
fn signature_without_data() {
    let bench = Bench::new(DnsServer::new(zones()));
    assert_eq!(bench.code(&crate::codec::tests::EMPTY_SIGNATURE), Some(1));
}

fn frame(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).expect("short").to_be_bytes(), message].concat()
}

fn frames(mut sent: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some((len, rest)) = sent.split_first_chunk::<2>() {
        let (message, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)));
        messages.push(decode(message, &MessageLimits::response()).expect("a message"));
        sent = rest;
    }
    messages
}

#[test]
fn one_byte_tcp_pieces() {
    let bench = Bench::new(DnsServer::new(zones()));
    let first = frame(&bytes(&query("ns.example.", RecordType::A)));
    let both = [first.clone(), frame(&bytes(&query("many.example.", RecordType::A)))].concat();
    for at in 0..=both.len() {
        let (mut connection, transport, wire) = bench.connect();
        connection.data_received(&transport, &both[..at]);
        connection.data_received(&transport, &both[at..]);
        let answers = frames(&wire.sent());
        assert_eq!(answers.iter().map(|it| it.answers.len()).collect::<Vec<_>>(), [1, 200]);
    }
    let (mut connection, transport, wire) = bench.connect();
    for byte in &both {
        connection.data_received(&transport, &[*byte]);
    }
    assert_eq!(frames(&wire.sent()).len(), 2);
}

#[test]
fn reload_without_a_gap() {
    let zones = zones();
    let bench = Bench::new(DnsServer::new(zones.clone()));
    let serial = || match &bench.ask(&query("example.", RecordType::SOA)).answers[0].data {
        crate::codec::RData::SOA(soa) => soa.serial,
        data => panic!("{data}"),
    };
    assert_eq!(serial(), 7);
    let old = zones.insert(zone(&TEXT.replace(" 7 ", " 8 ")));
    assert_eq!((serial(), old.map(|zone| zone.serial())), (8, Some(7)));
    assert!(zones.remove(&name("EXAMPLE.")).is_some());
    assert_eq!(bench.code(&bytes(&query("example.", RecordType::SOA))), Some(5));
}

#[test]
fn longest_zone_answers() {
    let zones = zones();
    let below = "$TTL 60\n@ SOA ns root 9 1 1 1 30\nx TXT below\n";
    zones.insert(Zone::parse(below, &name("sub.example.")).expect("a zone"));
    let bench = Bench::new(DnsServer::new(zones));
    assert_eq!(bench.ask(&query("x.sub.example.", RecordType::TXT)).answers.len(), 1);
    let answer = bench.ask(&query("sub.example.", RecordType::DS));
    assert_eq!(answer.authorities[0].name, name("example."), "DS is asked above");
}

#[test]
fn overrides_before_zones() {
    let overrides = Overrides::new();
    let unread = overrides
        .add_hosts("# comment\n192.0.2.9 host.example. h\n0.0.0.0 ads.example.\nalone.example # by itself\nbad line\n");
    assert_eq!((unread, overrides.len()), (1, 4));
    let bench = Bench::new(DnsServer::new(Chain::new().then(overrides.clone()).then(zones())));
    assert_eq!(bench.ask(&query("HOST.example.", RecordType::A)).answers.len(), 1);
    assert_eq!(bench.ask(&query("host.example.", RecordType::AAAA)).answers.len(), 0);
    assert_eq!(bench.code(&bytes(&query("x.ads.example.", RecordType::A))), Some(3));
    assert_eq!(bench.code(&bytes(&query("x.alone.example.", RecordType::A))), Some(3));
    overrides.remove(&name("ads.example."));
    assert_eq!(bench.code(&bytes(&query("ns.example.", RecordType::A))), Some(0));
}

#[test]
fn transfers_are_refused_by_default() {
    let zones = zones();
    let bench = Bench::new(DnsServer::new(zones.clone()));
    let transfer = |record_type| {
        let (mut connection, transport, wire) = bench.connect();
        connection.data_received(&transport, &frame(&bytes(&query("example.", record_type))));
        frames(&wire.sent())
    };
    assert_eq!(transfer(RecordType::AXFR)[0].metadata.response_code, ResponseCode::Refused);
    zones.allow_transfers(TransferAccess::new(Acl::everybody()).key(name("key.")));
    assert_eq!(transfer(RecordType::AXFR)[0].metadata.response_code, ResponseCode::Refused);
    zones.allow_transfers(TransferAccess::new(Acl::everybody()));
    assert_ne!(
        transfer(RecordType::AXFR).first().map(|it| it.metadata.response_code),
        Some(ResponseCode::Refused)
    );
}

#[test]
fn connections_of_one_address_are_counted() {
    let config = ServerConfig::default().connections_per_address_max(2);
    let bench = Bench::new(DnsServer::with_config(zones(), config));
    let mut server = bench.server.clone();
    let mut connect = || server.build_protocol(&Peer::Inet(bench.client));
    let (first, _second) = (connect(), connect());
    assert!(first.is_some() && connect().is_none());
    drop(first);
    assert!(connect().is_some());
}

#[test]
fn handlers_of_shared_zones() {
    let shared = Arc::new(zone(TEXT));
    let bench = Bench::new(DnsServer::new(move |query: &Query<'_>| {
        query.is_at_or_below(&name("example.")).then(|| Handled::Zone(shared.clone()))
    }));
    assert_eq!(bench.code(&bytes(&query("ns.example.", RecordType::A))), Some(0));
    // A zone that does not hold the name is not asked.
    let other = Arc::new(zone(TEXT));
    let bench = Bench::new(DnsServer::new(move |_: &Query<'_>| Handled::Zone(other.clone())));
    assert_eq!(bench.code(&bytes(&query("other.", RecordType::A))), Some(5));
}
