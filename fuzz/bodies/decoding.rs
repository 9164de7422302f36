//! A decoder by itself: however its input is cut, it finds the frames and the fault that the format says are there.

use sinew::protocols::basic::{Decoded, Decoder, FrameError, Frames};

use super::{
    format::{Format, Meaning},
    input::Input,
};

/// The longest input that is looked at: what comes byte by byte is looked at again after each byte.
const LEN_MAX: usize = 16 * 1024;

/// Frames, and what comes after them.
#[derive(Debug, PartialEq, Eq)]
struct Outcome<'a> {
    /// Each with the bytes before it, and its payload.
    frames: Vec<(usize, &'a [u8])>,
    /// The fault, and how many bytes came before the one that it lies in.
    fault: Option<(FrameError, usize)>,
}

/// `data` has the settings of the format, the lengths of pieces, then the stream.
pub(crate) fn check(data: &[u8], format: impl FnOnce(&mut Input<'_>) -> Format) {
    let mut data = Input::new(data);
    let format = format(&mut data);
    let mut cut: Vec<usize> = data.few_bytes().iter().map(|len| usize::from(*len) + 1).collect();
    cut.push(7);
    let stream = data.bytes(LEN_MAX);

    let expected = by_the_format(&format, stream);
    let mut decoder = format.decoder();
    for cut in [&[1][..], &cut, &[usize::MAX]] {
        assert_outcome(decoder.as_mut(), &format, stream, cut, &expected);
        assert_frames(&format, stream, cut, &expected);
        // Whatever has been before.
        decoder.reset();
    }
    for (_, payload) in &expected.frames {
        assert!(payload.len() <= format.payload_max());
        let Ok(sent) = format.encode(payload) else {
            assert!(format.holds_line_end(payload), "what was received can be sent");
            continue;
        };
        let got = by_the_format(&format, &sent);
        assert_eq!(got, Outcome { frames: vec![(0, *payload)], fault: None });
    }
    let _ = format.encode(stream).inspect(|sent| {
        assert!(!format.holds_line_end(stream));
        assert_eq!(by_the_format(&format, sent).frames, [(0, stream)]);
    });
}

fn by_the_format<'a>(format: &Format, stream: &'a [u8]) -> Outcome<'a> {
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

/// The same by [`Frames`], which joins what comes in pieces.
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

/// Cuts the stream into pieces of these lengths, over and over.
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
                    let is_it = expected.fault.filter(|(_, at)| is_here(*at)).map(|(it, _)| it);
                    assert_eq!((Some(fault), frames.next()), (is_it, None), "{format:?}, {cut:?}");
                    // It may answer anything now, but lives.
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
