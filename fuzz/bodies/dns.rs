//! Messages of DNS: what is inspected is within its bounds by a second, simpler reading of RFC 1035; what is decoded can be encoded; and a
//! response is taken only if its identifier and its question are those of the query.

use sinew::dns::codec::{
    Checked, MESSAGE_LEN_MAX, MessageLimits, QuerySettings, Question, RecordType, SentQuery,
    decode, encode, encode_within, inspect, inspect_query, is_query,
    tsig::{TsigAlgorithm, TsigKey, key_name},
};

use super::input::Input;

/// A message, as a client or a server receives it.
pub(crate) fn message(data: &mut Input<'_>) {
    let message = data.rest();
    let outline = inspect(message, &MessageLimits::response());
    if let Ok(outline) = outline {
        let (questions_end, end) = by_reference(message).expect("it was inspected");
        assert_eq!((outline.questions_end, outline.end), (questions_end, end));
    }
    let _ = (inspect_query(message), is_query(message), key_name(message));
    let key = TsigKey::new("key.".parse().expect("a name"), TsigAlgorithm::HmacSha256, b"secret");
    assert!(key.verify(message, None, 0).is_err(), "a signature without the secret");
    if let Ok(signed) = key.sign(message, 7, None)
        && outline.is_ok()
        && by_reference(message).is_some_and(|(_, end)| end == message.len())
        && message[10..12] != [0xff, 0xff]
    {
        assert_eq!(key.verify(&signed.bytes, None, 7), Ok(signed.mac));
    }
    let Ok(decoded) = decode(message, &MessageLimits::response()) else { return };
    assert!(outline.is_ok(), "what is decoded was inspected");
    // The records of some types are decoded that cannot be sent.
    let Ok(whole) = encode(&decoded, MESSAGE_LEN_MAX) else { return };
    assert_eq!(whole[..2], message[..2]);
    if let Ok(cut) = encode_within(decoded.clone(), 512) {
        assert!(cut.len() <= 512);
        let is_whole = cut.len() == whole.len();
        let said = cut[2] & 2 != 0 || decoded.additionals.len() > usize::from(cut[11]);
        assert!(is_whole || said, "something is missing, and the message does not say so");
    }
}

/// A datagram that may be the response to a query: some bytes of it are set right, so that the others matter.
pub(crate) fn response(data: &mut Input<'_>) {
    let kind = data.byte();
    let question = Question::new("www.Example.org.".parse().expect("a name"), RecordType::A);
    let settings = QuerySettings::new(0x1234).case_bits((kind & 1 == 1).then_some(0b1011_0110));
    let sent = question.encode(&settings).expect("it is short");
    let mut datagram = data.rest().to_vec();
    if kind & 2 == 2 {
        let len = datagram.len().min(2);
        datagram[..len].copy_from_slice(&[0x12, 0x34][..len]);
    }
    if kind & 4 == 4 && datagram.len() >= QUESTION_END {
        datagram[4..6].copy_from_slice(&[0, 1]);
        datagram[12..QUESTION_END].copy_from_slice(&sent.bytes()[12..QUESTION_END]);
    }
    match sent.check(&datagram, &MessageLimits::response()) {
        Ok(checked) => {
            assert!(is_to(&sent, &datagram, kind & 1 == 1), "not the response");
            let is_cut = datagram[2] & 2 == 2;
            assert_eq!(is_cut, checked == Checked::Truncated);
        }
        Err(_) => assert!(!is_to(&sent, &datagram, kind & 1 == 1), "the response"),
    }
}

/// Where the question of the query ends.
const QUESTION_END: usize = 12 + 17 + 4;

/// Whether a datagram is the response to the query, by RFC 5452, section 9.1.
fn is_to(sent: &SentQuery, datagram: &[u8], exactly: bool) -> bool {
    let Some(head) = datagram.first_chunk::<12>() else { return false };
    let is_ours = head[..2] == sent.bytes()[..2] && head[2] & 0xf8 == 0x80;
    let ours = &sent.bytes()[12..QUESTION_END];
    let is_asked = match (head[4], head[5]) {
        (0, 0) => matches!(head[3] & 15, 1 | 4),
        (0, 1) => datagram.get(12..QUESTION_END).is_some_and(|theirs| {
            let is_equal = |(ours, theirs): (&u8, &u8)| {
                ours == theirs || !exactly && ours.eq_ignore_ascii_case(theirs)
            };
            ours[17..] == theirs[17..] && ours[..17].iter().zip(&theirs[..17]).all(is_equal)
        }),
        _ => false,
    };
    is_ours && is_asked
}

/// Where the questions and all records end.
fn by_reference(message: &[u8]) -> Option<(usize, usize)> {
    let word = |at: usize| {
        Some(usize::from(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?)))
    };
    let mut at = 12;
    for _ in 0..word(4)? {
        at = name_end(message, at)? + 4;
    }
    let questions_end = at;
    for _ in 0..word(6)? + word(8)? + word(10)? {
        at = name_end(message, at)?;
        at = at + 10 + word(at + 8)?;
    }
    (at <= message.len()).then_some((questions_end, at))
}

/// Where a name ends. Its labels are collected, to see that it is one.
fn name_end(message: &[u8], begin: usize) -> Option<usize> {
    let (mut labels, mut at, mut end) = (Vec::new(), begin, None);
    loop {
        let len = usize::from(*message.get(at)?);
        match len {
            0 => break at += 1,
            1..=63 => {
                labels.push(message.get(at + 1..at + 1 + len)?);
                at += 1 + len;
            }
            192.. => {
                let to = (len & 63) << 8 | usize::from(*message.get(at + 1)?);
                end.get_or_insert(at + 2);
                if to >= at {
                    return None;
                }
                at = to;
            }
            _ => return None,
        }
    }
    let len: usize = labels.iter().map(|label| label.len() + 1).sum();
    (len < 255).then_some(end.unwrap_or(at))
}
