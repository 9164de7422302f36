//! Bodies of HTTP, in chunks (RFC 9112 7.1) and in parts (RFC 2046 5.1), held against the same read from the whole text.

use sinew::http::{
    Fields,
    codec::{
        BodyEvent, ChunkLimits, ChunkedDecoder, Multipart, MultipartEvent, MultipartLimits, chunk,
        last_chunk,
    },
};

use super::{input::Input, pieces::pieces};

const LEN_MAX: usize = 4 * 1024;

/// What comes of a text: data, fields of trailers, and how much is behind; `None` if it is not all there, or a fault.
type Chunked = Result<Option<(Vec<u8>, usize, usize)>, ()>;

fn cuts(data: &mut Input<'_>) -> [Vec<usize>; 3] {
    [vec![1], data.piece_lens(5), vec![usize::MAX]]
}

pub(crate) fn chunked(data: &mut Input<'_>) {
    let cuts = cuts(data);
    let text = data.bytes(LEN_MAX);
    let expected = chunks_by_the_words(text);
    for cut in &cuts {
        assert_eq!(decode_chunks(text, cut), expected, "{cut:?}");
    }
    // The text as a body: it comes back.
    let mut sent = Vec::new();
    pieces(text, &cuts[1]).for_each(|piece| chunk(&mut sent, piece));
    last_chunk(&mut sent, &Fields::new());
    sent.extend_from_slice(b"behind");
    assert_eq!(decode_chunks(&sent, &cuts[1]), Ok(Some((text.to_owned(), 0, 6))));
}

fn decode_chunks(text: &[u8], cut: &[usize]) -> Chunked {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    let (mut body, mut shown) = (Vec::new(), 0);
    for piece in pieces(text, cut) {
        shown += piece.len();
        let mut rest = piece;
        loop {
            match decoder.decode(&mut rest).map_err(drop)? {
                BodyEvent::Data(data) => {
                    assert!(!data.is_empty());
                    body.extend_from_slice(data);
                }
                BodyEvent::End => {
                    let mut whole = sinew::http::codec::BodyDecoder::new(
                        sinew::http::codec::Framing::Chunked,
                        ChunkLimits::default(),
                    );
                    let mut again = text;
                    while !matches!(whole.decode(&mut again), Ok(BodyEvent::End)) {}
                    let behind = text.len() - shown + rest.len();
                    return Ok(Some((body, whole.take_trailers().len(), behind)));
                }
                _ => break assert!(rest.is_empty()),
            }
        }
    }
    Ok(None)
}

fn chunks_by_the_words(text: &[u8]) -> Chunked {
    let (mut at, mut body, mut extensions) = (0, Vec::new(), 0);
    loop {
        let digits = text[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let Some(&next) = text.get(at + digits) else {
            return number(&text[at..]).map_or(Err(()), |_| Ok(None)).or(if at == text.len() {
                Ok(None)
            } else {
                Err(())
            });
        };
        let size = number(&text[at..at + digits]).ok_or(())?;
        at += digits;
        if !matches!(next, b'\r' | b';' | b' ' | b'\t') {
            return Err(());
        }
        let is_text = |byte: &&u8| **byte == b'\t' || **byte >= b' ' && **byte != 0x7f;
        let extension = text[at..].iter().take_while(is_text).count();
        extensions += extension;
        if extension > 256 || extensions > 4 * 1024 {
            return Err(());
        }
        at += extension;
        match line_end(text, at) {
            Some(true) => at += 2,
            Some(false) => return Err(()),
            None => return Ok(None),
        }
        if size == 0 {
            return trailers_by_the_words(text, at, body);
        }
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(text.len() - at);
        body.extend_from_slice(&text[at..at + len]);
        if (len as u64) < size {
            return Ok(None);
        }
        at += len;
        match line_end(text, at) {
            Some(true) => at += 2,
            Some(false) => return Err(()),
            None => return Ok(None),
        }
    }
}

/// A size, of 1 to 16 digits, and none past 2^63-1.
fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| (1..=16).contains(&text.len()))?;
    u64::from_str_radix(text, 16).ok().filter(|size| *size <= i64::MAX as u64)
}

