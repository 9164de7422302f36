//! The beginning of a connection to a server of TOC: [`Handshake`], `FLAPON` and an empty line, then frames of FLAP. Pure.

use sinew_protocols::basic::{Decoded, Decoder, FrameError};

use crate::historical::flap::Flaps;

/// What a client says first.
pub(super) const FLAPON: &[u8] = b"FLAPON\r\n\r\n";

/// Finds `FLAPON`, which is a frame without a payload, and then frames of FLAP.
#[derive(Clone, Debug, Default)]
pub struct Handshake {
    seen: usize,
    flaps: Flaps,
}

impl Decoder for Handshake {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        if self.seen == FLAPON.len() {
            return self.flaps.decode(input);
        }
        let expected = &FLAPON[self.seen..];
        let len = input.len().min(expected.len());
        if input[..len] != expected[..len] {
            return Err(FrameError::Invalid("a client of TOC begins with FLAPON"));
        }
        self.seen += len;
        match self.seen == FLAPON.len() {
            true => Ok(Decoded::Frame { consumed: len, payload: 0..0 }),
            false => Ok(Decoded::Incomplete),
        }
    }

    fn reset(&mut self) {
        if self.seen < FLAPON.len() {
            self.seen = 0;
        }
        self.flaps.reset();
    }
}

#[cfg(test)]
mod tests {
    use sinew_protocols::basic::Frames;

    use super::*;

    #[test]
    fn frames_follow_flapon() {
        let bytes = [FLAPON, b"*\x05\0\0\0\0"].concat();
        for size in 1..=bytes.len() {
            let (mut decoder, mut found) = (Frames::new(Handshake::default()), Vec::new());
            for mut piece in bytes.chunks(size) {
                while let Some(frame) = decoder.next(&mut piece).unwrap() {
                    found.push(frame.to_vec());
                }
            }
            assert_eq!(found, [b"".to_vec(), b"*\x05\0\0\0\0".to_vec()], "pieces of {size}");
        }
        assert!(Handshake::default().decode(b"FLAPOFF").is_err());
    }
}
