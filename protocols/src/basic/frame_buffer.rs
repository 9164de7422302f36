//! What is kept of the input between two reads: [`FrameBuffer`]. Knows no decoder; counts what it copies.

use super::scan_counter;

/// Storage that is not given back although less would do: what is half-read most of the time, so that a busy stream does
/// not allocate at every read.
const SPARE_MAX: usize = 4 * 1024;

/// A place in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Where the first frame that was not delivered begins.
    pub(super) start: usize,
    /// Up to where the decoder has seen the input; not before `start`.
    pub(super) scanned: usize,
}

impl Cursor {
    /// A frame boundary.
    pub(super) const fn boundary(at: usize) -> Self {
        Self { start: at, scanned: at }
    }
}

/// Input that came and was not delivered: an unfinished frame, or frames held back.
///
/// Each byte is copied in once. Bytes that were used up stay in front until they are more than what is left, so that
/// taking frames out one by one moves every byte at most once more.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    cursor: Cursor,
}

impl FrameBuffer {
    /// Everything, used up or not; `cursor` says what is left.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// What was not delivered.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.cursor.start..]
    }

    /// What was not delivered, in storage of its own.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.cursor.start);
        self.bytes
    }

    /// Whether the decoder has seen all of it: nothing but an unfinished frame is left.
    pub(super) fn is_scanned(&self) -> bool {
        self.cursor.scanned == self.bytes.len()
    }

    /// Adds input that the decoder has not seen.
    pub(super) fn push(&mut self, input: &[u8]) {
        scan_counter::copied(input.len());
        self.bytes.extend_from_slice(input);
    }

    /// Adds input that the decoder has seen, behind a frame that it has seen.
    pub(super) fn push_scanned(&mut self, input: &[u8]) {
        debug_assert!(self.is_scanned(), "what was not seen comes before this");
        self.push(input);
        self.cursor.scanned = self.bytes.len();
    }

    /// The unfinished frame is to be decoded anew, from its first byte.
    pub(super) fn rewind(&mut self) {
        self.cursor.scanned = self.cursor.start;
    }

    /// Holds what is left of `input`, and nothing that it held before.
    pub(super) fn replace(&mut self, input: &[u8], left: Cursor) {
        let rest = &input[left.start..];
        self.bytes.clear();
        self.shrink(rest.len());
        self.push(rest);
        self.cursor = Cursor { start: 0, scanned: left.scanned - left.start };
    }

    /// What lies before `left` was used up.
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
    fn storage_follows_what_is_kept() {
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
