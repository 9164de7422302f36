//! Bodies of messages, by length, in chunks and until the connection closes, held against a second reading of RFC 9112 6.3 and 7.1, which
//! is slow and needs the whole text: what the decoder takes is what is there by that, whatever was changed on the way, however it is cut.

use proptest::prelude::*;
use sinew_http::{
    Fields,
    codec::{BodyDecoder, BodyError, BodyEvent, ChunkLimits, Framing, chunk, last_chunk},
};

/// A complete body: its data, its trailers, and how many bytes are behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whole {
    data: Vec<u8>,
    trailers: Vec<(String, Vec<u8>)>,
    behind: usize,
}

/// Limits that these bodies reach: of an extension, of all extensions, and of the trailers.
const LIMITS: (usize, usize, usize) = (20, 45, 60);

fn limits() -> ChunkLimits {
    let (extension, extensions, trailers) = LIMITS;
    ChunkLimits::default()
        .extension_max(extension)
        .extensions_max(extensions)
        .trailers_max(trailers)
}

// ---- the second reading ----

/// The body at the beginning of a text after which the connection closes. `None` if it is not complete, or not one.
fn by_the_words(framing: Framing, text: &[u8]) -> Option<Whole> {
    let whole = |data: &[u8], behind| Whole { data: data.to_vec(), trailers: Vec::new(), behind };
    match framing {
        Framing::None => Some(whole(b"", text.len())),
        Framing::Length(length) => {
            let length = usize::try_from(length).ok()?;
            (text.len() >= length).then(|| whole(&text[..length], text.len() - length))
        }
        Framing::Chunked => chunks_by_the_words(text),
        _ => Some(whole(text, 0)),
    }
}

fn chunks_by_the_words(mut text: &[u8]) -> Option<Whole> {
    let (mut data, mut extensions) = (Vec::new(), 0);
    loop {
        let (line, rest) = line(text)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (size, extension) = line.split_at(digits);
        let size = std::str::from_utf8(size).ok()?;
        let size = u64::from_str_radix(size, 16).ok().filter(|size| *size <= i64::MAX as u64)?;
        let is_extension = extension.first().is_none_or(|first| b"; \t".contains(first));
        extensions += extension.len();
        let is_short = extension.len() <= LIMITS.0 && extensions <= LIMITS.1;
        if digits > 16 || !is_extension || !is_short || !is_visible(extension) {
            return None;
        }
        if size == 0 {
            let (trailers, behind) = trailers_by_the_words(rest)?;
            return Some(Whole { data, trailers, behind: behind.len() });
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= rest.len())?;
        data.extend_from_slice(&rest[..size]);
        text = rest[size..].strip_prefix(b"\r\n")?;
    }
}

type Trailers<'a> = (Vec<(String, Vec<u8>)>, &'a [u8]);

fn trailers_by_the_words(mut text: &[u8]) -> Option<Trailers<'_>> {
    let (mut trailers, mut len) = (Vec::new(), 0);
    loop {
        let (field, rest) = line(text)?;
        text = rest;
        if field.is_empty() {
            return (len <= LIMITS.2).then_some((trailers, text));
        }
        len += field.len() + 2;
        let colon = field.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&field[..colon], &field[colon + 1..]);
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty() || !name.iter().all(is_token) || !is_visible(value) {
            return None;
        }
        let value = value.trim_ascii().to_vec();
        trailers.push((String::from_utf8(name.to_vec()).ok()?, value));
    }
}

/// A line without its CRLF, and what is behind it.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.windows(2).position(|window| window == b"\r\n")?;
    Some((&text[..end], &text[end + 2..]))
}

fn is_visible(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f)
}

// ---- the decoder ----

fn decoded(framing: Framing, text: &[u8], cut: &[usize]) -> Result<Whole, BodyError> {
    let mut decoder = BodyDecoder::new(framing, limits());
    let (mut data, mut left, mut rest) = (Vec::new(), text, &b""[..]);
    let mut lens = cut.iter().cycle();
    loop {
        match decoder.decode(&mut rest)? {
            BodyEvent::Data(piece) => {
                assert!(!piece.is_empty());
                data.extend_from_slice(piece);
            }
            BodyEvent::End => break,
            _ => {
                assert!(rest.is_empty(), "incomplete, and not all was consumed");
                if left.is_empty() {
                    decoder.finish()?;
                    break;
                }
                let len = lens.next().copied().unwrap_or(usize::MAX).clamp(1, left.len());
                (rest, left) = left.split_at(len);
            }
        }
    }
    assert!(decoder.is_ended() && decoder.announced() == 0);
    assert_eq!(decoder.decode(&mut &b"more"[..]), Ok(BodyEvent::End), "the end is told again");
    let trailers = decoder.take_trailers();
    let trailers = trailers.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    let trailers = trailers.collect();
    Ok(Whole { data, trailers, behind: rest.len() + left.len() })
}

