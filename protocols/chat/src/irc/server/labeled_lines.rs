//! Long replies to a command with a label, which are made as there is room for them: [`LabeledLines`]. Pure, but for what makes them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::wire::LineProducer;

/// The lines of several lists, with a tag.
pub(super) struct LabeledLines {
    pub(super) lists: VecDeque<Box<dyn LineProducer>>,
    /// The tag of the first line.
    pub(super) first: Option<Vec<u8>>,
    /// The tag of every line.
    pub(super) every: Option<Vec<u8>>,
    /// What ends the batch.
    pub(super) end: Option<Bytes>,
}

impl LineProducer for LabeledLines {
    fn next_line(&mut self) -> Option<Bytes> {
        while let Some(list) = self.lists.front_mut() {
            match list.next_line() {
                Some(line) => {
                    let first = self.first.take();
                    return Some(match first.as_ref().or(self.every.as_ref()) {
                        Some(tag) => tagged(&line, tag),
                        None => line,
                    });
                }
                None => drop(self.lists.pop_front()),
            }
        }
        self.end.take()
    }
}

/// A line with one more tag.
pub(super) fn tagged(line: &Bytes, tag: &[u8]) -> Bytes {
    match line.strip_prefix(b"@") {
        Some(rest) => [b"@", tag, b";", rest].concat().into(),
        None => [b"@", tag, b" ", line].concat().into(),
    }
}
