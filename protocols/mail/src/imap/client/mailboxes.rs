//! Commands about mailboxes.

use sinew_transports::reactor::Deferred;

use super::{
    ImapClient, ImapError, MailboxView, MessageSource,
    request::{Reply, Request},
};
use crate::imap::codec::{
    AppendCommand, Code, CommandBody, Content, Data, DateTime, FetchData, Flag, ListAttribute,
    ListCommand, ListEntry, ListReturn, ListSelection, MailboxName, Pattern, QResync,
    SelectCommand, SequenceSet, StatusItem,
};

/// What SELECT has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selected {
    /// What is known of the mailbox.
    pub view: MailboxView,
    /// The UIDs that are gone since what [`QResync`] says.
    pub vanished: Vec<SequenceSet>,
    /// Messages that were changed since then: their numbers, with their UIDs and flags.
    pub changed: Vec<(u32, Vec<FetchData>)>,
}

/// A mailbox with its status.
pub type ListedStatus = (MailboxName, Vec<(StatusItem, u64)>);

/// Where messages were appended or copied to, with UIDPLUS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// The validity of UIDs there.
    pub uid_validity: u32,
    /// The UIDs that the messages had.
    pub from: SequenceSet,
    /// The UIDs that the copies have, in the same order.
    pub to: SequenceSet,
}

impl ImapClient {
    /// Selects a mailbox.
    pub fn select(&self, mailbox: MailboxName) -> Deferred<MailboxView, ImapError> {
        self.open(SelectCommand::new(mailbox), false).map(|selected| Ok(selected?.view))
    }

    /// Selects a mailbox, to read it only.
    pub fn examine(&self, mailbox: MailboxName) -> Deferred<MailboxView, ImapError> {
        self.open(SelectCommand::new(mailbox), true).map(|selected| Ok(selected?.view))
    }

    /// Selects a mailbox, and turns modification sequences on (RFC 7162).
    pub fn select_condstore(&self, mailbox: MailboxName) -> Deferred<MailboxView, ImapError> {
        if let Err(error) = self.needs_one_of(&["CONDSTORE", "QRESYNC"]) {
            return self.fail(error);
        }
        let mut select = SelectCommand::new(mailbox);
        select.has_condstore = true;
        self.open(select, false).map(|selected| Ok(selected?.view))
    }

    /// Selects a mailbox, and learns what has changed since then (RFC 7162). QRESYNC must have been [enabled](Self::enable).
    pub fn select_qresync(
        &self,
        mailbox: MailboxName,
        known: QResync,
    ) -> Deferred<Selected, ImapError> {
        if let Err(error) = self.needs_one_of(&["QRESYNC"]) {
            return self.fail(error);
        }
        let mut select = SelectCommand::new(mailbox);
        select.qresync = Some(known);
        self.open(select, false)
    }

