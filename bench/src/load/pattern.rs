//! The bytes that are sent, so that every received byte can be checked by its offset in its stream. Pure.

use bench::websocket;

/// A prime, so that a lost or duplicated message is detected, unless its size is a multiple of 251.
const PERIOD: usize = 251;

/// The longest run of bytes returned at once.
const RUN_LEN_MAX: usize = 64 * 1024;

/// The number of different lines before they repeat; a prime.
const LINES: usize = 61;

/// The number of different frames before they repeat; a prime.
const FRAMES: usize = 61;

/// The masks of frames: some are unlike the others, and none is zero.
const MASK_STEP: u32 = 0x9e37_79b9;

/// An endless stream of bytes, different for each connection.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// A period, followed by its beginning, up to the longest run.
    bytes: Vec<u8>,
    period: usize,
    /// The offset between the starts of two neighbouring streams in the period.
    step: usize,
}

impl Pattern {
    /// Bytes of any value.
    pub(crate) fn bytes() -> Self {
        // 100 has no factor in common with 251: all streams start at different offsets.
        Self::periodic(PERIOD, 100, |offset| (offset % PERIOD) as u8)
    }

    /// Lines of `len` letters, LF included.
    pub(crate) fn lines(len: usize) -> Self {
        Self::periodic(len * LINES, len * 24, |offset| match (offset / len, offset % len) {
            (_, at) if at + 1 == len => b'\n',
            (line, at) => b'a' + ((line * 7 + at) % 26) as u8,
        })
    }

    /// Binary messages of WebSocket with a payload of `len` bytes, as a server sends them; and the length of such a frame.
    pub(crate) fn frames(len: usize) -> (Self, usize) {
        Self::framed(len, |_| None)
    }

    /// The same messages as a client sends them.
    pub(crate) fn masked_frames(len: usize) -> (Self, usize) {
        Self::framed(len, |frame| Some((frame as u32 + 1).wrapping_mul(MASK_STEP).to_be_bytes()))
    }

    fn framed(len: usize, mask: impl Fn(usize) -> Option<[u8; 4]>) -> (Self, usize) {
        let frames = (0..FRAMES).map(|frame| {
            let payload = (0..len).map(|at| (frame * 7 + at) as u8).collect::<Vec<_>>();
            websocket::frame(&payload, mask(frame))
        });
        let all = frames.collect::<Vec<_>>().concat();
        let frame_len = all.len() / FRAMES;
        (Self::periodic(all.len(), frame_len * 24, |offset| all[offset]), frame_len)
    }

    fn periodic(period: usize, step: usize, byte: impl Fn(usize) -> u8) -> Self {
        let bytes = (0..RUN_LEN_MAX + period).map(|offset| byte(offset % period)).collect();
        Self { bytes, period, step }
    }

    /// Up to `len` bytes of stream `stream` from `offset` on; fewer if `len` is long.
    pub(crate) fn run(&self, stream: usize, offset: u64, len: usize) -> &[u8] {
        let start = ((stream * self.step) as u64 + offset) % self.period as u64;
        &self.bytes[start as usize..][..len.min(RUN_LEN_MAX)]
    }

    /// Whether `data` is the content of stream `stream` at `offset`. `data` is at most 64 KiB, one read.
    pub(crate) fn matches(&self, stream: usize, offset: u64, data: &[u8]) -> bool {
        self.run(stream, offset, data.len()) == data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_and_faults_are_detected() {
        let pattern = Pattern::bytes();
        let whole = pattern.run(3, 0, 1000).to_vec();
        for split in [1, 64, 250, 251, 999] {
            assert!(pattern.matches(3, 0, &whole[..split]));
            assert!(pattern.matches(3, split as u64, &whole[split..]), "split at {split}");
        }
        assert!(!pattern.matches(3, 64, &whole[..64]), "a message twice");
        assert!(!pattern.matches(3, 0, &whole[64..128]), "a message lost");
        assert!(!pattern.matches(4, 0, &whole[..64]), "another connection's message");
    }

    #[test]
    fn a_run_has_a_maximal_length() {
        assert_eq!(Pattern::bytes().run(0, 250, usize::MAX).len(), RUN_LEN_MAX);
    }

    #[test]
    fn frames_of_both_ends_carry_the_same_messages() {
        for len in [1, 64, 126, 70_000] {
            let (masked, masked_len) = Pattern::masked_frames(len);
            let (plain, plain_len) = Pattern::frames(len);
            assert_eq!(masked_len, plain_len + 4);
            for (stream, frame) in [(0, 0), (3, 1), (60, 70)] {
                let whole = |pattern: &Pattern, frame_len: usize| {
                    let (mut bytes, start) = (Vec::<u8>::new(), (frame * frame_len) as u64);
                    while bytes.len() < frame_len {
                        let at = start + bytes.len() as u64;
                        bytes.extend(pattern.run(stream, at, frame_len - bytes.len()));
                    }
                    bytes
                };
                let (masked, plain) = (whole(&masked, masked_len), whole(&plain, plain_len));
                let mask = masked[masked_len - len - 4..masked_len - len].to_vec();
                let unmasked = masked[masked_len - len..].iter().zip(mask.iter().cycle());
                let payload = unmasked.map(|(byte, mask)| byte ^ mask).collect::<Vec<_>>();
                assert_eq!(payload, plain[plain_len - len..], "{len} {stream} {frame}");
            }
        }
    }

    #[test]
    fn lines_have_one_length_and_coincide_with_messages() {
        for len in [1, 2, 64] {
            let pattern = Pattern::lines(len);
            for stream in [0, 1, 60] {
                let run = pattern.run(stream, (len * 5) as u64, len * 100);
                let lines = run.split_inclusive(|&byte| byte == b'\n').collect::<Vec<_>>();
                assert!(lines.iter().all(|line| line.len() == len), "{len} {stream}");
                assert_eq!(lines.len(), 100);
            }
            assert!(
                len < 3 || !pattern.matches(1, 0, pattern.run(0, 0, len)),
                "streams do not differ"
            );
        }
    }
}
