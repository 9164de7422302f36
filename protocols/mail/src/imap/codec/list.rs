//! Lists of mailboxes: [`ListCommand`] with its options (RFC 5258, 5819, 6154), and [`ListEntry`] in the response.

use bytes::Bytes;

use super::{
    AString, Atom, MailboxName, StatusItem, ValueError,
    reader::{Parsed, Reader, is_astring},
    writer::Writer,
};
use crate::utf7;

/// LIST.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListCommand {
    /// Which mailboxes are listed, if not all.
    pub selection: Vec<ListSelection>,
    /// What the patterns are relative to: mostly empty.
    pub reference: Pattern,
    /// The patterns: names with `*` for anything, and `%` for anything within one level of the hierarchy.
    pub patterns: Vec<Pattern>,
    /// What is told of each mailbox.
    pub returns: Vec<ListReturn>,
    /// Whether the extended form is used although there is nothing in it.
    pub is_extended: bool,
}

/// A pattern of names of mailboxes, or a reference, as text.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pattern(String);

/// Which mailboxes are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListSelection {
    /// Those that are subscribed to, whether they exist or not.
    Subscribed,
    /// Those of other servers, too.
    Remote,
    /// Parents of those that are selected, too.
    RecursiveMatch,
    /// Those with a special use.
    SpecialUse,
}

/// What is told of each mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListReturn {
    /// Whether it is subscribed to.
    Subscribed,
    /// Whether it has children.
    Children,
    /// Its special use.
    SpecialUse,
    /// A status, in a response of its own.
    Status(Vec<StatusItem>),
}

/// A mailbox in the response to LIST or LSUB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListEntry {
    /// What is said of it.
    pub attributes: Vec<ListAttribute>,
    /// What divides the levels of the hierarchy. `None` if there are no levels.
    pub delimiter: Option<char>,
    /// Its name.
    pub name: MailboxName,
    /// By which selections children of it match that are not listed themselves (`CHILDINFO`).
    pub child_info: Vec<AString>,
    /// The name that it had before, or that was asked for (`OLDNAME`).
    pub old_name: Option<MailboxName>,
}

/// What is said of a mailbox, with a backslash in the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListAttribute {
    /// There can be no children.
    NoInferiors,
    /// It cannot be selected.
    NoSelect,
    /// It does not exist.
    NonExistent,
    /// There are children.
    HasChildren,
    /// There are none.
    HasNoChildren,
    /// There may be new messages.
    Marked,
    /// There are none.
    Unmarked,
    /// It is subscribed to.
    Subscribed,
    /// It is on another server.
    Remote,
    /// Special use: all messages.
    All,
    /// Special use: archived messages.
    Archive,
    /// Special use: drafts.
    Drafts,
    /// Special use: flagged messages.
    Flagged,
    /// Special use: junk.
    Junk,
    /// Special use: sent messages.
    Sent,
    /// Special use: messages that were deleted.
    Trash,
    /// Another one, without the backslash.
    Other(Atom),
}

const ATTRIBUTES: [(ListAttribute, &str); 16] = [
    (ListAttribute::NoInferiors, "NoInferiors"),
    (ListAttribute::NoSelect, "NoSelect"),
    (ListAttribute::NonExistent, "NonExistent"),
    (ListAttribute::HasChildren, "HasChildren"),
    (ListAttribute::HasNoChildren, "HasNoChildren"),
    (ListAttribute::Marked, "Marked"),
    (ListAttribute::Unmarked, "Unmarked"),
    (ListAttribute::Subscribed, "Subscribed"),
    (ListAttribute::Remote, "Remote"),
    (ListAttribute::All, "All"),
    (ListAttribute::Archive, "Archive"),
    (ListAttribute::Drafts, "Drafts"),
    (ListAttribute::Flagged, "Flagged"),
    (ListAttribute::Junk, "Junk"),
    (ListAttribute::Sent, "Sent"),
    (ListAttribute::Trash, "Trash"),
];

const SELECTIONS: [(ListSelection, &str); 4] = [
    (ListSelection::Subscribed, "SUBSCRIBED"),
    (ListSelection::Remote, "REMOTE"),
    (ListSelection::RecursiveMatch, "RECURSIVEMATCH"),
    (ListSelection::SpecialUse, "SPECIAL-USE"),
];

