//! What a server tells without being asked: [`Event`], and what is known of the selected mailbox: [`MailboxView`].

use crate::imap::codec::{
    Code, Data, FetchData, Flag, MailboxName, PlainCode, SequenceSet, StatusText,
};

/// What a server tells without being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The mailbox has so many messages now.
    Exists(u32),
    /// So many of them are recent.
    Recent(u32),
    /// The message with this number is gone, and those behind it have moved up.
    Expunged(u32),
    /// The messages with these UIDs are gone, and those behind them have moved up. Only if QRESYNC was enabled.
    Vanished(SequenceSet),
    /// The flags of a message have changed, or something else of it.
    Changed {
        /// Its number.
        number: u32,
        /// Its UID, if the server has told it.
        uid: Option<u32>,
        /// All its flags.
        flags: Option<Vec<Flag>>,
        /// Its modification sequence.
        modseq: Option<u64>,
    },
    /// Something that users have to see (RFC 9051 7.1: the code ALERT).
    Alert(StatusText),
    /// The server is about to close the connection.
    Bye(StatusText),
    /// IDLE was refused, or ended by the server. It is not tried again until [`idle`](super::ImapClient::idle) is called again.
    IdleRefused(StatusText),
    /// So many events were dropped, since nobody has taken them: what is known of the mailbox is not complete.
    Missed(u64),
}

/// What is known of the selected mailbox. Kept up to date by what the server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxView {
    /// Its name.
    pub name: MailboxName,
    /// Whether nothing can be changed.
    pub is_read_only: bool,
    /// How many messages there are.
    pub exists: u32,
    /// How many of them are recent.
    pub recent: u32,
    /// The validity of the UIDs. `None` if they have none: they mean nothing in the next session.
    pub uid_validity: Option<u32>,
    /// The UID that the next message is expected to have.
    pub uid_next: Option<u32>,
    /// The highest modification sequence. `None` if the mailbox has none, or it was not asked for.
    pub highest_modseq: Option<u64>,
    /// The flags that messages have.
    pub flags: Vec<Flag>,
    /// The flags that can be changed for good.
    pub permanent_flags: Vec<Flag>,
}

impl MailboxView {
    pub(super) fn new(name: MailboxName, is_read_only: bool) -> Self {
        Self {
            name,
            is_read_only,
            exists: 0,
            recent: 0,
            uid_validity: None,
            uid_next: None,
            highest_modseq: None,
            flags: Vec::new(),
            permanent_flags: Vec::new(),
        }
    }

    pub(super) fn note_code(&mut self, code: &Code) {
        match code {
            Code::UidValidity(validity) => self.uid_validity = Some(*validity),
            Code::UidNext(uid) => self.uid_next = Some(*uid),
            Code::HighestModSeq(modseq) => self.highest_modseq = Some(*modseq),
            Code::PermanentFlags(flags) => self.permanent_flags.clone_from(flags),
            Code::Plain(PlainCode::ReadOnly) => self.is_read_only = true,
            Code::Plain(PlainCode::ReadWrite) => self.is_read_only = false,
            Code::Plain(PlainCode::NoModSeq) => self.highest_modseq = None,
            _ => {}
        }
    }

    pub(super) fn note(&mut self, data: &Data) {
        match data {
            Data::Exists(count) => self.exists = *count,
            Data::Recent(count) => self.recent = *count,
            Data::Expunge(number) if *number <= self.exists => self.exists -= 1,
            Data::Vanished { is_earlier: false, uids } => {
                // A count that is larger than what is there is an error of the server.
                let gone = u32::try_from(uids.count(0)).unwrap_or(u32::MAX);
                self.exists = self.exists.saturating_sub(gone);
            }
            Data::Flags(flags) => self.flags.clone_from(flags),
            Data::Fetch { items, .. } => {
                let modseq = items.iter().find_map(|item| match item {
                    FetchData::ModSeq(modseq) => Some(*modseq),
                    _ => None,
                });
                if let (Some(modseq), Some(highest)) = (modseq, self.highest_modseq) {
                    self.highest_modseq = Some(highest.max(modseq));
                }
            }
            _ => {}
        }
    }
}

impl Event {
    /// How much memory it takes, about.
    pub(super) fn memory(&self) -> u64 {
        let more = match self {
            Self::Vanished(uids) => size_of_val(uids.parts()),
            // Each has a name of its own.
            Self::Changed { flags: Some(flags), .. } => 2 * size_of_val(flags.as_slice()),
            Self::Alert(status) | Self::Bye(status) | Self::IdleRefused(status) => {
                status.text.len()
            }
            _ => 0,
        };
        (size_of::<Self>() + more) as u64
    }

    /// What data tell of the mailbox.
    pub(super) fn of(data: &Data) -> Option<Self> {
        Some(match data {
            Data::Exists(count) => Self::Exists(*count),
            Data::Recent(count) => Self::Recent(*count),
            Data::Expunge(number) => Self::Expunged(*number),
            Data::Vanished { is_earlier: false, uids } => Self::Vanished(uids.clone()),
            Data::Fetch { number, items } => {
                let (mut uid, mut flags, mut modseq) = (None, None, None);
                for item in items {
                    match item {
                        FetchData::Uid(value) => uid = Some(*value),
                        FetchData::Flags(value) => flags = Some(value.clone()),
                        FetchData::ModSeq(value) => modseq = Some(*value),
                        _ => {}
                    }
                }
                if flags.is_none() && modseq.is_none() {
                    return None;
                }
                Self::Changed { number: *number, uid, flags, modseq }
            }
            _ => return None,
        })
    }
}
