//! The bytes that are sent, so that every received byte can be checked by its offset in its stream. Pure.

/// A prime, so that a lost or duplicated message is detected, unless its size is a multiple of 251.
const PERIOD: usize = 251;

/// The longest run of bytes returned at once.
const RUN_LEN_MAX: usize = 64 * 1024;

/// The number of different lines before they repeat; a prime.
const LINES: usize = 61;

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
