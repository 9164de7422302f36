//! What is searched for: [`SearchKey`], and the options of [`SearchCommand`] (RFC 9051 6.4.4, RFC 4731, RFC 7162).

use super::{
    AString, Atom, Date, EncodeError, Flag, SequenceSet,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// Deepest nesting of search keys that is accepted, and sent.
pub const SEARCH_DEPTH_MAX: usize = 64;

/// A condition that messages fulfil.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::{SearchKey, ValueError};
///
/// let from_ann = SearchKey::from("ann@example.org")?;
/// let key = SearchKey::Unseen.and(from_ann.or(SearchKey::subject("urgent")?)).and(SearchKey::Deleted.negated());
/// # drop(key);
/// # Ok::<(), ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchKey {
    /// Every message.
    All,
    /// All of these conditions.
    And(Vec<Self>),
    /// One of these two, or both.
    Or(Box<Self>, Box<Self>),
    /// Not this one.
    Not(Box<Self>),
    /// Messages with these sequence numbers.
    Sequence(SequenceSet),
    /// Messages with these UIDs.
    Uid(SequenceSet),
    /// With this flag, a system flag.
    Answered,
    /// With this flag.
    Deleted,
    /// With this flag.
    Draft,
    /// With this flag.
    Flagged,
    /// With this flag.
    Seen,
    /// With this flag.
    Recent,
    /// Without this flag.
    Unanswered,
    /// Without this flag.
    Undeleted,
    /// Without this flag.
    Undraft,
    /// Without this flag.
    Unflagged,
    /// Without this flag.
    Unseen,
    /// Recent, and not seen.
    New,
    /// Not recent.
    Old,
    /// With this keyword.
    Keyword(Atom),
    /// Without this keyword.
    Unkeyword(Atom),
    /// With this in the field `Bcc`.
    Bcc(AString),
    /// With this in the field `Cc`.
    Cc(AString),
    /// With this in the field `From`.
    From(AString),
    /// With this in the field `To`.
    To(AString),
    /// With this in the field `Subject`.
    Subject(AString),
    /// With this field, and this in it; empty for any.
    Header(AString, AString),
    /// With this in the body.
    Body(AString),
    /// With this in the header or the body.
    Text(AString),
    /// Received before this day.
    Before(Date),
    /// Received on this day.
    On(Date),
    /// Received on this day or later.
    Since(Date),
    /// With a `Date` before this day.
    SentBefore(Date),
    /// With a `Date` of this day.
    SentOn(Date),
    /// With a `Date` of this day or later.
    SentSince(Date),
    /// Longer than so many bytes.
    Larger(u64),
    /// Shorter than so many bytes.
    Smaller(u64),
    /// Changed since this modification sequence, or then. With the entry, of one flag, and whose: `("/flags/\\draft", "all")`.
    ModSeq(u64, Option<(AString, Atom)>),
    /// Received less than so many seconds ago (RFC 5032).
    Younger(u32),
    /// Received more than so many seconds ago.
    Older(u32),
}

/// SEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchCommand {
    /// Whether UIDs are returned.
    pub is_uid: bool,
    /// What is returned, by ESEARCH. `None`: the numbers, by SEARCH. With an empty list, all numbers.
    pub returns: Option<Vec<SearchReturn>>,
    /// The character set of the strings.
    pub charset: Option<AString>,
    /// The condition.
    pub key: SearchKey,
}

/// What ESEARCH returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchReturn {
    /// The lowest number.
    Min,
    /// The highest number.
    Max,
    /// All numbers.
    All,
    /// How many there are.
    Count,
}

/// Keys without an argument.
const PLAIN: [(SearchKey, &str); 14] = [
    (SearchKey::All, "ALL"),
    (SearchKey::Answered, "ANSWERED"),
    (SearchKey::Deleted, "DELETED"),
    (SearchKey::Draft, "DRAFT"),
    (SearchKey::Flagged, "FLAGGED"),
    (SearchKey::Seen, "SEEN"),
    (SearchKey::Recent, "RECENT"),
    (SearchKey::Unanswered, "UNANSWERED"),
    (SearchKey::Undeleted, "UNDELETED"),
    (SearchKey::Undraft, "UNDRAFT"),
    (SearchKey::Unflagged, "UNFLAGGED"),
    (SearchKey::Unseen, "UNSEEN"),
    (SearchKey::New, "NEW"),
    (SearchKey::Old, "OLD"),
];

