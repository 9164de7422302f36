//! Shared test helpers for decoders: splitting input, collecting frames, and properties that hold for every decoder.

use proptest::{prelude::*, test_runner::TestCaseError};
use sinew_transports::{Protocol, Transport};

use super::{
    Decoded, Decoder, EncodeError, Encoder, FrameError, FrameHandler, FrameTransport, Framed,
    scan_counter,
};

/// Splits `input` into pieces of the given lengths, repeated cyclically.
pub(super) fn pieces<'a>(input: &'a [u8], lens: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = input;
    let mut pieces = Vec::new();
    for &len in lens.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Lengths for [`pieces`].
pub(super) fn any_cut() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..10_usize, 1..12)
}

/// Random input over a small alphabet, so that delimiters and digits are frequent.
pub(super) fn input_of(alphabet: &'static [u8], len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(alphabet), 0..len_max)
}

/// The result of decoding a stream: its frames, and the error that ended it together with the offset of the piece in
/// which it was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) fault: Option<(FrameError, usize)>,
}

/// Decodes the pieces with the decoder alone.
pub(super) fn decode(mut decoder: impl Decoder, pieces: &[&[u8]]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut frame = Vec::new();
    let mut before = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            match decoder.decode(rest) {
                Ok(Decoded::Incomplete) => {
                    frame.extend_from_slice(rest);
                    break;
                }
                Ok(Decoded::Frame { consumed, payload }) => {
                    frame.extend_from_slice(&rest[..consumed]);
                    outcome.frames.push(frame[payload].to_vec());
                    frame.clear();
                    rest = &rest[consumed..];
                }
                Err(error) => {
                    outcome.fault = Some((error, before));
                    return outcome;
                }
            }
        }
        before += piece.len();
    }
    outcome
}

/// Checks that any split gives the same frames and the same error, found in the piece that contains the byte at which
/// it is found when decoding byte by byte, and that the decoder alone and the engine agree. Returns the byte-by-byte
/// outcome.
pub(super) fn check_any_cut<D: Decoder + Clone>(
    decoder: &D,
    input: &[u8],
    cut: &[usize],
) -> Result<Outcome, TestCaseError> {
    let expected = decode(decoder.clone(), &pieces(input, &[1]));
    for cut in [cut, &[usize::MAX]] {
        let pieces = pieces(input, cut);
        let outcome = decode(decoder.clone(), &pieces);
        prop_assert_eq!(&outcome.frames, &expected.frames);
        match (&outcome.fault, &expected.fault) {
            (None, None) => {}
            (Some((error, before)), Some((expected_error, at))) => {
                prop_assert_eq!(error, expected_error);
                let lens = pieces.iter().scan(0, |end, piece| {
                    *end += piece.len();
                    Some((*end - piece.len(), *end))
                });
                let piece_of_fault = lens.into_iter().find(|(start, end)| start <= at && at < end);
                prop_assert_eq!(Some(*before), piece_of_fault.map(|(start, _)| start));
            }
            (got, expected) => prop_assert_eq!(got, expected),
        }
        prop_assert_eq!(&drive(decoder.clone(), &pieces), &outcome);
    }
    Ok(expected)
}

/// Decodes the pieces with the framing engine.
fn drive<D: Decoder>(decoder: D, pieces: &[&[u8]]) -> Outcome {
    #[derive(Default)]
    struct Collect(Outcome, usize);

    impl<D: Decoder> FrameHandler<D> for Collect {
        fn frame_received(&mut self, _: &mut FrameTransport<'_, D>, frame: &[u8]) {
            self.0.frames.push(frame.to_vec());
        }

        fn framing_failed(&mut self, _: &mut FrameTransport<'_, D>, error: &FrameError) {
            assert_eq!(self.0.fault, None, "two faults");
            self.0.fault = Some((*error, self.1));
        }
    }

    let (transport, wire) = Transport::memory();
    let mut framed = Framed::with_decoder(decoder, Collect::default());
    for piece in pieces {
        framed.data_received(&transport, piece);
        framed.handler_mut().1 += piece.len();
    }
    assert_eq!(wire.is_closing(), framed.handler().0.fault.is_some());
    framed.into_handler().0
}

/// Checks that an encoded payload decodes as the same single frame.
pub(super) fn check_round_trip<C: Encoder + Decoder + Clone>(
    codec: &C,
    payload: &[u8],
) -> Result<(), EncodeError> {
    let sent = codec.encode(payload, |parts| parts.concat())?;
    let mut codec = codec.clone();
    match codec.decode(&sent) {
        Ok(Decoded::Frame { consumed, payload: range }) => {
            assert_eq!(consumed, sent.len());
            assert_eq!(&sent[range], payload);
        }
        other => panic!("{other:?} of {sent:?}"),
    }
    Ok(())
}

/// The work done for `input` received byte by byte: `(scanned, copied)`.
pub(super) fn work<D: Decoder>(decoder: D, input: &[u8]) -> (usize, usize) {
    scan_counter::take();
    drive(decoder, &pieces(input, &[1]));
    scan_counter::take()
}
