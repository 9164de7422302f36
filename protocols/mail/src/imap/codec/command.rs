//! What clients say: [`Command`].

use sinew_protocols::basic::Word;

use super::{
    AString, Atom, Content, DateTime, Dialect, EncodeError, Encoded, FetchItem, Flag,
    ListAttribute, ListCommand, MailboxName, Message, ParseError, Pattern, SearchCommand,
    SequenceSet, StatusItem, Tag, reader::Reader, writer::Writer,
};

/// A command with its tag.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::{Command, CommandBody, Dialect, Message};
///
/// let message = Message::new("a1 SELECT inbox");
/// let command = Command::parse(&message, Dialect::default())?;
/// assert!(matches!(&command.body, CommandBody::Select(select) if select.mailbox.is_inbox()));
/// assert_eq!(command.encode(Dialect::default())?.bytes(), b"a1 SELECT INBOX\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// Its tag.
    pub tag: Tag,
    /// What it says.
    pub body: CommandBody,
}

/// What a command says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandBody {
    /// CAPABILITY.
    Capability,
    /// NOOP.
    Noop,
    /// LOGOUT.
    Logout,
    /// STARTTLS.
    StartTls,
    /// AUTHENTICATE, with the first message in base64 (or `=`), if there is one (RFC 4959).
    Authenticate {
        /// The mechanism.
        mechanism: Atom,
        /// The first message.
        initial: Option<Word>,
    },
    /// LOGIN.
    Login {
        /// The name.
        user: AString,
        /// The password.
        password: AString,
    },
    /// ENABLE (RFC 5161).
    Enable(Vec<Atom>),
    /// ID (RFC 2971). `None`: NIL.
    Id(Option<IdFields>),
    /// NAMESPACE (RFC 2342).
    Namespace,
    /// SELECT.
    Select(SelectCommand),
    /// EXAMINE: as SELECT, and nothing is changed.
    Examine(SelectCommand),
    /// CREATE, with the special uses that the mailbox shall have (RFC 6154).
    Create {
        /// Its name.
        mailbox: MailboxName,
        /// Its special uses.
        special_use: Vec<ListAttribute>,
    },
    /// DELETE.
    Delete(MailboxName),
    /// RENAME.
    Rename {
        /// The name until now.
        from: MailboxName,
        /// The new one.
        to: MailboxName,
    },
    /// SUBSCRIBE.
    Subscribe(MailboxName),
    /// UNSUBSCRIBE.
    Unsubscribe(MailboxName),
    /// LIST.
    List(ListCommand),
    /// LSUB.
    Lsub {
        /// What the pattern is relative to.
        reference: Pattern,
        /// The pattern.
        pattern: Pattern,
    },
    /// STATUS.
    Status {
        /// Of which mailbox.
        mailbox: MailboxName,
        /// What of it.
        items: Vec<StatusItem>,
    },
    /// APPEND.
    Append(AppendCommand),
    /// IDLE (RFC 2177).
    Idle,
    /// CHECK.
    Check,
    /// CLOSE.
    Close,
    /// UNSELECT (RFC 3691).
    Unselect,
    /// EXPUNGE; with UIDs, UID EXPUNGE (RFC 4315).
    Expunge(Option<SequenceSet>),
    /// SEARCH.
    Search(SearchCommand),
    /// FETCH.
    Fetch(FetchCommand),
    /// STORE.
    Store(StoreCommand),
    /// COPY.
    Copy(CopyCommand),
    /// MOVE (RFC 6851).
    Move(CopyCommand),
    /// COMPRESS (RFC 4978), mostly `DEFLATE`.
    Compress(Atom),
}

/// What a program says of itself.
pub type IdFields = Vec<(AString, Option<AString>)>;

/// SELECT or EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelectCommand {
    /// The mailbox.
    pub mailbox: MailboxName,
    /// Whether modification sequences are told from then on (RFC 7162).
    pub has_condstore: bool,
    /// What the client knows already (RFC 7162).
    pub qresync: Option<QResync>,
}

/// What a client knows of a mailbox, for a quick resynchronization (RFC 7162 3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QResync {
    /// The validity of its UIDs.
    pub uid_validity: u32,
    /// The highest modification sequence that it has seen.
    pub modseq: u64,
    /// The UIDs that it knows. `None`: it may be all.
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers and the UIDs that messages with them had.
    pub matches: Option<(SequenceSet, SequenceSet)>,
}

/// APPEND.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppendCommand {
    /// Where to.
    pub mailbox: MailboxName,
    /// The flags that the message gets.
    pub flags: Vec<Flag>,
    /// When it was received. `None`: now.
    pub date: Option<DateTime>,
    /// Whether it may have NULs, or a header in UTF-8: a binary literal.
    pub is_binary: bool,
    /// The message.
    pub message: Content,
}

/// FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchCommand {
    /// Whether the numbers are UIDs.
    pub is_uid: bool,
    /// Of which messages.
    pub set: SequenceSet,
    /// What of them.
    pub items: Vec<FetchItem>,
    /// Only messages that were changed since then (RFC 7162).
    pub changed_since: Option<u64>,
    /// Whether UIDs that are gone since then are told.
    pub has_vanished: bool,
}

/// STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCommand {
    /// Whether the numbers are UIDs.
    pub is_uid: bool,
    /// Of which messages.
    pub set: SequenceSet,
    /// Only messages that were not changed since then (RFC 7162).
    pub unchanged_since: Option<u64>,
    /// What is done with the flags.
    pub action: StoreAction,
    /// Whether the new flags are not told.
    pub is_silent: bool,
    /// The flags.
    pub flags: Vec<Flag>,
}

