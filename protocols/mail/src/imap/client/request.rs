//! A command on its way: [`Request`] waits to be sent, [`Reply`] is its answer. And which commands may be in flight together.

use sinew_transports::reactor::{DelayedCall, Promise};

use super::{FetchSink, ImapError, source::MessageSource};
use crate::imap::codec::{CommandBody, Data, FetchItem, ParseError, StatusText, Tag};

/// A command, with everything that belongs to it.
pub(super) struct Request {
    pub(super) body: CommandBody,
    /// The message of APPEND.
    pub(super) source: Option<MessageSource>,
    /// Where sections of FETCH go.
    pub(super) sink: Option<Box<dyn FetchSink>>,
    pub(super) promise: Promise<Reply, ImapError>,
}

/// A command that was sent, and is not answered.
pub(super) struct Pending {
    pub(super) tag: Tag,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) sink: Option<Box<dyn FetchSink>>,
    /// `None` once the time is up: the place is kept.
    pub(super) promise: Option<Promise<Reply, ImapError>>,
    pub(super) timer: Option<DelayedCall>,
    pub(super) data: Vec<Data>,
    /// Statuses with a code, before the answer.
    pub(super) statuses: Vec<StatusText>,
    /// Bytes of the responses in `data`.
    pub(super) len: u64,
    /// The first limit that was exceeded.
    pub(super) too_long: Option<u64>,
    /// What is wrong with the first response that could not be read.
    pub(super) unreadable: Option<ParseError>,
}

impl Pending {
    pub(super) fn new(tag: Tag, name: &'static str, kind: Kind) -> Self {
        Self {
            tag,
            name,
            kind,
            sink: None,
            promise: None,
            timer: None,
            data: Vec::new(),
            statuses: Vec::new(),
            len: 0,
            too_long: None,
            unreadable: None,
        }
    }
}

/// The answer to a command.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusText,
    pub(super) data: Vec<Data>,
    /// Statuses with a code, before the answer.
    pub(super) statuses: Vec<StatusText>,
}

/// What a command may be in flight with (RFC 9051 5.5), and what data belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing else: what it changes, all later commands depend on.
    Exclusive,
    /// The same, with data of messages: SELECT, EXAMINE.
    Select,
    /// Data of messages, FETCH or STORE.
    Messages {
        is_uid: bool,
        asks_for_flags: bool,
    },
    /// SEARCH, which may have numbers among its conditions, also by UID.
    Search {
        is_uid: bool,
        has_numbers: bool,
    },
    /// A copy of messages.
    Copy {
        is_uid: bool,
    },
    /// LIST, with the status of mailboxes.
    List,
    Lsub,
    Status,
    /// What needs no data: NOOP, CREATE, APPEND and so on.
    Plain,
    /// EXPUNGE and MOVE: numbers are told.
    Expunge {
        is_uid: bool,
    },
}

impl Kind {
    pub(super) fn of(body: &CommandBody) -> Self {
        let is_uid = body.is_uid();
        match body {
            CommandBody::Fetch(fetch) => {
                let asks_for_flags = fetch.items.contains(&FetchItem::Flags);
                Self::Messages { is_uid, asks_for_flags }
            }
            CommandBody::Store(_) => Self::Messages { is_uid, asks_for_flags: true },
            CommandBody::Search(search) => {
                let has_numbers = !is_uid || search.key.has_numbers();
                Self::Search { is_uid, has_numbers }
            }
            CommandBody::Copy(_) => Self::Copy { is_uid },
            CommandBody::Move(_) => Self::Expunge { is_uid },
            CommandBody::Expunge(_) => Self::Expunge { is_uid: true },
            CommandBody::List(_) => Self::List,
            CommandBody::Lsub { .. } => Self::Lsub,
            CommandBody::Status { .. } => Self::Status,
            CommandBody::Noop
            | CommandBody::Check
            | CommandBody::Create { .. }
            | CommandBody::Delete(_)
            | CommandBody::Rename { .. }
            | CommandBody::Subscribe(_)
            | CommandBody::Unsubscribe(_)
            | CommandBody::Append(_) => Self::Plain,
            CommandBody::Select(_) | CommandBody::Examine(_) => Self::Select,
            _ => Self::Exclusive,
        }
    }

