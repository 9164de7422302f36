//! Decoders alone: for any split of the input, they must find the frames and the error that the reference format
//! gives.

use sinew::protocols::basic::{Decoded, Decoder, FrameError, Frames};

use super::{
    format::{Format, Meaning},
    input::Input,
};

/// The longest input: the reference re-examines the whole frame after each byte, which takes quadratic time.
const LEN_MAX: usize = 16 * 1024;

/// The frames, and the error after them.
#[derive(Debug, PartialEq, Eq)]
struct Outcome<'a> {
    /// Each frame with its offset and its payload.
    frames: Vec<(usize, &'a [u8])>,
    /// The error, and the offset of the byte in which it lies.
    fault: Option<(FrameError, usize)>,
}

/// `data` holds the settings of the format, the lengths of pieces, and the stream.
pub(crate) fn check(data: &[u8], format: impl FnOnce(&mut Input<'_>) -> Format) {
    let mut data = Input::new(data);
    let format = format(&mut data);
    let cut = data.piece_lens(7);
    let stream = data.bytes(LEN_MAX);

    let expected = by_reference(&format, stream);
    let mut decoder = format.decoder();
    for cut in [&[1][..], &cut, &[usize::MAX]] {
        assert_outcome(decoder.as_mut(), &format, stream, cut, &expected);
        assert_frames(&format, stream, cut, &expected);
        // Regardless of earlier input.
        decoder.reset();
    }
    for (_, payload) in &expected.frames {
        assert!(payload.len() <= format.payload_max());
        let Ok(sent) = format.encode(payload) else {
            assert!(format.contains_line_end(payload), "what was received can be sent");
            continue;
        };
        let got = by_reference(&format, &sent);
        assert_eq!(got, Outcome { frames: vec![(0, *payload)], fault: None });
    }
    let _ = format.encode(stream).inspect(|sent| {
        assert!(!format.contains_line_end(stream));
        assert_eq!(by_reference(&format, sent).frames, [(0, stream)]);
    });
}

fn by_reference<'a>(format: &Format, stream: &'a [u8]) -> Outcome<'a> {
    let mut outcome = Outcome { frames: Vec::new(), fault: None };
    let mut start = 0;
    for at in 0..stream.len() {
        let frame = &stream[start..=at];
        match format.meaning(frame) {
            Meaning::Unfinished => {}
            Meaning::Frame(payload) => {
                outcome.frames.push((start, &frame[payload]));
                start = at + 1;
            }
            Meaning::Fault(fault) => {
                outcome.fault = Some((fault, at));
                break;
            }
        }
    }
    outcome
}

/// The same with [`Frames`], which joins fragmented frames.
fn assert_frames(format: &Format, stream: &[u8], cut: &[usize], expected: &Outcome<'_>) {
    let mut frames = Frames::new(format.decoder());
    let (mut found, mut rest) = (Vec::new(), stream);
    for len in cut.iter().cycle() {
        let (mut piece, behind) = rest.split_at((*len).min(rest.len()));
        rest = behind;
        loop {
            match frames.next(&mut piece) {
                Ok(Some(frame)) => found.push(frame.to_vec()),
                Ok(None) => break,
                Err(fault) => {
                    assert_eq!(Some(fault), expected.fault.map(|(fault, _)| fault));
                    rest = &[];
                    break;
                }
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    assert!(found.iter().eq(expected.frames.iter().map(|(_, payload)| payload)), "{format:?}");
}

/// Splits the stream into pieces of these lengths, cyclically.
fn assert_outcome(
    decoder: &mut dyn Decoder,
    format: &Format,
    stream: &[u8],
    cut: &[usize],
    expected: &Outcome<'_>,
) {
    let mut frames = expected.frames.iter();
    let (mut shown, mut kept) = (0, 0);
    for len in cut.iter().cycle() {
        let piece = &stream[shown..][..(*len).min(stream.len() - shown)];
        let mut rest = piece;
        while !rest.is_empty() {
            let at = shown + piece.len() - rest.len();
            match decoder.decode(rest) {
                Ok(Decoded::Incomplete) => {
                    kept += rest.len();
                    assert!(kept <= format.kept_max(), "{kept} bytes of a frame: {format:?}");
                    rest = &[];
                }
                Ok(Decoded::Frame { consumed, payload }) => {
                    assert!(consumed > 0 && consumed <= rest.len(), "{consumed} of {}", rest.len());
                    let start = at - kept;
                    let frame = &stream[start..at + consumed];
                    let found = (start, &frame[payload]);
                    assert_eq!(Some(&found), frames.next(), "{format:?}, cut {cut:?}");
                    kept = 0;
                    rest = &rest[consumed..];
                }
                Err(fault) => {
                    let is_here = |at: usize| (shown..shown + piece.len()).contains(&at);
                    let matches = expected.fault.filter(|(_, at)| is_here(*at)).map(|(it, _)| it);
                    assert_eq!(
                        (Some(fault), frames.next()),
                        (matches, None),
                        "{format:?}, {cut:?}"
                    );
                    // After an error any result is allowed, but no panic.
                    let _ = decoder.decode(rest);
                    return;
                }
            }
        }
        shown += piece.len();
        if let Some((fault, at)) = expected.fault {
            assert!(at >= shown, "{fault} at {at}, not seen by {shown}: {format:?}, {cut:?}");
        }
        if shown == stream.len() {
            break;
        }
    }
    assert_eq!(frames.next(), None, "{format:?}, cut {cut:?}");
}
