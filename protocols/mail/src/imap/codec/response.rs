//! What servers say: [`Response`].

use sinew_protocols::basic::Text;

use super::{
    AString, Atom, Capabilities, Code, Dialect, EncodeError, Encoded, FetchData, Flag, IdFields,
    ListEntry, MailboxName, Message, ParseError, SequenceSet, StatusItem, Tag, reader::Reader,
    writer::Writer,
};

/// A response.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::{Data, Dialect, Message, Response};
///
/// let message = Message::new("* 23 EXISTS");
/// let response = Response::parse(&message, Dialect::default())?;
/// assert_eq!(response, Response::Data(Data::Exists(23)));
/// assert_eq!(response.encode(Dialect::default())?.bytes(), b"* 23 EXISTS\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response {
    /// `+`: the client may go on. Of SASL, the text is a challenge in base64.
    Continue {
        /// A code, which is rare.
        code: Option<Code>,
        /// The text.
        text: Text,
    },
    /// The end of a command.
    Done {
        /// The tag of the command.
        tag: Tag,
        /// How it ended: `Ok`, `No` or `Bad`.
        status: StatusText,
    },
    /// `*`: a status that ends no command.
    Status(StatusText),
    /// `*`: data.
    Data(Data),
}

/// A status with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusText {
    /// The status.
    pub status: Status,
    /// What programs understand.
    pub code: Option<Code>,
    /// What people understand. One that begins with `[` is sent with a space before it if there is no code, since it would be one.
    pub text: Text,
}

/// How a command ended, or what a server says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// It succeeded.
    Ok,
    /// It failed.
    No,
    /// It was not understood.
    Bad,
    /// The greeting of a connection that is logged in already.
    PreAuth,
    /// The server closes the connection.
    Bye,
}

/// Data of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// What the server can do.
    Capability(Capabilities),
    /// What was enabled.
    Enabled(Vec<Atom>),
    /// A mailbox, of LIST.
    List(ListEntry),
    /// A mailbox, of LSUB.
    Lsub(ListEntry),
    /// Namespaces: of the user, of other users, shared.
    Namespace(Vec<Namespace>, Vec<Namespace>, Vec<Namespace>),
    /// The status of a mailbox.
    Status(MailboxName, Vec<(StatusItem, u64)>),
    /// The flags that messages of the mailbox have.
    Flags(Vec<Flag>),
    /// How many messages there are.
    Exists(u32),
    /// How many are recent.
    Recent(u32),
    /// The message with this number is gone, and those behind it have moved up.
    Expunge(u32),
    /// Messages with these UIDs are gone (RFC 7162).
    Vanished {
        /// Whether they were gone before the mailbox was selected, and are counted no more.
        is_earlier: bool,
        /// Their UIDs.
        uids: SequenceSet,
    },
    /// Items of a message.
    Fetch {
        /// Its number.
        number: u32,
        /// The items.
        items: Vec<FetchData>,
    },
    /// What was found.
    Search {
        /// The numbers.
        numbers: Vec<u32>,
        /// The highest modification sequence of them.
        modseq: Option<u64>,
    },
    /// What was found, in the form of ESEARCH.
    ESearch(ESearch),
    /// What a server says of itself.
    Id(Option<IdFields>),
    /// Something that is not known here.
    Other {
        /// The number before its name.
        number: Option<u32>,
        /// Its name.
        name: Atom,
    },
}

/// What ESEARCH has found (RFC 4731).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ESearch {
    /// The command that it belongs to.
    pub tag: Option<AString>,
    /// Whether the numbers are UIDs.
    pub is_uid: bool,
    /// The lowest number.
    pub min: Option<u32>,
    /// The highest number.
    pub max: Option<u32>,
    /// All numbers. `None` if there are none, or they were not asked for.
    pub all: Option<SequenceSet>,
    /// How many there are.
    pub count: Option<u32>,
    /// The highest modification sequence of them.
    pub modseq: Option<u64>,
}

/// A namespace (RFC 2342).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// What names in it begin with.
    pub prefix: String,
    /// What divides the levels of its hierarchy.
    pub delimiter: Option<char>,
}

impl Response {
    /// Reads a response.
    ///
    /// # Errors
    ///
    /// [`ParseError`].
    pub fn parse(message: &Message, dialect: Dialect) -> Result<Self, ParseError> {
        Self::parse_from(&mut Reader::of_response(message, dialect))
    }

    /// Reads a FETCH up to a literal that was announced, and not received: what a [`MessageDecoder`](super::MessageDecoder) has in front
    /// of a literal. The number of the message, and the items up to the one that the literal belongs to, which is the last one. `None` if it
    /// is another response, or the literal is a part of another item.
    #[must_use]
    pub fn parse_fetch(front: &Message, dialect: Dialect) -> Option<(u32, Vec<FetchData>)> {
        let mut reader = Reader::of_response(front, dialect).of_front();
        match Self::parse_from(&mut reader).ok()? {
            Self::Data(Data::Fetch { number, items }) => {
                let content = items.last().and_then(FetchData::content);
                let is_streamed = content.is_some_and(|content| content.kept().is_none());
                (reader.is_end() && is_streamed).then_some((number, items))
            }
            _ => None,
        }
    }

    /// Writes the response as it is sent. Where streamed literals come is in the [pauses](Encoded::pauses).
    ///
    /// # Errors
    ///
    /// [`EncodeError`].
    pub fn encode(&self, dialect: Dialect) -> Result<Encoded, EncodeError> {
        let mut writer = Writer::of_response(dialect);
        self.encode_to(&mut writer);
        writer.finish()
    }
}

impl StatusText {
    /// A status.
    #[must_use]
    pub fn new(status: Status, code: Option<Code>, text: Text) -> Self {
        Self { status, code, text }
    }
}

impl Status {
    /// All of them, with their names.
    pub(super) const ALL: [(Self, &str); 5] = [
        (Self::Ok, "OK"),
        (Self::No, "NO"),
        (Self::Bad, "BAD"),
        (Self::PreAuth, "PREAUTH"),
        (Self::Bye, "BYE"),
    ];

    /// Its name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(status, _)| *status == self).map_or("", |(_, name)| *name)
    }
}

impl std::fmt::Display for StatusText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.status.name())?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        let text = String::from_utf8_lossy(&self.text);
        f.write_str(" ")?;
        text.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => write!(f, "{char}"),
        })
    }
}

impl Namespace {
    /// A namespace.
    #[must_use]
    pub fn new(prefix: impl Into<String>, delimiter: Option<char>) -> Self {
        Self { prefix: prefix.into(), delimiter }
    }
}