    /// Whether the command has sequence numbers.
    fn has_numbers(self) -> bool {
        matches!(
            self,
            Self::Messages { is_uid: false, .. }
                | Self::Search { has_numbers: true, .. }
                | Self::Copy { is_uid: false }
                | Self::Expunge { is_uid: false }
        )
    }

    /// Whether the server may tell during the command that messages are gone (RFC 9051 7.5.1).
    fn may_expunge(self) -> bool {
        !matches!(self, Self::Messages { is_uid: false, .. } | Self::Search { is_uid: false, .. })
    }

    /// Whether a command may be sent while another one is in flight.
    pub(super) fn may_follow(self, pending: Self) -> bool {
        let is_alone = |kind| matches!(kind, Self::Exclusive | Self::Select);
        if is_alone(self) || is_alone(pending) {
            return false;
        }
        // Numbers may mean other messages then.
        if self.has_numbers() && pending.may_expunge() {
            return false;
        }
        // Whose data are they?
        let same = |one: Self, other: Self| {
            std::mem::discriminant(&one) == std::mem::discriminant(&other) && one != Self::Plain
        };
        let statuses = [Self::List, Self::Status];
        let are_statuses = statuses.contains(&self) && statuses.contains(&pending);
        !same(self, pending) && !are_statuses
    }

    /// Whether what FETCH tells of flags is an answer.
    pub(super) fn asks_for_flags(self) -> bool {
        matches!(self, Self::Messages { asks_for_flags: true, .. } | Self::Select)
    }

    /// Whether the answer has data.
    pub(super) fn takes_data(self) -> bool {
        !matches!(self, Self::Copy { .. } | Self::Plain | Self::Expunge { .. })
    }

    /// Whether data belong to a command of this kind that is in flight.
    pub(super) fn takes(self, data: &Data) -> bool {
        match self {
            Self::Exclusive => matches!(
                data,
                Data::Capability(_) | Data::Enabled(_) | Data::Namespace(..) | Data::Id(_)
            ),
            Self::Messages { .. } | Self::Select => {
                matches!(data, Data::Fetch { .. } | Data::Vanished { is_earlier: true, .. })
            }
            Self::Search { .. } => matches!(data, Data::Search { .. } | Data::ESearch(_)),
            Self::List => matches!(data, Data::List(_) | Data::Status(..)),
            Self::Lsub => matches!(data, Data::Lsub(_)),
            Self::Status => matches!(data, Data::Status(..)),
            Self::Copy { .. } | Self::Plain | Self::Expunge { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 13] = [
        Kind::Exclusive,
        Kind::Select,
        Kind::Messages { is_uid: false, asks_for_flags: true },
        Kind::Messages { is_uid: true, asks_for_flags: true },
        Kind::Search { is_uid: false, has_numbers: true },
        Kind::Search { is_uid: true, has_numbers: false },
        Kind::Copy { is_uid: false },
        Kind::Copy { is_uid: true },
        Kind::List,
        Kind::Lsub,
        Kind::Status,
        Kind::Plain,
        Kind::Expunge { is_uid: true },
    ];

    /// Which kinds may follow which: every pair.
    #[test]
    fn commands_in_flight_together() {
        let follows = KINDS.map(|kind| {
            KINDS
                .map(|pending| if kind.may_follow(pending) { 'x' } else { '.' })
                .iter()
                .collect::<String>()
        });
        assert_eq!(
            follows,
            [
                ".............",
                ".............",
                "....x........", // FETCH by number: behind SEARCH by number only
                "....xxxxxxxxx",
                "..x..........",
                "..xx..xxxxxxx",
                "..x.x........",
                "..xxxx..xxxxx",
                "..xxxxxx.x.xx",
                "..xxxxxxx.xxx",
                "..xxxxxx.x.xx",
                "..xxxxxxxxxxx",
                "..xxxxxxxxxx.",
            ]
        );
    }
}