const RETURNS: [(SearchReturn, &str); 4] = [
    (SearchReturn::Min, "MIN"),
    (SearchReturn::Max, "MAX"),
    (SearchReturn::All, "ALL"),
    (SearchReturn::Count, "COUNT"),
];

type OfString = fn(AString) -> SearchKey;
const STRINGS: [(OfString, &str); 7] = [
    (SearchKey::Bcc, "BCC"),
    (SearchKey::Cc, "CC"),
    (SearchKey::From, "FROM"),
    (SearchKey::To, "TO"),
    (SearchKey::Subject, "SUBJECT"),
    (SearchKey::Body, "BODY"),
    (SearchKey::Text, "TEXT"),
];

type OfDate = fn(Date) -> SearchKey;
const DATES: [(OfDate, &str); 6] = [
    (SearchKey::Before, "BEFORE"),
    (SearchKey::On, "ON"),
    (SearchKey::Since, "SINCE"),
    (SearchKey::SentBefore, "SENTBEFORE"),
    (SearchKey::SentOn, "SENTON"),
    (SearchKey::SentSince, "SENTSINCE"),
];

/// A constructor of a key that has a string.
macro_rules! of_string {
    ($($(#[$doc:meta])* $name:ident => $key:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// [`ValueError`](super::ValueError): it has a NUL.
            pub fn $name(text: &str) -> Result<Self, super::ValueError> {
                AString::try_from(text).map(Self::$key)
            }
        )*
    };
}

impl SearchKey {
    of_string! {
        /// With this in the field `From`.
        from => From;
        /// With this in the field `To`.
        to => To;
        /// With this in the field `Subject`.
        subject => Subject;
        /// With this in the body.
        body => Body;
        /// With this in the header or the body.
        text => Text;
    }

    /// With this field, and this in it.
    ///
    /// # Errors
    ///
    /// [`ValueError`](super::ValueError): one of them has a NUL.
    pub fn header(field: &str, text: &str) -> Result<Self, super::ValueError> {
        Ok(Self::Header(field.try_into()?, text.try_into()?))
    }

    /// With this flag.
    #[must_use]
    pub fn flag(flag: &Flag) -> Option<Self> {
        Some(match flag {
            Flag::Answered => Self::Answered,
            Flag::Flagged => Self::Flagged,
            Flag::Deleted => Self::Deleted,
            Flag::Seen => Self::Seen,
            Flag::Draft => Self::Draft,
            Flag::Recent => Self::Recent,
            Flag::Keyword(word) => Self::Keyword(word.clone()),
            Flag::Extension(_) | Flag::AnyKeyword => return None,
        })
    }

    /// This one and the other one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut keys) => {
                keys.push(other);
                Self::And(keys)
            }
            key => Self::And(vec![key, other]),
        }
    }

    /// This one, or the other one, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Whether a string in it has bytes from 128 on, so that a character set has to be named.
    #[must_use]
    pub fn needs_charset(&self) -> bool {
        let is_other = |text: &AString| !text.as_bytes().is_ascii();
        match self {
            Self::And(keys) => keys.iter().any(Self::needs_charset),
            Self::Or(one, other) => one.needs_charset() || other.needs_charset(),
            Self::Not(key) => key.needs_charset(),
            Self::Header(field, text) => is_other(field) || is_other(text),
            Self::Bcc(text)
            | Self::Cc(text)
            | Self::From(text)
            | Self::To(text)
            | Self::Subject(text)
            | Self::Body(text)
            | Self::Text(text) => is_other(text),
            _ => false,
        }
    }

    /// Whether there are sequence numbers in it, which mean other messages once some are gone.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        match self {
            Self::Sequence(_) => true,
            Self::And(keys) => keys.iter().any(Self::has_numbers),
            Self::Or(one, other) => one.has_numbers() || other.has_numbers(),
            Self::Not(key) => key.has_numbers(),
            _ => false,
        }
    }

    /// Keys with spaces between them: all of them.
    pub(super) fn parse_all(reader: &mut Reader<'_>, depth: usize) -> Parsed<Self> {
        let first = Self::parse(reader, depth)?;
        if reader.peek() != Some(b' ') {
            return Ok(first);
        }
        let mut keys = vec![first];
        while reader.eat(b' ') {
            keys.push(Self::parse(reader, depth)?);
        }
        Ok(Self::And(keys))
    }

    fn parse(reader: &mut Reader<'_>, depth: usize) -> Parsed<Self> {
        if depth >= SEARCH_DEPTH_MAX {
            return reader.error("fewer nested search keys");
        }
        if reader.eat(b'(') {
            let key = Self::parse_all(reader, depth + 1)?;
            reader.expect(b')', "the end of a list of search keys")?;
            return Ok(key);
        }
        if reader.peek().is_some_and(|byte| byte.is_ascii_digit() || byte == b'*') {
            return SequenceSet::parse(reader).map(Self::Sequence);
        }
        if reader.eat_keyword("NOT") {
            reader.space()?;
            return Ok(Self::parse(reader, depth + 1)?.negated());
        }
        if reader.eat_keyword("OR") {
            reader.space()?;
            let one = Self::parse(reader, depth + 1)?;
            reader.space()?;
            return Ok(one.or(Self::parse(reader, depth + 1)?));
        }
        Self::parse_simple(reader)
    }

    fn parse_simple(reader: &mut Reader<'_>) -> Parsed<Self> {
        if let Some((key, _)) = PLAIN.iter().find(|(_, name)| reader.eat_keyword(name)) {
            return Ok(key.clone());
        }
        if let Some((key, _)) = STRINGS.iter().find(|(_, name)| reader.eat_keyword(name)) {
            reader.space()?;
            return reader.astring().map(AString::of_parsed).map(key);
        }
        if let Some((key, _)) = DATES.iter().find(|(_, name)| reader.eat_keyword(name)) {
            reader.space()?;
            return Date::parse(reader).map(key);
        }
        let at = reader.at;
        let name = reader.atom("a search key")?.to_ascii_uppercase();
        reader.space()?;
        Ok(match name.as_slice() {
            b"HEADER" => {
                let field = AString::of_parsed(reader.astring()?);
                reader.space()?;
                Self::Header(field, AString::of_parsed(reader.astring()?))
            }
            b"KEYWORD" => Self::Keyword(Atom::of_checked(reader.atom("a keyword")?)),
            b"UNKEYWORD" => Self::Unkeyword(Atom::of_checked(reader.atom("a keyword")?)),
            b"LARGER" => Self::Larger(reader.number64()?),
            b"SMALLER" => Self::Smaller(reader.number64()?),
            b"UID" => Self::Uid(SequenceSet::parse(reader)?),
            b"YOUNGER" => Self::Younger(reader.nz_number()?),
            b"OLDER" => Self::Older(reader.nz_number()?),
            b"MODSEQ" => Self::parse_modseq(reader)?,
            _ => {
                reader.at = at;
                return reader.error("a search key");
            }
        })
    }

    fn parse_modseq(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut entry = None;
        if !reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            let name = AString::of_parsed(reader.string()?);
            reader.space()?;
            entry = Some((name, Atom::of_checked(reader.atom("the type of an entry")?)));
            reader.space()?;
        }
        Ok(Self::ModSeq(reader.number64()?, entry))
    }

    /// At the top, a list has no parentheses.
    pub(super) fn encode_all(&self, writer: &mut Writer) {
        match self {
            Self::And(keys) if keys.len() > 1 => {
                writer.separated(keys, |writer, key| key.encode(writer, 0));
            }
            key => key.encode(writer, 0),
        }
    }

    fn encode(&self, writer: &mut Writer, depth: usize) {
        if depth >= SEARCH_DEPTH_MAX {
            return writer.fail(EncodeError::TooDeep { max: SEARCH_DEPTH_MAX });
        }
        match self {
            Self::And(keys) if keys.len() == 1 => keys[0].encode(writer, depth + 1),
            Self::And(keys) => {
                writer
                    .list_of_some("search keys", keys, |writer, key| key.encode(writer, depth + 1));
            }
            Self::Not(key) => {
                writer.raw("NOT ");
                key.encode(writer, depth + 1);
            }
            Self::Or(one, other) => {
                writer.raw("OR ");
                one.encode(writer, depth + 1);
                writer.space();
                other.encode(writer, depth + 1);
            }
            simple => simple.encode_simple(writer),
        }
    }

    fn encode_simple(&self, writer: &mut Writer) {
        let text = |writer: &mut Writer, name: &str, text: &AString| {
            writer.raw(name);
            writer.astring(text.as_bytes());
        };
        let shown = |writer: &mut Writer, name: &str, value: &dyn std::fmt::Display| {
            writer.raw(format!("{name} {value}"));
        };
        match self {
            Self::Sequence(set) => set.encode(writer),
            Self::Uid(set) => shown(writer, "UID", set),
            Self::Keyword(word) => shown(writer, "KEYWORD", word),
            Self::Unkeyword(word) => shown(writer, "UNKEYWORD", word),
            Self::Bcc(value) => text(writer, "BCC ", value),
            Self::Cc(value) => text(writer, "CC ", value),
            Self::From(value) => text(writer, "FROM ", value),
            Self::To(value) => text(writer, "TO ", value),
            Self::Subject(value) => text(writer, "SUBJECT ", value),
            Self::Body(value) => text(writer, "BODY ", value),
            Self::Text(value) => text(writer, "TEXT ", value),
            Self::Header(field, value) => {
                text(writer, "HEADER ", field);
                text(writer, " ", value);
            }
            Self::Before(date) => shown(writer, "BEFORE", date),
            Self::On(date) => shown(writer, "ON", date),
            Self::Since(date) => shown(writer, "SINCE", date),
            Self::SentBefore(date) => shown(writer, "SENTBEFORE", date),
            Self::SentOn(date) => shown(writer, "SENTON", date),
            Self::SentSince(date) => shown(writer, "SENTSINCE", date),
            Self::Larger(len) => shown(writer, "LARGER", len),
            Self::Smaller(len) => shown(writer, "SMALLER", len),
            Self::Younger(seconds) => shown(writer, "YOUNGER", seconds),
            Self::Older(seconds) => shown(writer, "OLDER", seconds),
            Self::ModSeq(modseq, None) => shown(writer, "MODSEQ", modseq),
            Self::ModSeq(modseq, Some((name, whose))) => {
                writer.raw("MODSEQ ");
                writer.string(name.as_bytes());
                writer.raw(format!(" {whose} {modseq}"));
            }
            plain => {
                let name =
                    PLAIN.iter().find(|(key, _)| key == plain).map_or("ALL", |(_, name)| *name);
                writer.raw(name);
            }
        }
    }
}