impl Pattern {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let wire = match reader.peek() {
            Some(b'"' | b'{') => reader.string()?,
            _ => {
                let word =
                    reader.take_while(|byte| is_astring(byte) || matches!(byte, b'*' | b'%'));
                if word.is_empty() {
                    return reader.error("a pattern");
                }
                Bytes::copy_from_slice(word)
            }
        };
        let Ok(text) = str::from_utf8(&wire) else { return reader.error("a pattern of UTF-8") };
        // A part of a name, as some clients search for, may end within a shift.
        let text = match reader.dialect.is_utf8() || !text.is_ascii() {
            true => text.to_owned(),
            false => utf7::decode(text.as_bytes()).unwrap_or_else(|_| text.to_owned()),
        };
        Self::try_from(text).or_else(|_| reader.error("a pattern"))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let wire = match writer.dialect.is_utf8() {
            true => self.0.clone(),
            false => utf7::encode(&self.0),
        };
        let is_atom = |byte| is_astring(byte) || matches!(byte, b'*' | b'%');
        if !wire.is_empty() && wire.bytes().all(is_atom) && !wire.eq_ignore_ascii_case("NIL") {
            writer.raw(wire);
        } else {
            writer.string(wire.as_bytes());
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        match text.bytes().position(|byte| byte < b' ' || byte == 0x7f) {
            Some(at) => {
                let byte = text.as_bytes()[at];
                Err(ValueError::Forbidden { what: "a pattern of mailboxes", byte, at })
            }
            None => Ok(Self(text)),
        }
    }
}

impl TryFrom<&str> for Pattern {
    type Error = ValueError;

    fn try_from(text: &str) -> Result<Self, ValueError> {
        Self::try_from(text.to_owned())
    }
}

impl std::str::FromStr for Pattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::try_from(text)
    }
}

impl ListCommand {
    /// All mailboxes that match.
    #[must_use]
    pub fn new(pattern: Pattern) -> Self {
        Self {
            selection: Vec::new(),
            reference: Pattern::default(),
            patterns: vec![pattern],
            returns: Vec::new(),
            is_extended: false,
        }
    }

    /// Relative to this reference.
    #[must_use]
    pub fn reference(mut self, reference: Pattern) -> Self {
        self.reference = reference;
        self
    }

    /// Only these.
    #[must_use]
    pub fn select(mut self, selection: ListSelection) -> Self {
        self.selection.push(selection);
        self
    }

    /// And tells this.
    #[must_use]
    pub fn returning(mut self, what: ListReturn) -> Self {
        self.returns.push(what);
        self
    }

    /// Whether it needs LIST-EXTENDED.
    #[must_use]
    pub fn needs_extension(&self) -> bool {
        self.is_extended
            || !self.selection.is_empty()
            || !self.returns.is_empty()
            || self.patterns.len() != 1
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut is_extended = false;
        let mut selection = Vec::new();
        if reader.peek() == Some(b'(') {
            is_extended = true;
            selection = reader.list(ListSelection::parse)?;
            reader.space()?;
        }
        let reference = Pattern::parse(reader)?;
        reader.space()?;
        let is_list = reader.peek() == Some(b'(');
        let patterns = reader.one_or_list(Pattern::parse)?;
        if patterns.is_empty() {
            return reader.error("a pattern");
        }
        let mut returns = Vec::new();
        if reader.eat(b' ') {
            is_extended = true;
            reader.keyword("RETURN", "RETURN")?;
            reader.space()?;
            returns = reader.list(ListReturn::parse)?;
        }
        let only_recursive = selection
            .iter()
            .all(|option| matches!(option, ListSelection::RecursiveMatch | ListSelection::Remote));
        if only_recursive && selection.contains(&ListSelection::RecursiveMatch) {
            // RFC 5258 3.
            return reader.error("a selection beside RECURSIVEMATCH");
        }
        let is_extended = is_extended || is_list;
        Ok(Self { selection, reference, patterns, returns, is_extended })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        if !self.selection.is_empty() {
            writer.list(&self.selection, |writer, option| writer.raw(option.name()));
            writer.space();
        }
        self.reference.encode(writer);
        writer.space();
        match self.patterns.as_slice() {
            [pattern] if !self.is_extended => pattern.encode(writer),
            patterns => {
                writer.list_of_some("the patterns of LIST", patterns, |writer, pattern| {
                    pattern.encode(writer)
                });
            }
        }
        if !self.returns.is_empty() {
            writer.raw(" RETURN ");
            writer.list(&self.returns, |writer, what| what.encode(writer));
        }
    }
}

impl ListSelection {
    fn name(self) -> &'static str {
        SELECTIONS.iter().find(|(option, _)| *option == self).map_or("", |(_, name)| *name)
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        match SELECTIONS.iter().find(|(_, name)| reader.eat_keyword(name)) {
            Some((option, _)) => Ok(*option),
            None => reader.error("an option of LIST"),
        }
    }
}