/// Whether a line ends here; `None` if that is not known yet.
fn line_end(text: &[u8], at: usize) -> Option<bool> {
    match &text[at..] {
        [] | [b'\r'] => None,
        [b'\r', b'\n', ..] => Some(true),
        _ => Some(false),
    }
}

fn trailers_by_the_words(text: &[u8], start: usize, body: Vec<u8>) -> Chunked {
    let (mut at, mut fields) = (start, 0);
    let mut is_bad = false;
    loop {
        let Some(len) = text[at..].iter().position(|byte| *byte == b'\n') else {
            let is_long = text.len() - start > 4 * 1024 + 2;
            return if is_long { Err(()) } else { Ok(None) };
        };
        if at + len + 1 - start > 4 * 1024 + 2 {
            return Err(());
        }
        let Some(line) = text[at..at + len].strip_suffix(b"\r") else { return Err(()) };
        at += len + 1;
        if line.is_empty() {
            return if is_bad { Err(()) } else { Ok(Some((body, fields, text.len() - at))) };
        }
        fields += 1;
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let is_token =
            |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        let is_good = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
        is_bad |= colon == 0 || colon > 256 || !line[..colon].iter().all(is_token);
        is_bad |= !line[colon..].iter().all(is_good) || fields > 256;
    }
}

pub(crate) fn multipart(data: &mut Input<'_>) {
    let cuts = cuts(data);
    let text = data.bytes(LEN_MAX);
    let outcomes = cuts.map(|cut| parts(text, &cut));
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    let [outcome, ..] = outcomes;
    if let Ok((found, true)) = outcome {
        assert_eq!(found, parts_by_the_words(text));
    }
    // The text as the data of a part, if the delimiter is not in it: it comes back.
    if !text.windows(4).any(|window| window == b"\n--x") && !text.starts_with(b"--x") {
        let body = [b"--x\r\nA: b\r\n\r\n", text, b"\r\n--x--"].concat();
        assert_eq!(parts(&body, &[3, 1, 7]), Ok((vec![text.to_owned()], true)));
    }
}

/// The data of the parts, and whether that was all.
fn parts(text: &[u8], cut: &[usize]) -> Result<(Vec<Vec<u8>>, bool), String> {
    let limits = MultipartLimits::default();
    let mut decoder =
        Multipart::new("multipart/form-data; boundary=x", limits).expect("a boundary");
    let mut parts = Vec::new();
    for mut piece in pieces(text, cut) {
        loop {
            match decoder.decode(&mut piece).map_err(|error| error.to_string())? {
                MultipartEvent::Part(_) => parts.push(Vec::new()),
                MultipartEvent::Data(data) => {
                    parts.last_mut().expect("a part has begun").extend_from_slice(data);
                }
                MultipartEvent::PartEnd => {}
                _ => break assert!(piece.is_empty()),
            }
        }
    }
    Ok((parts, decoder.finish().is_ok()))
}

/// What lies between delimiters, of a body that is whole.
fn parts_by_the_words(text: &[u8]) -> Vec<Vec<u8>> {
    let text = [b"\r\n", text].concat();
    let mut between = Vec::new();
    let mut start = 0;
    while let Some(at) = text[start..].windows(5).position(|window| window == b"\r\n--x") {
        between.push(&text[start..start + at]);
        start += at + 5;
        if text[start..].starts_with(b"--") {
            break;
        }
        // The line end behind a delimiter may be the one before the next: a part without data.
        let line = text[start..].iter().position(|byte| *byte == b'\n').expect("a line ends");
        let head = &text[start + line + 1..];
        let len = if head.starts_with(b"\r\n") {
            2
        } else {
            head.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends") + 4
        };
        start += line + 1 + len - 2;
    }
    // The line end of a head is before its data, or is that of the delimiter if there is none.
    let data = between
        .into_iter()
        .skip(1)
        .map(|part| part.strip_prefix(b"\r\n").unwrap_or_default().to_owned());
    data.collect()
}
