//! The mailbox that a session has selected, and what it was told of it: [`Selected`].
//!
//! A session remembers up to which change it was told of new messages and flags, and up to which one of messages that are gone: these
//! two may differ, since EXPUNGE may not be told at all times (RFC 3501 7.4.1). What is in between is in the mailbox, not here; but what is
//! being told is: a change of 100,000 messages is told in pieces, so that no client has to be given all of them at once. A message that is
//! gone keeps its number until its piece is told, and so do those behind it.

use std::rc::Rc;

use super::{
    uid_ranges::{difference, first_ranges},
    view::View,
};
use crate::store::{Mailbox, MessageInfo, ModSeq, Uid, UidSet, Watch};

/// What a session has enabled, as far as it changes what it is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enabled {
    /// CONDSTORE: modification sequences are told.
    pub(super) condstore: bool,
    /// QRESYNC: VANISHED is told in place of EXPUNGE.
    pub(super) qresync: bool,
}

/// How many messages' flags are told before there has to be room for more.
const FLAGS_IN_PIECE: usize = 500;

/// The same of messages that are gone, or ranges of them in VANISHED.
const GONE_IN_PIECE: usize = 1_000;

/// When changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// After FETCH, STORE or SEARCH by numbers: no message may go.
    NumbersAreUsed,
    /// After another command, or in IDLE.
    Any,
}

/// Messages whose flags the client knows already: it has changed them itself.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) uids: UidSet,
    pub(super) mod_seq: Option<ModSeq>,
}

pub(super) struct Selected {
    pub(super) mailbox: Rc<dyn Mailbox>,
    pub(super) is_read_only: bool,
    pub(super) view: View,
    /// The messages that are `\Recent` here.
    pub(super) recent: UidSet,
    /// Up to here, new messages and flags were told.
    seen: ModSeq,
    /// Up to here, messages that are gone were told.
    expunged: ModSeq,
    /// What was noted by then, and is told next.
    untold: Option<Box<Untold>>,
    /// In IDLE.
    pub(super) watch: Option<Watch>,
}

/// What is told in pieces, as the client receives it.
#[derive(Debug)]
struct Untold {
    /// The messages that are gone. They are in the view until they are told.
    gone: UidSet,
    /// The messages whose flags have changed.
    flags: UidSet,
    /// The number up to which all was told before.
    before: ModSeq,
}

impl Selected {
    /// A mailbox that is opened: all its messages as they are now.
    pub(super) fn new(mailbox: Rc<dyn Mailbox>, is_read_only: bool) -> Self {
        let seen = mailbox.status().highest_mod_seq;
        let mut view = View::default();
        mailbox.uids().into_iter().for_each(|uid| view.push(uid));
        let recent = if is_read_only { UidSet::new() } else { mailbox.claim_recent() };
        Self {
            mailbox,
            is_read_only,
            view,
            recent,
            seen,
            expunged: seen,
            untold: None,
            watch: None,
        }
    }

    /// The number of the last change that was told.
    pub(super) fn highest(&self) -> ModSeq {
        let all = self.seen.min(self.expunged);
        self.untold.as_ref().map_or(all, |untold| untold.before)
    }

    /// Writes a piece of what has changed since the client was told last: so many messages that are gone, or flags of so many, at most.
    /// Whether more is left.
    pub(super) fn write_changes(
        &mut self,
        out: &mut Vec<u8>,
        occasion: Occasion,
        enabled: Enabled,
        known: &Known,
    ) -> bool {
        let new = self.note_changes(occasion, known);
        let mut untold = self.untold.take();
        if let (Occasion::Any, Some(untold)) = (occasion, &mut untold) {
            self.write_gone(out, &mut untold.gone, enabled);
        }
        self.write_new(out, &new);
        let Some(mut untold) = untold else { return false };
        let has_more_gone = occasion == Occasion::Any && !untold.gone.is_empty();
        if !has_more_gone {
            let some: UidSet = untold.flags.iter().take(FLAGS_IN_PIECE).collect();
            some.iter().for_each(|uid| self.write_flags(out, uid, enabled));
            untold.flags = difference(&untold.flags, &some);
        }
        let has_more = has_more_gone || !untold.flags.is_empty();
        if has_more || !untold.gone.is_empty() {
            self.untold = Some(untold);
        }
        has_more
    }

