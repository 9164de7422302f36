//! The beginnings of messages that a client has asked for behind the one that is sent now, read with it: [`Ahead`].
//!
//! A session holds those of one request, [`READ_LEN_MAX`] bytes at most, and only while commands that were received wait for their turn. What
//! was not read ahead, for whatever reason, is read by itself.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use bytes::Bytes;
use memchr::memchr;

use super::open_maildrop::OpenMaildrop;
use crate::{pop3::codec::Command, store::READ_LEN_MAX};

/// Most bytes of a message that are read at once for TOP, which needs little in most cases.
pub(super) const TOP_LEN: usize = 8 * 1024;

/// How many of the commands that wait are looked at.
const COMMANDS_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Ahead {
    /// In the order of their commands.
    texts: RefCell<VecDeque<(usize, Bytes)>>,
    /// How many commands are to come that the last request was made for.
    expected: Cell<usize>,
}

impl Ahead {
    /// The beginning of the message with this index, for the next command. Those of commands before it are not needed any more.
    pub(super) fn take(&self, index: usize) -> Option<Bytes> {
        self.expected.set(self.expected.get().saturating_sub(1));
        self.known(index)
    }

    fn known(&self, index: usize) -> Option<Bytes> {
        let mut texts = self.texts.borrow_mut();
        let at = texts.iter().position(|(of, _)| *of == index)?;
        texts.drain(..at);
        texts.pop_front().map(|(_, text)| text)
    }

    /// Whether another request may be made: what was read by the last one is used up, and none is made anew for what it has left out.
    pub(super) fn is_used_up(&self) -> bool {
        self.expected.get() == 0 && self.texts.borrow().is_empty()
    }

    /// A request is made, with so many messages for commands that are to come.
    pub(super) fn expect(&self, messages: usize) {
        self.expected.set(messages);
    }

    /// What was read by a request for this message and others. Gives the text of this one.
    pub(super) fn put(&self, index: usize, texts: Vec<(usize, Bytes)>) -> Option<Bytes> {
        self.texts.replace(texts.into());
        self.known(index)
    }

    /// Forgets all, unless a command waits in what was received.
    pub(super) fn keep_for(&self, following: &[u8]) {
        if memchr(b'\n', following).is_none() {
            self.texts.take();
            self.expected.set(0);
        }
    }
}

/// The messages that are read together with this one: those of the commands in `following` that want as much of theirs, TOP or RETR, as long
/// as there is room.
pub(super) fn choose(
    maildrop: &OpenMaildrop,
    index: usize,
    is_top: bool,
    following: &[u8],
) -> Vec<usize> {
    let needed = |index| {
        let size = usize::try_from(maildrop.maildrop.size(index)).unwrap_or(usize::MAX);
        match is_top {
            true => Some(size.min(TOP_LEN)),
            // A long one is read in pieces.
            false => (size <= READ_LEN_MAX).then_some(size),
        }
    };
    let mut chosen = Vec::new();
    let Some(mut room) = needed(index).and_then(|needed| READ_LEN_MAX.checked_sub(needed)) else {
        return chosen;
    };
    for line in following.split_inclusive(|byte| *byte == b'\n').take(COMMANDS_MAX) {
        let Some(line) = line.strip_suffix(b"\r\n") else { break };
        let number = match Command::parse(line) {
            Ok(Command::Retr(number)) if !is_top => number,
            Ok(Command::Top { number, .. }) if is_top => number,
            _ => continue,
        };
        let Some(index) = maildrop.index(number) else { continue };
        let Some(left) = needed(index).and_then(|needed| room.checked_sub(needed)) else { break };
        room = left;
        chosen.push(index);
    }
    chosen
}
