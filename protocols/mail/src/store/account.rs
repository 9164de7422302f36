//! Who has mail, and in which mailboxes: the traits [`Store`] and [`Account`].

use std::rc::Rc;

use sinew_transports::reactor::{Deferred, Reactor};

use super::{Append, Mailbox, MailboxInfo, MailboxName, NewMessage, Quota, Status, StoreError};

/// Where the mail of all users is. The users of it are one reactor; a program of several has one store for each.
pub trait Store: 'static {
    /// The account of a user, who has logged in, or who receives mail.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchAccount`]; [`StoreError::UserName`] for a name that can be none, such as one with `/`.
    fn account(&self, reactor: &Reactor, user: &str) -> Deferred<Rc<dyn Account>, StoreError>;
}

/// The mailboxes of a user. `INBOX` is always there.
///
/// A deferred that is dropped does not take back what it was for: what was begun is done, or is not begun at all.
pub trait Account: 'static {
    /// All mailboxes, in the order of their names. Those that exist only as parts of other names are among them, and so are those that
    /// are subscribed and do not exist.
    fn mailboxes(&self) -> Deferred<Vec<MailboxInfo>, StoreError>;

    /// Makes a mailbox. Those that it is in need not exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyExists`]; [`StoreError::TooMany`].
    fn create(&self, name: &MailboxName) -> Deferred<(), StoreError>;

    /// Deletes a mailbox and its messages, but not the mailboxes in it (RFC 9051 6.3.5). Sessions that have it open are told so by
    /// [`Mailbox::watch`], and finds it empty.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::NotPermitted`] for the inbox.
    fn delete(&self, name: &MailboxName) -> Deferred<(), StoreError>;

    /// Renames a mailbox, and with it those in it. The inbox stays, empty: its messages are moved to a new mailbox (RFC 9051 6.3.6).
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::AlreadyExists`]; [`StoreError::NotPermitted`] to move one into itself;
    /// [`StoreError::Name`] if the name of one in it would be too long.
    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Deferred<(), StoreError>;

    /// Subscribes to a mailbox, whether or not it exists, or ends that.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooMany`].
    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Deferred<(), StoreError>;

    /// The numbers of a mailbox, without opening it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`].
    fn status(&self, name: &MailboxName) -> Deferred<Status, StoreError>;

    /// Opens a mailbox. All who have opened it with this store share its state; it is closed when the last of them drops it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`].
    fn open(&self, name: &MailboxName) -> Deferred<Rc<dyn Mailbox>, StoreError>;

    /// Begins to add a message, without opening the mailbox. Nothing of it is seen before [`Append::finish`].
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::OverQuota`] or [`StoreError::TooLarge`] if that is known by now.
    fn deliver(
        &self,
        name: &MailboxName,
        message: NewMessage,
    ) -> Deferred<Box<dyn Append>, StoreError>;

    /// What the account uses of what it may use.
    fn quota(&self) -> Deferred<Quota, StoreError>;

    /// Whether so much more fits in. What a store has noted about the account may be old by a few minutes when it says no: unlike
    /// [`quota`](Self::quota), this never counts all messages each time, and nothing at all where there is no limit.
    fn has_room(&self, bytes: u64, messages: u64) -> Deferred<bool, StoreError> {
        self.quota().map(move |quota| Ok(quota?.has_room(bytes, messages)))
    }
}
