//! The beginnings of messages that a client has asked for behind the one that is sent now, read with it: [`Ahead`].
//!
//! A session holds those of one request, [`READ_LEN_MAX`](crate::store::READ_LEN_MAX) bytes at most, and only while commands that were received
//! wait for their turn. What was not read ahead, for whatever reason, is read by itself. Which messages are read together is decided in
//! `read_together.rs`.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use bytes::Bytes;
use memchr::memchr;

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
