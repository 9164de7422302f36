//! The reply to a message with a label (IRCv3 labeled-response): [`Labeled`]. Pure.

use super::requests::Reply;
use crate::irc::codec::Message;

/// Most batches that a reply can have inside of each other or side by side.
const BATCHES_MAX: usize = 64;

/// Collects the messages of one reply: a single one, or a batch with all that is in it.
pub(super) struct Labeled {
    label: String,
    lines: Vec<Vec<u8>>,
    /// The batch of the reply, and those in it.
    batches: Vec<Vec<u8>>,
}

impl Labeled {
    pub(super) fn new(label: String) -> Self {
        Self { label, lines: Vec::new(), batches: Vec::new() }
    }

    pub(super) fn take(&mut self, message: &Message<'_>) -> Reply<Vec<Vec<u8>>> {
        let has_label =
            message.tag("label").is_some_and(|label| label.as_ref() == self.label.as_bytes());
        let is_inside =
            message.tag("batch").is_some_and(|batch| self.batches.contains(&batch.into_owned()));
        let reference = message.param(0).unwrap_or_default();
        if message.is("BATCH") {
            if let Some(reference) = reference.strip_prefix(b"+") {
                if (has_label || is_inside) && self.batches.len() < BATCHES_MAX {
                    self.batches.push(reference.to_vec());
                    return Reply::Part;
                }
                return Reply::Other;
            }
            let ended = reference.strip_prefix(b"-").unwrap_or_default();
            return match self.batches.iter().position(|batch| batch == ended) {
                Some(0) => Reply::End(std::mem::take(&mut self.lines)),
                Some(_) => Reply::Part,
                None => Reply::Other,
            };
        }
        if has_label && self.batches.is_empty() {
            if !message.is("ACK") {
                self.lines.push(line(message));
            }
            return Reply::End(std::mem::take(&mut self.lines));
        }
        if is_inside {
            self.lines.push(line(message));
            return Reply::Part;
        }
        Reply::Other
    }
}

/// The line of a message.
fn line(message: &Message<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    if !message.raw_tags().is_empty() {
        line.push(b'@');
        line.extend_from_slice(message.raw_tags());
        line.push(b' ');
    }
    if let Some(source) = message.source() {
        line.push(b':');
        line.extend_from_slice(&source.whole());
        line.push(b' ');
    }
    line.extend_from_slice(message.command().as_bytes());
    for (at, param) in message.params().iter().enumerate() {
        let is_last = at + 1 == message.params().len();
        line.extend_from_slice(if is_last { b" :" } else { b" " });
        line.extend_from_slice(param);
    }
    line
}
