//! The texts of the next messages of a FETCH, which a store has read by one request: [`Ahead`].
//!
//! A session holds those of one request, [`READ_LEN_MAX`] bytes at most, and the next request is made when they are used up: a client that
//! receives nothing has no more read for it. What was not read ahead, for whatever reason, is read by itself.

use std::{collections::VecDeque, rc::Rc};

use bytes::Bytes;

use crate::{
    imap::codec::{FetchCommand, FetchItem, Section, SectionText},
    store::{Mailbox, MessageInfo, READ_LEN_MAX, Uid},
};

/// How much is read of a message of which the header is enough.
const HEADER_LEN: usize = 8 << 10;

/// Most messages of a request.
const MESSAGES_MAX: usize = 256;

/// How many messages are looked at for those that a request can have.
const LOOKED_AT_MAX: usize = 4 * MESSAGES_MAX;

/// What is read of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    Nothing,
    /// The beginning.
    Header,
    /// All of it. One that is longer than a piece is read in pieces, by itself.
    Whole,
}

#[derive(Debug)]
pub(super) struct Ahead {
    extent: Extent,
    changed_since: Option<u64>,
    /// Ascending.
    texts: VecDeque<(Uid, Bytes)>,
    /// The last message of the last request.
    asked_to: Option<Uid>,
}

impl Ahead {
    /// Nothing is read yet.
    pub(super) fn new(command: &FetchCommand) -> Self {
        let extent = command.items.iter().map(extent).max().unwrap_or(Extent::Nothing);
        let (changed_since, texts, asked_to) = (command.changed_since, VecDeque::new(), None);
        Self { extent, changed_since, texts, asked_to }
    }

    /// The beginning of a message, or all of it, if it is read ahead. Those that are asked for next are read with it.
    pub(super) async fn take(
        &mut self,
        mailbox: &Rc<dyn Mailbox>,
        info: &MessageInfo,
        next: impl Iterator<Item = Uid>,
    ) -> Option<Bytes> {
        if let Some(text) = self.known(info.uid) {
            return Some(text);
        }
        // If others are known, this one was asked for, too.
        if !self.texts.is_empty() || self.asked_to.is_some_and(|asked_to| info.uid <= asked_to) {
            return None;
        }
        let uids = self.choose(mailbox, info, next);
        let (Some(last), true) = (uids.last(), uids.len() > 1) else { return None };
        self.asked_to = Some(*last);
        let Some(read) = mailbox.read_many(&uids, self.len()) else {
            self.extent = Extent::Nothing;
            return None;
        };
        // Which message an error is of is told when it is read by itself.
        self.texts = read.await.unwrap_or_default().into();
        self.known(info.uid)
    }

    /// The text of a message that was read. Those before it are not needed any more.
    fn known(&mut self, uid: Uid) -> Option<Bytes> {
        while self.texts.front().is_some_and(|(of, _)| *of < uid) {
            self.texts.pop_front();
        }
        match self.texts.front() {
            Some((of, _)) if *of == uid => self.texts.pop_front().map(|(_, text)| text),
            _ => None,
        }
    }

    /// Most bytes of a message.
    fn len(&self) -> usize {
        if self.extent == Extent::Header { HEADER_LEN } else { READ_LEN_MAX }
    }

    /// The messages of a request, from this one on.
    fn choose(
        &self,
        mailbox: &Rc<dyn Mailbox>,
        info: &MessageInfo,
        next: impl Iterator<Item = Uid>,
    ) -> Vec<Uid> {
        let mut uids = Vec::new();
        let Some(mut room) = self.needed(info) else { return uids };
        room = READ_LEN_MAX.saturating_sub(room);
        uids.push(info.uid);
        for uid in next.take(LOOKED_AT_MAX) {
            let Some(info) = mailbox.message(uid) else { continue };
            if self.changed_since.is_some_and(|since| info.mod_seq.get() <= since) {
                continue;
            }
            let needed = self.needed(&info).filter(|needed| *needed <= room);
            let (Some(needed), true) = (needed, uids.len() < MESSAGES_MAX) else { break };
            room -= needed;
            uids.push(uid);
        }
        uids
    }

    /// How many bytes are read of a message, if it is read ahead.
    fn needed(&self, info: &MessageInfo) -> Option<usize> {
        let size = usize::try_from(info.size).unwrap_or(usize::MAX);
        match self.extent {
            Extent::Nothing => None,
            Extent::Header => Some(size.min(HEADER_LEN)),
            Extent::Whole => (size <= READ_LEN_MAX).then_some(size),
        }
    }
}

fn extent(item: &FetchItem) -> Extent {
    match item {
        FetchItem::Envelope | FetchItem::Rfc822Header => Extent::Header,
        FetchItem::Body | FetchItem::BodyStructure => Extent::Whole,
        FetchItem::Rfc822 | FetchItem::Rfc822Text => Extent::Whole,
        FetchItem::Section { section, partial, .. } => extent_of(section, *partial),
        _ => Extent::Nothing,
    }
}

fn extent_of(section: &Section, partial: Option<(u32, u32)>) -> Extent {
    let is_header = matches!(
        section.text,
        Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_))
    );
    match partial {
        _ if !section.part.is_empty() => Extent::Whole,
        _ if is_header => Extent::Header,
        None => Extent::Whole,
        Some((from, len)) if u64::from(from) + u64::from(len) <= HEADER_LEN as u64 => {
            Extent::Header
        }
        // A part of long messages is read by itself.
        Some(_) => Extent::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_is_read_ahead() {
        let section =
            |section: Section, partial| FetchItem::Section { section, is_peek: true, partial };
        for (item, expected) in [
            (FetchItem::Flags, Extent::Nothing),
            (FetchItem::Size, Extent::Nothing),
            (FetchItem::Envelope, Extent::Header),
            (FetchItem::Rfc822Header, Extent::Header),
            (FetchItem::BodyStructure, Extent::Whole),
            (FetchItem::Rfc822Text, Extent::Whole),
            (section(Section::header(), None), Extent::Header),
            (section(Section::all(), None), Extent::Whole),
            (section(Section::body(), None), Extent::Whole),
            (section(Section::all(), Some((0, 200))), Extent::Header),
            (section(Section::all(), Some((0, u32::MAX))), Extent::Nothing),
            (section(Section::all(), Some((u32::MAX, u32::MAX))), Extent::Nothing),
        ] {
            assert_eq!(extent(&item), expected, "{item:?}");
        }
    }
}
