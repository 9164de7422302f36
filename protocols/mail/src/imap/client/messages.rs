//! Commands about messages of the selected mailbox.

use sinew_transports::reactor::Deferred;

use super::{
    Copied, FetchSink, ImapClient, ImapError,
    request::{Reply, Request},
};
use crate::imap::codec::{
    Code, CommandBody, Content, CopyCommand, Data, ESearch, FetchCommand, FetchData, FetchItem,
    Flag, MailboxName, MessageEnvelope, SearchCommand, SearchKey, SearchReturn, SequenceSet,
    StoreAction, StoreCommand,
};

/// What the server has told of a message. Some servers tell the items of a message in several responses, each of which is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Its number.
    pub number: u32,
    /// The items.
    pub items: Vec<FetchData>,
}

/// What STORE has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The new flags, as far as the server has told them.
    pub messages: Vec<Fetched>,
    /// The messages that were changed by somebody else, and are left as they are (RFC 7162).
    pub modified: Option<SequenceSet>,
}

impl Fetched {
    /// The UID.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.items.iter().find_map(|item| match item {
            FetchData::Uid(uid) => Some(*uid),
            _ => None,
        })
    }

    /// The flags.
    #[must_use]
    pub fn flags(&self) -> Option<&[Flag]> {
        self.items.iter().find_map(|item| match item {
            FetchData::Flags(flags) => Some(flags.as_slice()),
            _ => None,
        })
    }

    /// The envelope.
    #[must_use]
    pub fn envelope(&self) -> Option<&MessageEnvelope> {
        self.items.iter().find_map(|item| match item {
            FetchData::Envelope(envelope) => Some(&**envelope),
            _ => None,
        })
    }

    /// The contents of the first section.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        self.items.iter().find_map(FetchData::content)
    }
}

impl ImapClient {
    /// Items of messages, by number.
    pub fn fetch(
        &self,
        set: SequenceSet,
        items: impl Into<Vec<FetchItem>>,
    ) -> Deferred<Vec<Fetched>, ImapError> {
        self.fetch_with(FetchCommand::new(set, items))
    }

    /// Items of messages, by UID.
    pub fn uid_fetch(
        &self,
        uids: SequenceSet,
        items: impl Into<Vec<FetchItem>>,
    ) -> Deferred<Vec<Fetched>, ImapError> {
        self.fetch_with(FetchCommand::new(uids, items).by_uid())
    }

    /// FETCH in any form, kept in memory within the limits of the configuration.
    pub fn fetch_with(&self, fetch: FetchCommand) -> Deferred<Vec<Fetched>, ImapError> {
        if let Err(error) = self.needs_of_fetch(&fetch) {
            return self.fail(error);
        }
        self.ask(CommandBody::Fetch(fetch)).map(|reply| Ok(fetched(reply?.data)))
    }

    /// FETCH, whose data go to a sink as they arrive.
    pub fn fetch_into(&self, fetch: FetchCommand, sink: impl FetchSink) -> Deferred<(), ImapError> {
        if let Err(error) = self.needs_of_fetch(&fetch) {
            return self.fail(error);
        }
        let (promise, deferred) = self.reactor().promise();
        let (body, sink) = (CommandBody::Fetch(fetch), Some(Box::new(sink) as Box<dyn FetchSink>));
        self.shared().push(Request { body, source: None, sink, promise });
        deferred.map(|reply: Result<Reply, ImapError>| reply.map(drop))
    }

    fn needs_of_fetch(&self, fetch: &FetchCommand) -> Result<(), ImapError> {
        let is_binary =
            |item: &FetchItem| matches!(item, FetchItem::Binary { .. } | FetchItem::BinarySize(_));
        if fetch.items.iter().any(is_binary) {
            self.needs("BINARY")?;
        }
        if fetch.has_vanished {
            self.needs_one_of(&["QRESYNC"])?;
        }
        if fetch.changed_since.is_some() || fetch.items.contains(&FetchItem::ModSeq) {
            self.needs_one_of(&["CONDSTORE", "QRESYNC"])?;
        }
        Ok(())
    }

    /// The numbers of messages that fulfil a condition.
    pub fn search(&self, key: SearchKey) -> Deferred<Vec<u32>, ImapError> {
        self.search_numbers(key, false)
    }

    /// The UIDs of messages that fulfil a condition.
    pub fn uid_search(&self, key: SearchKey) -> Deferred<Vec<u32>, ImapError> {
        self.search_numbers(key, true)
    }

    fn search_numbers(&self, key: SearchKey, is_uid: bool) -> Deferred<Vec<u32>, ImapError> {
        let mut search = self.search_command(key);
        search.is_uid = is_uid;
        self.ask(CommandBody::Search(search)).map(|reply| {
            let mut found = Vec::new();
            for data in reply?.data {
                match data {
                    Data::Search { numbers, .. } => found.extend(numbers),
                    // IMAP4rev2 answers so. A range may be as long as a client can count, but not longer than the answer may be.
                    Data::ESearch(ESearch { all: Some(all), .. }) => {
                        if all.count(0).saturating_add(found.len() as u64) > NUMBERS_MAX {
                            return Err(ImapError::TooManyNumbers { max: NUMBERS_MAX });
                        }
                        found.extend(all.ranges(0).flat_map(|(from, to)| from..=to));
                    }
                    _ => {}
                }
            }
            Ok(found)
        })
    }

