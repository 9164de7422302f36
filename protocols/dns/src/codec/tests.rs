//! The codec against hostile bytes, by the checklist of RFC 9267; responses that are not those to a query; truncation; signatures.

use std::{net::Ipv4Addr, time::Instant};

use proptest::prelude::*;

use super::{tsig::*, *};

/// A header with these counts.
fn header(counts: [u16; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 7, 0x80, 0];
    counts.iter().for_each(|count| bytes.extend(count.to_be_bytes()));
    bytes
}

/// A response whose only question has this name on the wire.
fn question_of(name: &[u8]) -> Vec<u8> {
    [&header([1, 0, 0, 0]), name, &[0, 1, 0, 1]].concat()
}

fn response(bytes: &[u8]) -> Result<Message, MessageError> {
    decode(bytes, &MessageLimits::response())
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn a(owner: &str, last: u8) -> Record {
    Record::from_rdata(name(owner), 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
}

#[test]
fn pointer_to_itself() {
    let error = response(&question_of(&[0xc0, 12])).unwrap_err();
    assert_eq!(error, MessageError::PointerForward { at: 12, to: 12 });
    // A label, and a pointer to it.
    let error = response(&question_of(b"\x01a\xc0\x0c")).unwrap_err();
    assert_eq!(error, MessageError::PointerForward { at: 14, to: 12 });
}

#[test]
fn pointer_forward() {
    let error = response(&question_of(&[0xc0, 14, 0])).unwrap_err();
    assert_eq!(error, MessageError::PointerForward { at: 12, to: 14 });
    // Into the header, whose bytes an attacker chooses as well.
    let error = response(&question_of(&[0xc0, 4])).unwrap_err();
    assert_eq!(error, MessageError::PointerForward { at: 12, to: 4 });
}

/// A query whose signature has no data; behind it stands a pointer to itself, where the name of the algorithm is expected.
pub(crate) const EMPTY_SIGNATURE: [u8; 30] = [
    0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0,
    0xc0, 28,
];

#[test]
fn empty_data_where_a_name_must_be() {
    let no_data = Err(MessageError::DataLength { at: 17 });
    assert_eq!(inspect_query(&EMPTY_SIGNATURE).map(drop), no_data);
    assert_eq!(key_name(&EMPTY_SIGNATURE).map(drop), no_data);
    assert!(matches!(key().verify(&EMPTY_SIGNATURE, None, 0), Err(TsigError::Message(_))));
    let mut verifier = TsigVerifier::new(key(), vec![0; 32]);
    assert!(matches!(verifier.verify(&EMPTY_SIGNATURE, 0), Err(TsigError::Message(_))));
    // Of the class IN, CNAME, SOA, SRV and NAPTR; of ANY and NONE, an update says by them what is deleted.
    for kind in [5, 6, 33, 35] {
        for (class, is_valid) in [(1, false), (254, true), (255, true)] {
            let record = [0, 0, kind, 0, class, 0, 0, 0, 0, 0, 0];
            let bytes = [&header([0, 1, 0, 0])[..], &record].concat();
            let inspected = inspect(&bytes, &MessageLimits::response());
            assert_eq!(inspected.is_ok(), is_valid, "type {kind}, class {class}");
        }
    }
}

#[test]
fn expanding_a_name_ends() {
    let expand = |message: &[u8], at| {
        let mut name = Vec::new();
        expand_name(message, at, &mut name).map(|end| (name, end))
    };
    assert_eq!(expand(b"\x01a\0\x01b\xc0\0", 3), Some((b"\x01b\x01a\0".to_vec(), 7)));
    for message in [
        &b"\xc0\0"[..],
        b"\x01a\xc0\0",
        b"\x01a",
        b"\x02a\0",
        b"\xc0",
        b"\x40\0",
        b"\xc0\x02\0",
        b"",
    ] {
        assert_eq!(expand(message, 0), None, "{message:?}");
    }
    // A label with a pointer to it, entered behind it.
    assert_eq!(expand(b"\x01a\xc0\0", 2), None);
    assert_eq!(expand(&[b"\x01a".repeat(128), vec![0]].concat(), 0), None);
}

#[test]
fn chain_of_8000() {
    let begun = Instant::now();
    // One record without meaning holds a chain of pointers; the owners of the next ones enter at its end.
    let mut bytes = header([0, 1000, 0, 0]);
    let chain = 12 + 1 + 10;
    bytes.extend([0, 0xff, 0xf0, 0, 1, 0, 0, 0, 0]);
    bytes.extend(16_001_u16.to_be_bytes());
    bytes.push(0);
    for at in 0..8000_u16 {
        let to = if at == 0 { chain } else { chain + 1 + 2 * (at - 1) };
        bytes.extend((0xc000 | to).to_be_bytes());
    }
    for _ in 1..1000 {
        bytes.extend((0xc000 | (chain + 1 + 2 * 7999)).to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
    }
    let error = response(&bytes).unwrap_err();
    assert!(matches!(error, MessageError::TooManyPointers { max: 128, .. }), "{error}");
    // A hundred thousand times the usual; it takes microseconds.
    assert!(begun.elapsed().as_secs() < 5);
}

/// Each name has few pointers, but there are many names.
#[test]
fn pointers_of_all_names_are_counted() {
    let mut bytes = question_of(b"\0");
    bytes[4..8].copy_from_slice(&[0, 1, 0, 200]);
    bytes.truncate(12 + 5);
    for _ in 0..200 {
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
    }
    assert_eq!(response(&bytes).unwrap().answers.len(), 200);
    let limits = MessageLimits::response().pointers_of_message_max(199);
    let error = decode(&bytes, &limits).unwrap_err();
    assert!(matches!(error, MessageError::TooManyPointers { max: 199, .. }), "{error}");
}

#[test]
fn label_of_64() {
    let label = |len: u8| [&[len][..], &vec![b'a'; usize::from(len)], &[0]].concat();
    assert_eq!(response(&question_of(&label(63))).unwrap().queries[0].name().num_labels(), 1);
    let error = response(&question_of(&label(64))).unwrap_err();
    assert_eq!(error, MessageError::LabelKind { at: 12, kind: 64 });
    let error = response(&question_of(&label(0x80))).unwrap_err();
    assert_eq!(error, MessageError::LabelKind { at: 12, kind: 0x80 });
}

#[test]
fn name_of_256() {
    let label = [&[62][..], &[b'a'; 62]].concat();
    let four = label.repeat(4);
    // 4 · 63 bytes, a label of one byte, and the root: 255.
    let longest = [&four[..], b"\x01b\0"].concat();
    assert_eq!(longest.len(), 255);
    assert!(inspect(&question_of(&longest), &MessageLimits::response()).is_ok());
    let longer = [&four[..], b"\x02bb\0"].concat();
    let error = response(&question_of(&longer)).unwrap_err();
    assert_eq!(error, MessageError::NameTooLong { at: 12 });
    // The same by a pointer.
    let mut bytes = question_of(&[&four[..], &[0]].concat());
    bytes[7] = 1;
    bytes.extend([&b"\x02bb\xc0\x0c"[..], &[0, 1, 0, 1, 0, 0, 0, 0, 0, 0]].concat());
    let error = response(&bytes).unwrap_err();
    assert!(matches!(error, MessageError::NameTooLong { .. }), "{error}");
}

#[test]
fn rdlength_past_end() {
    let record = |kind: u8, len: u8, data: &[u8]| {
        [&header([0, 1, 0, 0])[..], &[0, 0, kind, 0, 1, 0, 0, 0, 0, 0, len], data].concat()
    };
    assert!(response(&record(1, 4, &[1, 2, 3, 4])).is_ok());
    let error = response(&record(1, 5, &[1, 2, 3, 4])).unwrap_err();
    assert_eq!(error, MessageError::Truncated { what: "a record", at: 12 });
    // The name of a CNAME ends behind the data, and before their end.
    let error = response(&record(5, 1, b"\x01a\0")).unwrap_err();
    assert_eq!(error, MessageError::DataLength { at: 12 });
    assert!(matches!(response(&record(5, 4, b"\x01a\0z")), Err(MessageError::Content(_))));
    // SRV and NAPTR without a name; TXT whose text is longer than the data.
    assert!(response(&record(33, 6, &[0; 6])).is_err());
    assert!(response(&record(35, 7, &[0; 7])).is_err());
    assert!(response(&record(35, 5, &[0, 0, 0, 0, 200])).is_err());
    assert!(response(&record(16, 2, &[5, b'a'])).is_err());
    // The header of a record that is cut.
    for len in 0..10 {
        let bytes = record(1, 4, &[1, 2, 3, 4]);
        assert!(response(&bytes[..12 + len]).is_err(), "{len}");
    }
}

#[test]
fn counts_of_a_query() {
    let query = Question::new(name("a.example."), RecordType::A);
    let sent = query.encode(&QuerySettings::new(1)).unwrap();
    assert!(inspect_query(sent.bytes()).is_ok());
    for (at, count) in [(5, 0), (5, 2), (7, 1), (9, 2), (11, 3)] {
        let mut bytes = sent.bytes().to_vec();
        bytes[at] = count;
        let error = inspect_query(&bytes).unwrap_err();
        assert!(matches!(error, MessageError::Count { .. }), "{error}");
    }
    let long = [sent.bytes(), &[0; 4096]].concat();
    assert!(matches!(inspect_query(&long), Err(MessageError::TooLong { max: 4096, .. })));
}

#[test]
fn answer_to_an_answer_is_dropped() {
    let mut bytes = Question::new(name("a."), RecordType::A)
        .encode(&QuerySettings::new(1))
        .unwrap()
        .bytes()
        .to_vec();
    assert!(is_query(&bytes));
    bytes[2] |= 0x80;
    assert!(!is_query(&bytes));
    assert!(!is_query(&bytes[..11]));
}

#[test]
fn what_is_asked_has_one_question() {
    let mut message = Message::new(1, MessageType::Query, OpCode::Notify);
    assert!(SentQuery::from_message(&message).is_err());
    message.add_query(Query::query(name("example."), RecordType::SOA));
    let sent = SentQuery::from_message(&message).unwrap();
    let mut response = message.clone().into_response();
    response.metadata.message_type = MessageType::Response;
    assert!(matches!(check(&sent, &response), Ok(Checked::Whole(_))));
    message.add_query(Query::query(name("example."), RecordType::A));
    assert!(SentQuery::from_message(&message).is_err());
}

/// A query, and a response to it.
fn asked() -> (SentQuery, Message) {
    let question = Question::new(name("www.example.org."), RecordType::A);
    let sent = question.encode(&QuerySettings::new(0x1234)).unwrap();
    let query = decode(sent.bytes(), &MessageLimits::query()).unwrap();
    assert_eq!(query.edns.as_ref().unwrap().max_payload(), 1232);
    let mut message = Message::response(0x1234, OpCode::Query);
    message.add_queries(query.queries);
    message.add_answer(a("www.example.org.", 1));
    (sent, message)
}

fn check(sent: &SentQuery, message: &Message) -> Result<Checked, Mismatch> {
    sent.check(&encode(message, MESSAGE_LEN_MAX).unwrap(), &MessageLimits::response())
}

#[test]
fn wrong_id() {
    let (sent, mut message) = asked();
    assert!(matches!(check(&sent, &message), Ok(Checked::Whole(_))));
    message.metadata.id ^= 1;
    assert_eq!(check(&sent, &message), Err(Mismatch::Id));
}

#[test]
fn wrong_question() {
    let (sent, message) = asked();
    let change = |change: fn(&mut Query) -> &mut Query| {
        let mut message = message.clone();
        change(&mut message.queries[0]);
        check(&sent, &message)
    };
    assert!(change(|query| query.set_name(name("WWW.EXAMPLE.org."))).is_ok());
    let wrong = Err(Mismatch::Question);
    assert_eq!(change(|query| query.set_name(name("www.example.net."))), wrong);
    assert_eq!(change(|query| query.set_name(name("example.org."))), wrong);
    assert_eq!(change(|query| query.set_query_type(RecordType::AAAA)), wrong);
    assert_eq!(change(|query| query.set_query_class(DNSClass::CH)), wrong);
    // Two questions, or none.
    let mut two = message.clone();
    two.queries.push(two.queries[0].clone());
    assert_eq!(check(&sent, &two), wrong);
    let mut none = message.clone();
    none.queries.clear();
    assert_eq!(check(&sent, &none), wrong);
    // Old servers answer so to EDNS.
    none.answers.clear();
    none.metadata.response_code = ResponseCode::FormErr;
    assert!(matches!(check(&sent, &none), Ok(Checked::Whole(_))));
}

#[test]
fn queries_and_other_operations_are_no_responses() {
    let (sent, mut message) = asked();
    message.metadata.op_code = OpCode::Notify;
    assert_eq!(check(&sent, &message), Err(Mismatch::OpCode));
    message.metadata.message_type = MessageType::Query;
    assert_eq!(check(&sent, &message), Err(Mismatch::NotAResponse));
    assert!(matches!(
        sent.check(b"short", &MessageLimits::response()),
        Err(Mismatch::Undecodable(_))
    ));
}

#[test]
fn the_case_of_the_name_is_repeated_or_not() {
    let question = Question::new(name("www.example.org."), RecordType::A);
    let settings = QuerySettings::new(0x1234).case_bits(0b1011_0010_1101_0111_0001);
    let sent = question.encode(&settings).unwrap();
    let asked = decode(sent.bytes(), &MessageLimits::query()).unwrap();
    assert_ne!(asked.queries[0].name().to_ascii(), "www.example.org.");
    assert_eq!(asked.queries[0].name(), &name("www.example.org."));
    let mut message = Message::response(0x1234, OpCode::Query);
    message.add_queries(asked.queries);
    assert!(matches!(check(&sent, &message), Ok(Checked::Whole(_))));
    message.queries[0].set_name(name("www.example.org."));
    assert_eq!(check(&sent, &message), Err(Mismatch::Question));
}

#[test]
fn cookies() {
    let question = Question::new(name("www.example.org."), RecordType::A);
    let sent = question.encode(&QuerySettings::new(0x1234).cookie(vec![1; 8])).unwrap();
    let (_, mut message) = asked();
    let with = |message: &mut Message, cookie: Vec<u8>| {
        let mut edns = Edns::new();
        edns.options_mut().insert(rdata::opt::EdnsOption::Unknown(10, cookie));
        message.set_edns(edns);
    };
    assert!(matches!(check(&sent, &message), Ok(Checked::Whole(_))));
    with(&mut message, vec![1; 16]);
    assert!(matches!(check(&sent, &message), Ok(Checked::Whole(_))));
    assert_eq!(cookie(&message), Some(&[1; 16][..]));
    with(&mut message, vec![2; 16]);
    assert_eq!(check(&sent, &message), Err(Mismatch::Cookie));
}

#[test]
fn a_truncated_response_is_not_decoded() {
    let (sent, mut message) = asked();
    message.metadata.truncation = true;
    let bytes = encode(&message, MESSAGE_LEN_MAX).unwrap();
    for len in sent.question_end..bytes.len() {
        let checked = sent.check(&bytes[..len], &MessageLimits::response());
        assert_eq!(checked, Ok(Checked::Truncated), "{len}");
    }
}

#[test]
fn rrset_whole_or_tc() {
    let (_, mut message) = asked();
    message.answers = (0..100).map(|last| a("www.example.org.", last)).collect();
    let whole = encode_within(message.clone(), 4096).unwrap();
    assert_eq!(response(&whole).unwrap().answers.len(), 100);
    let cut = response(&encode_within(message.clone(), 1232).unwrap()).unwrap();
    assert!(cut.metadata.truncation && cut.answers.is_empty(), "{cut}");
    // The set that fits stays.
    message.answers.insert(0, a("first.example.org.", 1));
    let cut = response(&encode_within(message, 1232).unwrap()).unwrap();
    assert!(cut.metadata.truncation);
    assert_eq!(cut.answers, [a("first.example.org.", 1)]);
}

#[test]
fn additional_records_are_left_out_without_tc() {
    let (_, mut message) = asked();
    message.additionals = (0..100).map(|last| a("ns.example.org.", last)).collect();
    let cut = response(&encode_within(message, 512).unwrap()).unwrap();
    assert!(!cut.metadata.truncation && cut.additionals.is_empty());
    assert_eq!(cut.answers.len(), 1);
}

/// Sets whose records stand in turns go as a whole, too.
#[test]
fn sets_in_turns_are_left_out_as_a_whole() {
    let (_, mut message) = asked();
    let owners = ["one.example.org.", "TWO.example.org.", "two.example.org."];
    message.additionals = (0..60).map(|at| a(owners[usize::from(at) % 3], at)).collect();
    let cut = response(&encode_within(message, 512).unwrap()).unwrap();
    let of_one = (0..60).step_by(3).map(|at| a(owners[0], at));
    assert_eq!(cut.additionals, of_one.collect::<Vec<_>>());
}

#[test]
fn opt_survives_truncation() {
    let (_, mut message) = asked();
    message.answers = (0..100).map(|last| a("www.example.org.", last)).collect();
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    let bytes = encode_within(message, 512).unwrap();
    let cut = response(&bytes).unwrap();
    assert!(cut.metadata.truncation && bytes.len() <= 512);
    assert_eq!(cut.edns.unwrap().max_payload(), 1232);
}

#[test]
fn unknown_type_round_trip() {
    let (_, mut message) = asked();
    let data = rdata::NULL::with(vec![0, 1, 2, 0xc0, 12, 255]);
    let unknown = RData::Unknown { code: RecordType::Unknown(65_280), rdata: data };
    message.answers = vec![Record::from_rdata(name("www.example.org."), 60, unknown)];
    let bytes = encode(&message, MESSAGE_LEN_MAX).unwrap();
    assert_eq!(response(&bytes).unwrap().answers, message.answers);
}

/// A message with the question `www.example.org.` and one answer of this type, whose owner and data may point to the question.
pub(crate) fn with_pointers(kind: u8, data: &[u8]) -> Vec<u8> {
    let (sent, mut message) = asked();
    message.answers.clear();
    let mut bytes = encode(&message, MESSAGE_LEN_MAX).unwrap();
    assert_eq!(bytes.len(), sent.question_end);
    bytes[7] = 1;
    let len = u8::try_from(data.len()).unwrap();
    [&bytes[..], &[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, len], data].concat()
}

/// hickory-proto keeps the data of these types as they are.
#[test]
fn no_pointers_in_decoded_data() {
    let (to_question, whole) = (&[0xc0, 12][..], &b"\x03www\x07example\x03org\0"[..]);
    let (mail, behind) = (&b"\x02mx\xc0\x10"[..], &b"\x02mx\x07example\x03org\0"[..]);
    let signed = [7; 18];
    // MB, MINFO, RP, AFSDB, RT, NSAP-PTR, PX, KX, DNAME, RRSIG, NSEC
    type Parts<'a> = &'a [&'a [u8]];
    let cases: [(u8, Parts<'_>, Parts<'_>); 11] = [
        (7, &[mail], &[behind]),
        (14, &[to_question, mail], &[whole, behind]),
        (17, &[b"\0", to_question], &[b"\0", whole]),
        (18, &[&[0, 1], mail], &[&[0, 1], behind]),
        (21, &[&[0, 1], to_question], &[&[0, 1], whole]),
        (23, &[to_question], &[whole]),
        (26, &[&[0, 1], mail, to_question], &[&[0, 1], behind, whole]),
        (36, &[&[0, 1], to_question], &[&[0, 1], whole]),
        (39, &[mail], &[behind]),
        (46, &[&signed, to_question, b"hash"], &[&signed, whole, b"hash"]),
        (47, &[to_question, &[0, 1, 0x40]], &[whole, &[0, 1, 0x40]]),
    ];
    for (kind, data, expanded) in cases {
        for data in [data, expanded] {
            let decoded = response(&with_pointers(kind, &data.concat())).unwrap();
            let RData::Unknown { rdata, .. } = &decoded.answers[0].data else {
                panic!("{decoded}")
            };
            assert_eq!(rdata.anything, expanded.concat(), "type {kind}");
        }
    }
}

#[test]
fn a_message_that_does_not_fit_is_an_error() {
    let (_, message) = asked();
    assert_eq!(encode(&message, 40), Err(EncodeError::TooLong { max: 40 }));
    assert_eq!(encode(&message, 13), Err(EncodeError::TooLong { max: 13 }));
}

fn key() -> TsigKey {
    TsigKey::from_base64("Key.Example", TsigAlgorithm::HmacSha256, "bG9uZyBhbmQgc2VjcmV0").unwrap()
}

#[test]
fn signed_messages() {
    let (sent, message) = asked();
    for algorithm in [
        TsigAlgorithm::HmacSha1,
        TsigAlgorithm::HmacSha256,
        TsigAlgorithm::HmacSha384,
        TsigAlgorithm::HmacSha512,
    ] {
        let key = TsigKey::new(name("key.example."), algorithm, b"secret");
        let query = key.sign(sent.bytes(), 1_700_000_000, None).unwrap();
        assert_eq!(key_name(&query.bytes).unwrap(), Some(name("key.example.")));
        let mac = key.verify(&query.bytes, None, 1_700_000_300).unwrap();
        assert_eq!(mac, query.mac);
        // A forwarder has changed the identifier.
        let mut forwarded = query.bytes.clone();
        forwarded[0] ^= 1;
        assert!(key.verify(&forwarded, None, 1_700_000_000).is_ok());
        let response = encode(&message, MESSAGE_LEN_MAX).unwrap();
        let response = key.sign(&response, 1_700_000_000, Some(&mac)).unwrap();
        assert!(key.verify(&response.bytes, Some(&mac), 1_700_000_000).is_ok());
        let wrong = key.verify(&response.bytes, None, 1_700_000_000);
        assert_eq!(wrong, Err(TsigError::BadSignature));
        // The response is still one, with the signature among its records.
        assert!(decode(&response.bytes, &MessageLimits::response()).is_ok());
    }
}

#[test]
fn wrong_signatures() {
    let (sent, _) = asked();
    let signed = key().sign(sent.bytes(), 1000, None).unwrap();
    // Any byte that is changed. The identifier is in the signature a second time.
    for at in 2..signed.bytes.len() {
        let mut bytes = signed.bytes.clone();
        bytes[at] ^= 1;
        assert!(key().verify(&bytes, None, 1000).is_err(), "byte {at}");
    }
    assert_eq!(key().verify(sent.bytes(), None, 1000), Err(TsigError::Missing));
    let other = TsigKey::new(name("other."), TsigAlgorithm::HmacSha256, b"secret");
    assert_eq!(other.verify(&signed.bytes, None, 1000), Err(TsigError::WrongKey));
    let late = key().verify(&signed.bytes, None, 1301);
    assert_eq!(late, Err(TsigError::BadTime { signed: 1000, now: 1301, fudge: 300 }));
    let debug = format!("{:?}", TsigKey::new(name("k."), TsigAlgorithm::HmacSha1, b"hush"));
    assert!(!debug.contains("hush") && !debug.contains("104"), "{debug}");
    assert!(TsigKey::from_base64("k.", TsigAlgorithm::HmacSha1, "no base64!").is_err());
}

#[test]
fn transfers_are_verified_as_a_whole() {
    let (sent, message) = asked();
    let query = key().sign(sent.bytes(), 1000, None).unwrap();
    let plain = encode(&message, MESSAGE_LEN_MAX).unwrap();
    let first = key().sign(&plain, 1000, Some(&query.mac)).unwrap();
    let mut verifier = TsigVerifier::new(key(), query.mac.clone());
    verifier.verify(&first.bytes, 1000).unwrap();
    verifier.finish().unwrap();
    // Unsigned messages count, and the last must be signed.
    verifier.verify(&plain, 1000).unwrap();
    assert_eq!(verifier.finish(), Err(TsigError::Missing));
    for _ in 1..99 {
        verifier.verify(&plain, 1000).unwrap();
    }
    assert_eq!(verifier.verify(&plain, 1000), Err(TsigError::Missing));
    // The first must be signed.
    let mut verifier = TsigVerifier::new(key(), query.mac);
    assert_eq!(verifier.verify(&plain, 1000), Err(TsigError::Missing));
}

proptest! {
    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), counts in any::<[u8; 4]>()) {
        let mut message = header(counts.map(|count| u16::from(count % 4)));
        message.extend(bytes);
        let _ = decode(&message, &MessageLimits::response());
        let _ = key().verify(&message, None, 0);
        let _ = key_name(&message);
        if let Ok(decoded) = response(&message) {
            // What was decoded can be encoded. Some data of services are decoded that are not valid to send.
            let _ = encode(&decoded, MESSAGE_LEN_MAX);
        }
    }

    /// Changed bytes of a real message, which get further than random ones.
    #[test]
    fn nothing_panics_on_changed_messages(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (_, mut message) = asked();
        message.add_answer(Record::from_rdata(name("a.example."), 5, RData::MX(rdata::MX::new(1, name("b.example.")))));
        message.add_answer(Record::from_rdata(name("a.example."), 5, RData::TXT(rdata::TXT::new(vec!["hello".to_owned()]))));
        let soa = rdata::SOA::new(name("ns.example."), name("me.example."), 1, 2, 3, 4, 5);
        message.add_authority(Record::from_rdata(name("example."), 5, RData::SOA(soa)));
        let mut bytes = key().sign(&encode(&message, MESSAGE_LEN_MAX).unwrap(), 1000, None).unwrap().bytes;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = response(&bytes);
        let _ = key().verify(&bytes, None, 1000);
    }
}