    pub(super) fn needs_one_of(&self, names: &[&'static str]) -> Result<(), ImapError> {
        let capabilities = self.shared().capabilities.borrow();
        match names.iter().any(|name| capabilities.has(name)) {
            true => Ok(()),
            false => Err(ImapError::Needs { capability: names[0] }),
        }
    }

    fn open(&self, select: SelectCommand, is_read_only: bool) -> Deferred<Selected, ImapError> {
        let (body, command) = match is_read_only {
            true => (CommandBody::Examine(select), "EXAMINE"),
            false => (CommandBody::Select(select), "SELECT"),
        };
        let shared = std::rc::Rc::clone(self.shared());
        self.ask(body).map(move |reply| {
            let (mut vanished, mut changed) = (Vec::new(), Vec::new());
            for data in reply?.data {
                match data {
                    Data::Vanished { uids, .. } => vanished.push(uids),
                    Data::Fetch { number, items } => changed.push((number, items)),
                    _ => {}
                }
            }
            let view = shared.view.borrow().clone();
            let view = view.ok_or(ImapError::Incomplete { command, missing: "a mailbox" })?;
            Ok(Selected { view, vanished, changed })
        })
    }

    /// Leaves the mailbox, and expunges what is deleted. Without telling which.
    pub fn close_mailbox(&self) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Close)
    }

    /// Leaves the mailbox, and expunges nothing (RFC 3691).
    pub fn unselect(&self) -> Deferred<(), ImapError> {
        match self.needs("UNSELECT") {
            Ok(()) => self.tell(CommandBody::Unselect),
            Err(error) => self.fail(error),
        }
    }

    /// Mailboxes that match a pattern: `*` for all.
    pub fn list(&self, pattern: Pattern) -> Deferred<Vec<ListEntry>, ImapError> {
        self.list_with(ListCommand::new(pattern)).map(|listed| Ok(listed?.0))
    }

    /// LIST in any form, with the status of mailboxes if it was asked for.
    pub fn list_with(
        &self,
        list: ListCommand,
    ) -> Deferred<(Vec<ListEntry>, Vec<ListedStatus>), ImapError> {
        if let Err(error) = self.needs_of_list(&list) {
            return self.fail(error);
        }
        self.ask(CommandBody::List(list)).map(|reply| {
            let (mut entries, mut statuses) = (Vec::new(), Vec::new());
            for data in reply?.data {
                match data {
                    Data::List(entry) => entries.push(entry),
                    Data::Status(mailbox, values) => statuses.push((mailbox, values)),
                    _ => {}
                }
            }
            Ok((entries, statuses))
        })
    }

    fn needs_of_list(&self, list: &ListCommand) -> Result<(), ImapError> {
        if list.needs_extension() {
            self.needs("LIST-EXTENDED")?;
        }
        let is_status = |what: &ListReturn| matches!(what, ListReturn::Status(_));
        if list.returns.iter().any(is_status) {
            self.needs("LIST-STATUS")?;
        }
        let has_use = list.selection.contains(&ListSelection::SpecialUse)
            || list.returns.contains(&ListReturn::SpecialUse);
        if has_use {
            self.needs("SPECIAL-USE")?;
        }
        Ok(())
    }

    /// Mailboxes that are subscribed to.
    pub fn lsub(&self, pattern: Pattern) -> Deferred<Vec<ListEntry>, ImapError> {
        let reference = Pattern::default();
        self.ask(CommandBody::Lsub { reference, pattern }).map(|reply| {
            let entries = reply?.data.into_iter().filter_map(|data| match data {
                Data::Lsub(entry) => Some(entry),
                _ => None,
            });
            Ok(entries.collect())
        })
    }

    /// Numbers of a mailbox that is not selected.
    pub fn status(
        &self,
        mailbox: MailboxName,
        items: impl Into<Vec<StatusItem>>,
    ) -> Deferred<Vec<(StatusItem, u64)>, ImapError> {
        let items = items.into();
        self.ask(CommandBody::Status { mailbox: mailbox.clone(), items }).map(move |reply| {
            let found = reply?.data.into_iter().find_map(|data| match data {
                Data::Status(name, values) if name == mailbox => Some(values),
                _ => None,
            });
            found.ok_or(ImapError::Incomplete { command: "STATUS", missing: "the status" })
        })
    }

    /// Makes a mailbox.
    pub fn create(&self, mailbox: MailboxName) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Create { mailbox, special_use: Vec::new() })
    }

    /// Makes a mailbox for special uses (RFC 6154).
    pub fn create_special(
        &self,
        mailbox: MailboxName,
        special_use: impl Into<Vec<ListAttribute>>,
    ) -> Deferred<(), ImapError> {
        match self.needs_one_of(&["CREATE-SPECIAL-USE"]) {
            Ok(()) => self.tell(CommandBody::Create { mailbox, special_use: special_use.into() }),
            Err(error) => self.fail(error),
        }
    }

    /// Deletes a mailbox, with all messages.
    pub fn delete(&self, mailbox: MailboxName) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Delete(mailbox))
    }

    /// Renames a mailbox. From the inbox, its messages are moved.
    pub fn rename(&self, from: MailboxName, to: MailboxName) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Rename { from, to })
    }

    /// Subscribes to a mailbox.
    pub fn subscribe(&self, mailbox: MailboxName) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Subscribe(mailbox))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, mailbox: MailboxName) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Unsubscribe(mailbox))
    }

    /// Appends a message to a mailbox, as it is read. Returns the validity of UIDs there and its UID, with UIDPLUS.
    pub fn append(
        &self,
        mailbox: MailboxName,
        message: impl Into<MessageSource>,
        flags: impl Into<Vec<Flag>>,
        date: Option<DateTime>,
    ) -> Deferred<Option<(u32, u32)>, ImapError> {
        let source = message.into();
        // A server that does not know such literals may take the message for commands.
        if source.is_binary
            && let Err(error) = self.needs("BINARY")
        {
            return self.fail(error);
        }
        let mut append = AppendCommand::new(mailbox, Content::Streamed { len: source.len });
        (append.flags, append.date, append.is_binary) = (flags.into(), date, source.is_binary);
        let limit = self.capabilities().value("APPENDLIMIT").and_then(|limit| limit.parse().ok());
        if let Some(max) = limit.filter(|max| source.len > *max) {
            let error = crate::imap::codec::EncodeError::LiteralTooLong { len: source.len, max };
            return self.fail(error.into());
        }
        let (promise, deferred) = self.reactor().promise();
        let body = CommandBody::Append(append);
        self.shared().push(Request { body, source: Some(source), sink: None, promise });
        deferred.map(|reply: Result<Reply, ImapError>| {
            Ok(match reply?.status.code {
                Some(Code::AppendUid(validity, uids)) => {
                    uids.ranges(0).next().map(|(uid, _)| (validity, uid))
                }
                _ => None,
            })
        })
    }
}