    /// A search that returns this, by ESEARCH (RFC 4731).
    pub fn esearch(
        &self,
        key: SearchKey,
        returns: impl Into<Vec<SearchReturn>>,
        is_uid: bool,
    ) -> Deferred<ESearch, ImapError> {
        if let Err(error) = self.needs("ESEARCH") {
            return self.fail(error);
        }
        let mut search = self.search_command(key);
        (search.is_uid, search.returns) = (is_uid, Some(returns.into()));
        self.ask(CommandBody::Search(search)).map(|reply| {
            let found = reply?.data.into_iter().find_map(|data| match data {
                Data::ESearch(found) => Some(found),
                _ => None,
            });
            found.ok_or(ImapError::Incomplete { command: "SEARCH", missing: "what was found" })
        })
    }

    /// A search, with the character set where it has to be named.
    fn search_command(&self, key: SearchKey) -> SearchCommand {
        let mut search = SearchCommand::new(key);
        // RFC 6855 3: not where quoted strings are UTF-8.
        if search.key.needs_charset() && !self.dialect().is_utf8() {
            search.charset = "UTF-8".parse().ok();
        }
        search
    }

    /// Changes flags.
    pub fn store(&self, store: StoreCommand) -> Deferred<Stored, ImapError> {
        if store.unchanged_since.is_some()
            && let Err(error) = self.needs_one_of(&["CONDSTORE", "QRESYNC"])
        {
            return self.fail(error);
        }
        self.ask(CommandBody::Store(store)).map(|reply| {
            let Reply { status, data, .. } = reply?;
            let modified = match status.code {
                Some(Code::Modified(set)) => Some(set),
                _ => None,
            };
            Ok(Stored { messages: fetched(data), modified })
        })
    }

    /// Sets flags of messages, by UID.
    pub fn add_flags(
        &self,
        uids: SequenceSet,
        flags: impl Into<Vec<Flag>>,
    ) -> Deferred<Stored, ImapError> {
        self.store(StoreCommand::new(uids, StoreAction::Add, flags).by_uid())
    }

    /// Takes flags away from messages, by UID.
    pub fn remove_flags(
        &self,
        uids: SequenceSet,
        flags: impl Into<Vec<Flag>>,
    ) -> Deferred<Stored, ImapError> {
        self.store(StoreCommand::new(uids, StoreAction::Remove, flags).by_uid())
    }

    /// Copies messages. Returns where to, with UIDPLUS.
    pub fn copy(&self, copy: CopyCommand) -> Deferred<Option<Copied>, ImapError> {
        self.ask(CommandBody::Copy(copy)).map(|reply| reply.map(|reply| copied(&reply)))
    }

    /// Moves messages (RFC 6851). Returns where to, with UIDPLUS.
    pub fn move_messages(&self, copy: CopyCommand) -> Deferred<Option<Copied>, ImapError> {
        if let Err(error) = self.needs("MOVE") {
            return self.fail(error);
        }
        self.ask(CommandBody::Move(copy)).map(|reply| reply.map(|reply| copied(&reply)))
    }

    /// Copies messages by UID.
    pub fn uid_copy(
        &self,
        uids: SequenceSet,
        mailbox: MailboxName,
    ) -> Deferred<Option<Copied>, ImapError> {
        self.copy(CopyCommand::new(uids, mailbox).by_uid())
    }

    /// Moves messages by UID.
    pub fn uid_move(
        &self,
        uids: SequenceSet,
        mailbox: MailboxName,
    ) -> Deferred<Option<Copied>, ImapError> {
        self.move_messages(CopyCommand::new(uids, mailbox).by_uid())
    }

    /// Expunges all messages that are deleted. Which they were, [events](Self::events) tell.
    pub fn expunge(&self) -> Deferred<(), ImapError> {
        self.tell(CommandBody::Expunge(None))
    }

    /// Expunges those of these messages that are deleted (RFC 4315).
    pub fn uid_expunge(&self, uids: SequenceSet) -> Deferred<(), ImapError> {
        match self.needs("UIDPLUS") {
            Ok(()) => self.tell(CommandBody::Expunge(Some(uids))),
            Err(error) => self.fail(error),
        }
    }
}

/// Most numbers that the ranges of ESEARCH are expanded to, all together.
const NUMBERS_MAX: u64 = 16 * 1024 * 1024;

fn fetched(data: Vec<Data>) -> Vec<Fetched> {
    let messages = data.into_iter().filter_map(|data| match data {
        Data::Fetch { number, items } => Some(Fetched { number, items }),
        _ => None,
    });
    messages.collect()
}

fn copied(reply: &Reply) -> Option<Copied> {
    let statuses = reply.statuses.iter().chain([&reply.status]);
    statuses.filter_map(|status| status.code.as_ref()).find_map(|code| match code {
        Code::CopyUid(uid_validity, from, to) => {
            Some(Copied { uid_validity: *uid_validity, from: from.clone(), to: to.clone() })
        }
        _ => None,
    })
}