/// What STORE does with flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreAction {
    /// They replace all others.
    Replace,
    /// They are set.
    Add,
    /// They are taken away.
    Remove,
}

/// COPY or MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyCommand {
    /// Whether the numbers are UIDs.
    pub is_uid: bool,
    /// Which messages.
    pub set: SequenceSet,
    /// Where to.
    pub mailbox: MailboxName,
}

impl Command {
    /// A command.
    #[must_use]
    pub fn new(tag: Tag, body: CommandBody) -> Self {
        Self { tag, body }
    }

    /// Reads a command.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: it is not one that is known, or not of its form.
    pub fn parse(message: &Message, dialect: Dialect) -> Result<Self, ParseError> {
        let mut reader = Reader::of_command(message, dialect);
        let command = Self::parse_from(&mut reader)?;
        reader.end()?;
        Ok(command)
    }

    /// Reads an APPEND whose message was announced, and not received: what a [`MessageDecoder`](super::MessageDecoder) has in front of a
    /// literal. `None` if it is another command, or an argument of APPEND.
    #[must_use]
    pub fn parse_append(front: &Message, dialect: Dialect) -> Option<Self> {
        // Other commands may have thousands of literals, and are not read again at each.
        let name = front.bytes.split(|byte| *byte == b' ').nth(1)?;
        if !name.eq_ignore_ascii_case(b"APPEND") {
            return None;
        }
        let mut reader = Reader::of_command(front, dialect).of_front();
        let command = Self::parse_from(&mut reader).ok()?;
        let is_append =
            matches!(&command.body, CommandBody::Append(append) if append.message.kept().is_none());
        (is_append && reader.is_end()).then_some(command)
    }

    /// Writes the command as it is sent. Where it has to wait for the server is in the [pauses](Encoded::pauses).
    ///
    /// # Errors
    ///
    /// [`EncodeError`].
    pub fn encode(&self, dialect: Dialect) -> Result<Encoded, EncodeError> {
        let mut writer = Writer::of_command(dialect);
        writer.raw(&self.tag);
        writer.space();
        self.body.encode(&mut writer);
        writer.finish()
    }
}

impl CommandBody {
    /// The name of the command.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::StartTls => "STARTTLS",
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Login { .. } => "LOGIN",
            Self::Enable(_) => "ENABLE",
            Self::Id(_) => "ID",
            Self::Namespace => "NAMESPACE",
            Self::Select(_) => "SELECT",
            Self::Examine(_) => "EXAMINE",
            Self::Create { .. } => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename { .. } => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub { .. } => "LSUB",
            Self::Status { .. } => "STATUS",
            Self::Append(_) => "APPEND",
            Self::Idle => "IDLE",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge(_) => "EXPUNGE",
            Self::Search(_) => "SEARCH",
            Self::Fetch(_) => "FETCH",
            Self::Store(_) => "STORE",
            Self::Copy(_) => "COPY",
            Self::Move(_) => "MOVE",
            Self::Compress(_) => "COMPRESS",
        }
    }

    /// Whether it names messages by UID.
    #[must_use]
    pub fn is_uid(&self) -> bool {
        match self {
            Self::Expunge(uids) => uids.is_some(),
            Self::Search(search) => search.is_uid,
            Self::Fetch(fetch) => fetch.is_uid,
            Self::Store(store) => store.is_uid,
            Self::Copy(copy) | Self::Move(copy) => copy.is_uid,
            _ => false,
        }
    }
}

impl std::fmt::Debug for CommandBody {
    /// Its name: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.is_uid() { "UID " } else { "" }, self.name())
    }
}

impl SelectCommand {
    /// Selects a mailbox.
    #[must_use]
    pub fn new(mailbox: MailboxName) -> Self {
        Self { mailbox, has_condstore: false, qresync: None }
    }
}

impl QResync {
    /// What is known at least.
    #[must_use]
    pub fn new(uid_validity: u32, modseq: u64) -> Self {
        Self { uid_validity, modseq, known_uids: None, matches: None }
    }
}

impl AppendCommand {
    /// A message without flags.
    #[must_use]
    pub fn new(mailbox: MailboxName, message: Content) -> Self {
        Self { mailbox, flags: Vec::new(), date: None, is_binary: false, message }
    }
}

impl FetchCommand {
    /// These items of these messages.
    #[must_use]
    pub fn new(set: SequenceSet, items: impl Into<Vec<FetchItem>>) -> Self {
        Self { is_uid: false, set, items: items.into(), changed_since: None, has_vanished: false }
    }

    /// The numbers are UIDs.
    #[must_use]
    pub fn by_uid(mut self) -> Self {
        self.is_uid = true;
        self
    }
}

impl StoreCommand {
    /// Does this with these flags of these messages.
    #[must_use]
    pub fn new(set: SequenceSet, action: StoreAction, flags: impl Into<Vec<Flag>>) -> Self {
        let flags = flags.into();
        Self { is_uid: false, set, unchanged_since: None, action, is_silent: false, flags }
    }

    /// The numbers are UIDs.
    #[must_use]
    pub fn by_uid(mut self) -> Self {
        self.is_uid = true;
        self
    }
}

impl CopyCommand {
    /// Copies or moves these messages there.
    #[must_use]
    pub fn new(set: SequenceSet, mailbox: MailboxName) -> Self {
        Self { is_uid: false, set, mailbox }
    }

    /// The numbers are UIDs.
    #[must_use]
    pub fn by_uid(mut self) -> Self {
        self.is_uid = true;
        self
    }
}