impl SearchCommand {
    /// A search for sequence numbers.
    #[must_use]
    pub fn new(key: SearchKey) -> Self {
        Self { is_uid: false, returns: None, charset: None, key }
    }

    pub(super) fn parse(reader: &mut Reader<'_>, is_uid: bool) -> Parsed<Self> {
        let mut returns = None;
        if reader.eat_keyword("RETURN") {
            reader.space()?;
            returns = Some(reader.list(SearchReturn::parse)?);
            reader.space()?;
        }
        let mut charset = None;
        if reader.eat_keyword("CHARSET") {
            reader.space()?;
            charset = Some(AString::of_parsed(reader.astring()?));
            reader.space()?;
        }
        let key = SearchKey::parse_all(reader, 0)?;
        Ok(Self { is_uid, returns, charset, key })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        if let Some(returns) = &self.returns {
            writer.raw("RETURN ");
            writer.list(returns, |writer, what| writer.raw(what.name()));
            writer.space();
        }
        if let Some(charset) = &self.charset {
            writer.raw("CHARSET ");
            writer.astring(charset.as_bytes());
            writer.space();
        }
        self.key.encode_all(writer);
    }
}

impl SearchReturn {
    fn name(self) -> &'static str {
        RETURNS.iter().find(|(what, _)| *what == self).map_or("", |(_, name)| *name)
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        match RETURNS.iter().find(|(_, name)| reader.eat_keyword(name)) {
            Some((what, _)) => Ok(*what),
            None => reader.error("an option of SEARCH"),
        }
    }
}
