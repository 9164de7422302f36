//! Heads of HTTP, held against the words of RFC 9112, read from the whole text; and however their bytes are cut, the same comes out.

use sinew::http::codec::{Framing, HeadLimits, RequestHead, ResponseHead};

use super::input::Input;

/// The longest text: it is decoded anew for each line.
const LEN_MAX: usize = 2 * 1024;

/// What comes of a text: nothing yet, a head of so many bytes with these lines, or a fault, shown as text.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Incomplete,
    Head { len: usize, first: String, fields: Vec<(String, Vec<u8>)>, framing: Framing },
    Refused(String),
}

/// The lengths of pieces, then the text.
fn cuts_and_text<'a>(data: &mut Input<'a>) -> ([Vec<usize>; 3], &'a [u8]) {
    ([vec![usize::MAX], vec![1], data.piece_lens(7)], data.bytes(LEN_MAX))
}

/// Gives the decoder more and more of the text, until it has an answer.
fn in_pieces(
    text: &[u8],
    cut: &[usize],
    mut decode: impl FnMut(&[u8], usize) -> Outcome,
) -> Outcome {
    let (mut shown, mut seen) = (0, 0);
    for len in cut.iter().cycle() {
        if shown == text.len() {
            break;
        }
        shown = shown.saturating_add(*len).min(text.len());
        match decode(&text[..shown], seen) {
            Outcome::Incomplete => seen = shown,
            outcome => return outcome,
        }
    }
    Outcome::Incomplete
}

fn owned<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn request(data: &mut Input<'_>) {
    let (cuts, text) = cuts_and_text(data);
    let outcomes = cuts.map(|cut| {
        let mut head = RequestHead::default();
        in_pieces(text, &cut, |text, seen| match head.decode(text, seen, &HeadLimits::default()) {
            Ok(None) => Outcome::Incomplete,
            Ok(Some(len)) => Outcome::Head {
                len,
                first: format!("{} {} {:?}", head.method(), head.target(), head.version()),
                fields: owned(head.fields().iter()),
                framing: head.framing(),
            },
            Err(error) => Outcome::Refused(error.to_string()),
        })
    });
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    let [outcome, ..] = outcomes;
    match (&outcome, request_by_the_words(text)) {
        (Outcome::Head { .. }, expected) => assert_eq!(Some(outcome), expected),
        (Outcome::Refused(error), Some(head)) => {
            // What the words below do not say: which hosts and targets are well formed, and what may be expected.
            let others = [
                "missing, repeated or invalid Host",
                "Host differs",
                "request target",
                "expectation",
            ];
            assert!(others.iter().any(|other| error.contains(other)), "{error}: {head:?}");
        }
        (Outcome::Incomplete, Some(head)) => panic!("all of it is there: {head:?}"),
        (_, None) => {}
    }
}

pub(crate) fn response(data: &mut Input<'_>) {
    let (cuts, text) = cuts_and_text(data);
    let outcomes = cuts.map(|cut| {
        let mut head = ResponseHead::default();
        in_pieces(text, &cut, |text, seen| match head.decode(text, seen, &HeadLimits::default()) {
            Ok(None) => Outcome::Incomplete,
            Ok(Some(len)) => Outcome::Head {
                len,
                first: format!("{:?} {}", head.version(), head.status().as_u16()),
                fields: owned(head.fields().iter()),
                framing: head.framing(&sinew::http::Method::HEAD),
            },
            Err(error) => Outcome::Refused(error.to_string()),
        })
    });
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    let [outcome, ..] = outcomes;
    let Outcome::Head { len, first, fields, .. } = outcome else { return };
    let (first_line, expected, end) =
        lines_by_the_words(text).expect("a head that was taken has lines");
    assert_eq!((len, fields), (end, expected));
    let mut words = first_line.split(|byte| *byte == b' ').map(String::from_utf8_lossy);
    assert_eq!(
        Some(first),
        words.next().zip(words.next()).map(|(version, status)| format!("{version} {status}"))
    );
}

/// A head, if the text is one for sure.
fn request_by_the_words(text: &[u8]) -> Option<Outcome> {
    let (first, fields, len) = lines_by_the_words(text)?;
    let words: Vec<&[u8]> = first.split(|byte| *byte == b' ').collect();
    let [method, target, version @ (b"HTTP/1.0" | b"HTTP/1.1")] = words[..] else { return None };
    let is_good = !target.is_empty() && target.iter().all(u8::is_ascii_graphic);
    if method.is_empty() || !method.iter().all(is_token) || !is_good || fields.len() > 100 {
        return None;
    }
    let of = |wanted: &str| {
        let values = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>()
    };
    let (lengths, encodings) = (of("content-length"), of("transfer-encoding"));
    let framing = match (&lengths[..], &encodings[..]) {
        ([], []) => Framing::None,
        ([], [one]) if one.eq_ignore_ascii_case("chunked") && version == b"HTTP/1.1" => {
            Framing::Chunked
        }
        ([first, rest @ ..], []) => {
            let number = |text: &String| {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u64>().ok().filter(|number| is_number && *number <= i64::MAX as u64)
            };
            let length = number(first)?;
            rest.iter()
                .all(|other| number(other) == Some(length))
                .then_some(Framing::Length(length))?
        }
        _ => return None,
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let first = format!("{} {} {}", text(method), text(target), text(version));
    Some(Outcome::Head { len, first, fields, framing })
}

/// The first line, the fields, and where they end.
type Lines<'a> = (&'a [u8], Vec<(String, Vec<u8>)>, usize);

fn lines_by_the_words(text: &[u8]) -> Option<Lines<'_>> {
    let mut start = 0;
    while start < 8 && text[start..].starts_with(b"\r\n") {
        start += 2;
    }
    let end = start + text[start..].windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = Vec::new();
    let mut rest = &text[start..end];
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    let mut fields = Vec::new();
    for line in &lines[1..] {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        let is_good = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
        if name.is_empty() || !name.iter().all(is_token) || !value.iter().all(is_good) {
            return None;
        }
        fields.push((String::from_utf8_lossy(name).into_owned(), value.to_owned()));
    }
    let is_bare = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
    (!lines[0].iter().any(is_bare)).then_some((lines[0], fields, end + 4))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

/// Without the blanks around it.
fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().take_while(|byte| is_blank(byte)).count();
    let end = value[start..].iter().rev().take_while(|byte| is_blank(byte)).count();
    &value[start..value.len() - end]
}
