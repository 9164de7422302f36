//! An open mailbox: the trait [`Mailbox`], and [`Append`] for a message that is added.
//!
//! What is known of the messages is in memory and given at once. It changes only in the loop, in calls of its own: what is asked in one
//! callback fits together. Text is read in pieces, and changes are made on the disk, so both are a [`Deferred`].

use std::rc::Rc;

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    Appended, Changes, Copied, ExclusiveLock, FlagChange, Keyword, MailboxName, MessageInfo,
    ModSeq, NewMessage, Status, StoreError, Uid, UidSet, Watch,
};

/// A mailbox that is open. Several sessions have it open at once; each sees the changes of the others with
/// [`changes_since`](Self::changes_since), when it asks.
///
/// A deferred of a change that is dropped does not take the change back: it is done whole, or is not begun.
pub trait Mailbox: 'static {
    /// Its name, which changes if it is renamed.
    fn name(&self) -> MailboxName;

    /// Whether it was deleted since it was opened. It is empty then, and all that changes it fails with
    /// [`StoreError::NoSuchMailbox`].
    fn is_deleted(&self) -> bool;

    /// Its numbers.
    fn status(&self) -> Status;

    /// The keywords that messages of it have, or had.
    fn keywords(&self) -> Vec<Keyword>;

    /// Whether others can be added to [`keywords`](Self::keywords): `\*` in PERMANENTFLAGS.
    fn takes_new_keywords(&self) -> bool;

    /// The UIDs of all messages, ascending: four bytes for each.
    fn uids(&self) -> Vec<Uid>;

    /// What is known of a message.
    fn message(&self, uid: Uid) -> Option<MessageInfo>;

    /// What is known of the messages from this UID on, of so many at most. For a whole mailbox, ask on behind the last: what is then in
    /// memory at once has a bound.
    fn messages(&self, from: Uid, max: usize) -> Vec<MessageInfo>;

    /// What has changed after this number. A session remembers [`Changes::highest`] for the next time.
    fn changes_since(&self, since: ModSeq) -> Changes;

    /// The messages that are `\Recent` for the session that asks (RFC 3501 2.3.2), and for no other: those that have arrived since it was
    /// asked last. A session that has the mailbox read-only does not ask.
    fn claim_recent(&self) -> UidSet;

    /// Has the loop call this when something has changed, until the returned guard is dropped: once for all changes of a turn. If other
    /// processes may change the mailbox, a store looks after it as long as anyone watches.
    fn watch(&self, changed: Rc<dyn Fn(&Reactor)>) -> Watch;

    /// Looks for what other processes have changed.
    fn refresh(&self) -> Deferred<(), StoreError>;

    /// Locks it for a POP3 session (RFC 1939 4): no other gets the lock until this one is dropped. Others can read and change the mailbox
    /// as before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] at once if another session has it, in this process or another.
    fn lock(&self) -> Deferred<ExclusiveLock, StoreError>;

    /// A part of a message, from this offset on: so many bytes at most, and 64 KiB at most ([`READ_LEN_MAX`](super::READ_LEN_MAX)). Less
    /// does not mean that it is the end: that is where no bytes are given. Lines end in CRLF, whatever the disk has; offsets count these.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMessage`].
    fn read(&self, uid: Uid, offset: u64, len: usize) -> Deferred<Bytes, StoreError>;

    /// The beginnings of several messages, by one request: of each of them what [`read`](Self::read) gives from offset 0, in the order of
    /// the list. All of them together are at most 64 KiB ([`READ_LEN_MAX`](super::READ_LEN_MAX)). Messages that are gone or cannot be read
    /// are left out, and so may be others, such as those for which there is no room: who needs them asks [`read`](Self::read), which says
    /// why.
    ///
    /// `None`, as by default, from a store that gains nothing by it. One that reads in other threads or from a server does: a session
    /// that sends many small messages has it begin and end one job for many of them.
    ///
    /// # Errors
    ///
    /// [`StoreError::GivenUp`] if nothing was read.
    fn read_many(
        &self,
        uids: &[Uid],
        len: usize,
    ) -> Option<Deferred<Vec<(Uid, Bytes)>, StoreError>> {
        let _ = (uids, len);
        None
    }

    /// Begins to add a message. See [`Account::deliver`](super::Account::deliver).
    ///
    /// # Errors
    ///
    /// [`StoreError::OverQuota`] or [`StoreError::TooLarge`] if that is known by now.
    fn append(&self, message: NewMessage) -> Deferred<Box<dyn Append>, StoreError>;

    /// Changes the flags of those of these messages that are there, and that have not changed after `unchanged_since` (RFC 7162 3.1.3).
    /// Keywords for which there is no room in the mailbox are not set.
    fn set_flags(
        &self,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Deferred<FlagsSet, StoreError>;

    /// Removes those of these messages that are there, and returns which. It cannot be undone.
    fn expunge(&self, uids: &UidSet, which: Expunge) -> Deferred<UidSet, StoreError>;

    /// Copies those of these messages that are there, with their flags and dates: all of them or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`] for `to`; [`StoreError::OverQuota`]; [`StoreError::TooMany`].
    fn copy(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError>;

    /// Moves those of these messages that are there (RFC 6851). Each is in one of the mailboxes at any time. If it fails, some may have
    /// been moved.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`] for `to`; [`StoreError::TooMany`].
    fn move_to(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError>;
}

/// A message that is being added. One that is dropped leaves nothing.
pub trait Append: 'static {
    /// Adds the next piece of its text: lines that end in CRLF. A bare LF becomes one. Write the next piece when the deferred is
    /// resolved: that is what bounds the memory. One that was not waited for is written in its turn.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`]; [`StoreError::OverQuota`]; [`StoreError::Io`]. The message cannot be finished after one.
    fn write(&mut self, piece: Bytes) -> Deferred<(), StoreError>;

    /// The text is complete. When the deferred is resolved, the message is on the disk, and others see it.
    ///
    /// # Errors
    ///
    /// As for [`write`](Self::write); that of a `write` before, if it had one; [`StoreError::TooMany`].
    fn finish(self: Box<Self>) -> Deferred<Appended, StoreError>;
}

/// Which messages are expunged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expunge {
    /// All that are named.
    All,
    /// Those of them that have `\Deleted`, by then.
    Deleted,
}

/// What [`set_flags`](Mailbox::set_flags) has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlagsSet {
    /// The messages that have the flags now, whether or not they had them before. Those of them that have changed have this `mod_seq`.
    pub done: UidSet,
    /// Those that have changed after `unchanged_since`, and were left as they are: MODIFIED.
    pub modified: UidSet,
    /// The highest number of the mailbox afterwards.
    pub mod_seq: ModSeq,
}

impl FlagsSet {
    /// Nothing was done, and the mailbox is at this number.
    #[must_use]
    pub const fn new(mod_seq: ModSeq) -> Self {
        Self { done: UidSet::new(), modified: UidSet::new(), mod_seq }
    }
}