fn check(framing: Framing, text: &[u8], cut: &[usize]) -> Result<(), TestCaseError> {
    let whole = decoded(framing, text, &[]);
    for cut in [&[1][..], cut] {
        prop_assert_eq!(&decoded(framing, text, cut), &whole);
    }
    prop_assert_eq!(whole.clone().ok(), by_the_words(framing, text), "{:?}", whole);
    Ok(())
}

// ---- bodies ----

/// A body in chunks, with extensions, blanks and zeros that are not needed.
fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let data = prop::collection::vec(any::<u8>(), 1..40);
    let extension = prop_oneof![
        4 => Just(String::new()),
        1 => Just("  ".to_owned()),
        2 => "(;[a-z]{0,6}(=\"?[a-z\u{e9}]{0,4}\"?)?){1,2}",
    ];
    let chunks = prop::collection::vec((data, extension, 0..3_usize, any::<bool>()), 0..5);
    let trailer = ("[A-Za-z0-9_-]{1,8}", "[ \t]{0,2}[!-~\u{e9}]{0,9}( [a-z]{1,3})?[ \t]{0,2}");
    let trailers = prop::collection::vec(trailer, 0..4);
    let behind = prop::collection::vec(any::<u8>(), 0..6);
    (chunks, trailers, behind).prop_map(|(chunks, trailers, behind)| {
        let mut text = Vec::new();
        for (data, extension, zeros, is_upper) in chunks {
            let size = match is_upper {
                true => format!("{:X}", data.len()),
                false => format!("{:x}", data.len()),
            };
            let line = format!("{}{size}{extension}\r\n", "0".repeat(zeros));
            text.extend([line.as_bytes(), &data, b"\r\n"].concat());
        }
        text.extend(b"0\r\n");
        for (name, value) in trailers {
            text.extend(format!("{name}:{value}\r\n").bytes());
        }
        text.extend(b"\r\n");
        text.extend(behind);
        text
    })
}

/// A change on the way: at a place, bytes are replaced by others.
type Edit = (prop::sample::Index, usize, Vec<u8>);

fn edit() -> impl Strategy<Value = Edit> {
    let byte = prop_oneof![
        2 => prop::sample::select(&b"\r\n:; \t0fF-+=\"\0\x7f"[..]),
        1 => any::<u8>(),
    ];
    (any::<prop::sample::Index>(), 0..3_usize, prop::collection::vec(byte, 0..3))
}

fn edited(mut text: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for (place, len, bytes) in edits {
        let start = place.index(text.len() + 1);
        let end = text.len().min(start + len);
        text.splice(start..end, bytes);
    }
    text
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..20_usize, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn in_chunks(text in chunked(), edits in prop::collection::vec(edit(), 0..3), cut in cuts()) {
        check(Framing::Chunked, &edited(text, edits), &cut)?;
    }

    #[test]
    fn any_text_in_chunks(text in "([0-9a-f]{0,2}[; ]{0,1}\r{0,1}\n{0,1}){0,8}", cut in cuts()) {
        check(Framing::Chunked, text.as_bytes(), &cut)?;
    }

    #[test]
    fn by_length_and_until_close(
        length in prop_oneof![4 => 0..70_u64, 1 => any::<u64>()],
        text in prop::collection::vec(any::<u8>(), 0..60),
        cut in cuts(),
    ) {
        for framing in [Framing::None, Framing::Length(length), Framing::UntilClose] {
            check(framing, &text, &cut)?;
        }
    }

    /// What is encoded is decoded as the same.
    #[test]
    fn there_and_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
        trailer in prop::option::of(("[a-z]{1,8}", "[!-~]{1,20}")),
        cut in cuts(),
    ) {
        let (mut text, mut fields) = (Vec::new(), Fields::new());
        for piece in &pieces {
            chunk(&mut text, piece);
        }
        if let Some((name, value)) = &trailer {
            fields.append(name, value).expect("a good field");
        }
        last_chunk(&mut text, &fields);
        text.extend(b"behind");
        let trailers = trailer.into_iter().map(|(name, value)| (name, value.into_bytes()));
        let expected = Whole { data: pieces.concat(), trailers: trailers.collect(), behind: 6 };
        prop_assert_eq!(decoded(Framing::Chunked, &text, &cut), Ok(expected));
    }
}
