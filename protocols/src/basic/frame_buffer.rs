//! Input buffered between two reads: [`FrameBuffer`]. Knows no decoder. Counts the bytes that it copies, for tests.

use super::scan_counter;

/// Capacity that is kept even if less is needed. Most unfinished frames fit, so a busy stream does not allocate on
/// every read.
const SPARE_MAX: usize = 4 * 1024;

/// A position in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Start of the first frame that has not been delivered.
    pub(super) start: usize,
    /// End of the input that the decoder has seen; never before `start`.
    pub(super) scanned: usize,
}

impl Cursor {
    /// A position at a frame boundary.
    pub(super) const fn boundary(at: usize) -> Self {
        Self { start: at, scanned: at }
    }
}

/// Input received and not delivered yet: an unfinished frame, or frames held back by a pause.
///
/// Each byte is copied in once. Consumed bytes stay at the front until they outnumber the rest, so taking frames out
/// one by one moves each byte at most once more.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    cursor: Cursor,
}

impl FrameBuffer {
    /// All bytes, consumed or not; `cursor` marks what is left.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The undelivered bytes.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.cursor.start..]
    }

    /// The undelivered bytes, as an owned vector.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.cursor.start);
        self.bytes
    }

    /// Whether the decoder has seen all bytes, so that only an unfinished frame is left.
    pub(super) fn is_scanned(&self) -> bool {
        self.cursor.scanned == self.bytes.len()
    }

    /// Appends input that the decoder has not seen.
    pub(super) fn push(&mut self, input: &[u8]) {
        scan_counter::copied(input.len());
        self.bytes.extend_from_slice(input);
    }

    /// Appends input that the decoder has already seen.
    pub(super) fn push_scanned(&mut self, input: &[u8]) {
        debug_assert!(
            self.is_scanned(),
            "input that the decoder has not seen must be decoded first"
        );
        self.push(input);
        self.cursor.scanned = self.bytes.len();
    }

    /// Makes the decoder start over at the first byte of the unfinished frame.
    pub(super) fn rewind(&mut self) {
        self.cursor.scanned = self.cursor.start;
    }

    /// Replaces the content with the undelivered rest of `input`.
    pub(super) fn replace(&mut self, input: &[u8], left: Cursor) {
        let rest = &input[left.start..];
        self.bytes.clear();
        self.shrink(rest.len());
        self.push(rest);
        self.cursor = Cursor { start: 0, scanned: left.scanned - left.start };
    }

    /// Discards the bytes before `left`, which have been consumed.
    pub(super) fn advance(&mut self, left: Cursor) {
        self.cursor = left;
        let kept = self.rest().len();
        if left.start > kept {
            scan_counter::copied(kept);
            self.bytes.drain(..left.start);
            self.cursor.start = 0;
            self.cursor.scanned -= left.start;
            self.shrink(kept);
        }
    }

    fn shrink(&mut self, needed: usize) {
        self.bytes.shrink_to(SPARE_MAX.max(needed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_shrinks_with_the_content() {
        let mut buffer = FrameBuffer::default();
        buffer.push(&[b'x'; 64 * 1024]);
        assert_eq!((buffer.rest().len(), buffer.is_scanned()), (64 * 1024, false));
        buffer.advance(Cursor { start: 40_000, scanned: 50_000 });
        assert_eq!(buffer.rest().len(), 64 * 1024 - 40_000);
        assert!(buffer.bytes.capacity() <= 2 * buffer.rest().len());
        buffer.replace(b"abcdef", Cursor::boundary(2));
        assert_eq!((buffer.rest(), buffer.cursor()), (&b"cdef"[..], Cursor::default()));
        assert!(buffer.bytes.capacity() <= SPARE_MAX);
    }
}
