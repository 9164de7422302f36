//! The bytes that are sent, so that every byte received can be checked by its place in its stream. Pure.

/// A prime, so that a lost or doubled message shows, unless its size is a multiple of 251.
const PERIOD: usize = 251;

/// The longest run of bytes handed out at once.
const RUN_LEN_MAX: usize = 64 * 1024;

/// An endless stream of bytes, different for each connection.
#[derive(Debug)]
pub(crate) struct Pattern {
    bytes: Vec<u8>,
}

impl Pattern {
    pub(crate) fn new() -> Self {
        let bytes = (0..RUN_LEN_MAX + PERIOD).map(|place| (place % PERIOD) as u8).collect();
        Self { bytes }
    }

    /// Up to `len` bytes of stream `stream` from `offset` on; fewer if `len` is long.
    pub(crate) fn run(&self, stream: usize, offset: u64, len: usize) -> &[u8] {
        // Streams start at different places; 100 has no factor in common with 251.
        let start = (stream as u64 * 100 + offset) % PERIOD as u64;
        &self.bytes[start as usize..][..len.min(RUN_LEN_MAX)]
    }

    /// Whether `data` is what stream `stream` has at `offset`. `data` is at most 64 KiB, one read.
    pub(crate) fn matches(&self, stream: usize, offset: u64, data: &[u8]) -> bool {
        self.run(stream, offset, data.len()) == data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_join_and_faults_show() {
        let pattern = Pattern::new();
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
    fn a_run_has_an_end() {
        assert_eq!(Pattern::new().run(0, 250, usize::MAX).len(), RUN_LEN_MAX);
    }
}