    /// Notes which messages are gone and whose flags have changed, and returns those that are new or have changed.
    fn note_changes(&mut self, occasion: Occasion, known: &Known) -> Vec<Uid> {
        let highest = self.mailbox.status().highest_mod_seq;
        if highest <= self.seen
            && (highest <= self.expunged || occasion == Occasion::NumbersAreUsed)
        {
            return Vec::new();
        }
        let before = self.highest();
        let none = || Box::new(Untold { gone: UidSet::new(), flags: UidSet::new(), before });
        let mut untold = self.untold.take().unwrap_or_else(none);
        let changes = self.mailbox.changes_since(self.seen);
        if occasion == Occasion::Any {
            let vanished = match self.expunged == self.seen {
                true => changes.vanished,
                false => self.mailbox.changes_since(self.expunged).vanished,
            };
            let vanished = vanished.unwrap_or_else(|| self.missing());
            vanished.ranges().for_each(|range| untold.gone.insert_range(range));
            self.expunged = changes.highest;
        } else if self.expunged == self.seen
            && changes.vanished.as_ref().is_some_and(UidSet::is_empty)
        {
            self.expunged = changes.highest;
        }
        let is_known = |uid| {
            let mod_seq = || self.mailbox.message(uid).map(|info| info.mod_seq);
            known.mod_seq.is_some() && known.uids.contains(uid) && known.mod_seq == mod_seq()
        };
        for uid in changes.changed.iter().filter(|uid| !is_known(**uid)) {
            untold.flags.insert(*uid);
        }
        self.seen = changes.highest;
        self.untold = Some(untold);
        changes.changed
    }

    /// The messages of the view that the mailbox does not have any more.
    fn missing(&self) -> UidSet {
        let mut left = View::default();
        self.mailbox.uids().into_iter().for_each(|uid| left.push(uid));
        let mut view = self.view.clone();
        drop(view.remove(&left.all()));
        view.all()
    }

    /// Tells a piece of the messages that are gone: their numbers, or ranges of UIDs.
    fn write_gone(&mut self, out: &mut Vec<u8>, gone: &mut UidSet, enabled: Enabled) {
        let some: UidSet = match enabled.qresync {
            true => first_ranges(gone, GONE_IN_PIECE),
            false => gone.iter().take(GONE_IN_PIECE).collect(),
        };
        if some.is_empty() {
            return;
        }
        *gone = difference(gone, &some);
        let (told, numbers) = self.view.remove(&some);
        if enabled.qresync && !told.is_empty() {
            line(out, format_args!("* VANISHED {told}"));
        } else if !enabled.qresync {
            numbers.iter().for_each(|number| line(out, format_args!("* {number} EXPUNGE")));
        }
    }

    /// Messages behind those of the view.
    fn write_new(&mut self, out: &mut Vec<u8>, changed: &[Uid]) {
        let before = self.view.len();
        let last = self.view.last().unwrap_or_default();
        changed.iter().filter(|uid| uid.get() > last).for_each(|uid| self.view.push(*uid));
        if self.view.len() == before {
            return;
        }
        if !self.is_read_only {
            let claimed = self.mailbox.claim_recent();
            for range in claimed.ranges() {
                self.recent.insert_range(range);
            }
        }
        line(out, format_args!("* {} EXISTS", self.view.len()));
        line(out, format_args!("* {} RECENT", self.recent_count()));
    }

    /// How many messages of the view are recent here.
    pub(super) fn recent_count(&self) -> u64 {
        let ranges = self.recent.ranges().map(|range| (range.start().get(), range.end().get()));
        self.view.of_uids(ranges).len()
    }

    /// The flags of a message, if it is there.
    pub(super) fn write_flags(&self, out: &mut Vec<u8>, uid: Uid, enabled: Enabled) {
        let (Some(number), Some(info)) = (self.view.number(uid), self.mailbox.message(uid)) else {
            return;
        };
        out.extend_from_slice(format!("* {number} FETCH (").as_bytes());
        if enabled.condstore || enabled.qresync {
            out.extend_from_slice(format!("UID {uid} MODSEQ ({}) ", info.mod_seq).as_bytes());
        }
        self.write_flag_list(out, &info);
        out.extend_from_slice(b")\r\n");
    }

    /// `FLAGS (…)`.
    pub(super) fn write_flag_list(&self, out: &mut Vec<u8>, info: &MessageInfo) {
        let recent = if self.recent.contains(info.uid) { "\\Recent" } else { "" };
        let space = if recent.is_empty() || info.flags.is_empty() { "" } else { " " };
        out.extend_from_slice(format!("FLAGS ({recent}{space}{})", info.flags).as_bytes());
    }
}

impl std::fmt::Debug for Selected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selected")
            .field("mailbox", &self.mailbox.name())
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

/// Writes a line.
pub(super) fn line(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.extend_from_slice(text.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}