impl ListReturn {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        Ok(match () {
            () if reader.eat_keyword("SUBSCRIBED") => Self::Subscribed,
            () if reader.eat_keyword("CHILDREN") => Self::Children,
            () if reader.eat_keyword("SPECIAL-USE") => Self::SpecialUse,
            () if reader.eat_keyword("STATUS") => {
                reader.space()?;
                Self::Status(StatusItem::parse_list(reader)?)
            }
            () => return reader.error("an option of LIST"),
        })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Subscribed => writer.raw("SUBSCRIBED"),
            Self::Children => writer.raw("CHILDREN"),
            Self::SpecialUse => writer.raw("SPECIAL-USE"),
            Self::Status(items) => {
                writer.raw("STATUS ");
                StatusItem::encode_list(items, writer);
            }
        }
    }
}

impl ListEntry {
    /// A mailbox of which nothing else is said.
    #[must_use]
    pub fn new(name: MailboxName, delimiter: Option<char>) -> Self {
        Self { attributes: Vec::new(), delimiter, name, child_info: Vec::new(), old_name: None }
    }

    /// The same, of which this is said.
    #[must_use]
    pub fn with(mut self, attributes: impl IntoIterator<Item = ListAttribute>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// Whether this is said of it.
    #[must_use]
    pub fn is(&self, attribute: &ListAttribute) -> bool {
        self.attributes.contains(attribute)
    }

    /// Whether it can be selected.
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        !self.is(&ListAttribute::NoSelect) && !self.is(&ListAttribute::NonExistent)
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let attributes = reader.list(ListAttribute::parse)?;
        reader.space()?;
        let delimiter = reader.nstring()?;
        let delimiter = delimiter.and_then(|text| str::from_utf8(&text).ok()?.chars().next());
        reader.space()?;
        let name = MailboxName::parse(reader)?;
        let mut entry = Self::new(name, delimiter).with(attributes);
        if reader.eat(b' ') && reader.peek() == Some(b'(') {
            entry.parse_extended(reader)?;
        }
        Ok(entry)
    }

    fn parse_extended(&mut self, reader: &mut Reader<'_>) -> Parsed<()> {
        reader.list(|reader| {
            let name = reader.astring()?;
            reader.space()?;
            if name.eq_ignore_ascii_case(b"CHILDINFO") {
                self.child_info = reader.list(|reader| reader.astring().map(AString::of_parsed))?;
            } else if name.eq_ignore_ascii_case(b"OLDNAME") {
                self.old_name = reader.list(MailboxName::parse)?.into_iter().next();
            } else {
                reader.skip_value()?;
            }
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.list(&self.attributes, |writer, attribute| {
            writer.raw("\\");
            writer.raw(attribute.name());
        });
        writer.space();
        let mut bytes = [0; 4];
        writer
            .nstring(self.delimiter.map(|delimiter| delimiter.encode_utf8(&mut bytes).as_bytes()));
        writer.space();
        self.name.encode(writer);
        let (has_info, old_name) = (!self.child_info.is_empty(), self.old_name.as_ref());
        if !has_info && old_name.is_none() {
            return;
        }
        writer.raw(" (");
        if has_info {
            writer.raw("\"CHILDINFO\" ");
            writer.list(&self.child_info, |writer, info| writer.string(info.as_bytes()));
        }
        if let Some(old_name) = old_name {
            writer.raw(if has_info { " \"OLDNAME\" (" } else { "\"OLDNAME\" (" });
            old_name.encode(writer);
            writer.raw(")");
        }
        writer.raw(")");
    }
}

impl ListAttribute {
    /// Its name in the protocol, without the backslash.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name.as_str().unwrap_or_default(),
            known => ATTRIBUTES
                .iter()
                .find(|(attribute, _)| attribute == known)
                .map_or("", |(_, name)| *name),
        }
    }

    /// Whether it says what a mailbox is for.
    #[must_use]
    pub fn is_special_use(&self) -> bool {
        matches!(
            self,
            Self::All
                | Self::Archive
                | Self::Drafts
                | Self::Flagged
                | Self::Junk
                | Self::Sent
                | Self::Trash
        )
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'\\', "an attribute of a mailbox")?;
        let name = reader.atom("an attribute of a mailbox")?;
        let known =
            ATTRIBUTES.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
        Ok(known.map_or_else(
            || Self::Other(Atom::of_checked(name)),
            |(attribute, _)| attribute.clone(),
        ))
    }
}
