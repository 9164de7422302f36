//! What FETCH asks for: [`FetchItem`], and parts of messages, [`Section`].

use super::{
    AString, EncodeError,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// Most numbers in the path of a part.
const PATH_MAX: usize = 100;

/// An item of FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchItem {
    /// The envelope: the most important fields of the header.
    Envelope,
    /// The flags.
    Flags,
    /// When it was received.
    InternalDate,
    /// Its length.
    Size,
    /// Its UID.
    Uid,
    /// Its modification sequence.
    ModSeq,
    /// The tree of its parts, with the data of the extension.
    BodyStructure,
    /// The same without.
    Body,
    /// A section of it.
    Section {
        /// Which one.
        section: Section,
        /// Whether it is not marked as seen.
        is_peek: bool,
        /// A piece of it: where it begins, and how long it is at most.
        partial: Option<(u32, u32)>,
    },
    /// A part, with its transfer encoding undone (RFC 3516).
    Binary {
        /// Which one.
        part: Vec<u32>,
        /// Whether it is not marked as seen.
        is_peek: bool,
        /// A piece of it: where it begins, and how long it is at most.
        partial: Option<(u32, u32)>,
    },
    /// How long that is.
    BinarySize(Vec<u32>),
    /// All of it, in the old form `RFC822`.
    Rfc822,
    /// Its header, in the old form `RFC822.HEADER`.
    Rfc822Header,
    /// Its text, in the old form `RFC822.TEXT`.
    Rfc822Text,
}

/// A section of a message: a part, or what belongs to it. The default is the whole message.
#[derive(Clone, Debug, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub struct Section {
    /// The numbers of the part, from 1, from the outside in: empty for the message itself.
    pub part: Vec<u32>,
    /// What of it. `None`: its contents.
    pub text: Option<SectionText>,
}

/// What of a message, or of a part that is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SectionText {
    /// Its header.
    Header,
    /// Some fields of it.
    HeaderFields(Vec<AString>),
    /// All fields of it but these.
    HeaderFieldsNot(Vec<AString>),
    /// Its text, without the header.
    Text,
    /// The MIME header of a part.
    Mime,
}

const SIMPLE: [(FetchItem, &str); 11] = [
    (FetchItem::Envelope, "ENVELOPE"),
    (FetchItem::Flags, "FLAGS"),
    (FetchItem::InternalDate, "INTERNALDATE"),
    (FetchItem::Size, "RFC822.SIZE"),
    (FetchItem::Uid, "UID"),
    (FetchItem::ModSeq, "MODSEQ"),
    (FetchItem::BodyStructure, "BODYSTRUCTURE"),
    (FetchItem::Body, "BODY"),
    (FetchItem::Rfc822, "RFC822"),
    (FetchItem::Rfc822Header, "RFC822.HEADER"),
    (FetchItem::Rfc822Text, "RFC822.TEXT"),
];

impl Section {
    /// The whole message.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The header of the message.
    #[must_use]
    pub fn header() -> Self {
        Self { part: Vec::new(), text: Some(SectionText::Header) }
    }

    /// The text of the message, without the header.
    #[must_use]
    pub fn body() -> Self {
        Self { part: Vec::new(), text: Some(SectionText::Text) }
    }

    /// A part.
    #[must_use]
    pub fn part(part: impl Into<Vec<u32>>) -> Self {
        Self { part: part.into(), text: None }
    }

    /// These fields of the header.
    ///
    /// # Errors
    ///
    /// [`ValueError`](super::ValueError): one has a NUL.
    pub fn fields<'a>(
        fields: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, super::ValueError> {
        let fields = fields.into_iter().map(AString::try_from).collect::<Result<_, _>>()?;
        Ok(Self { part: Vec::new(), text: Some(SectionText::HeaderFields(fields)) })
    }

    /// What is in the brackets, and both of them.
    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'[', "a section")?;
        let mut section = Self::default();
        while reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            if section.part.len() == PATH_MAX {
                return reader.error("fewer numbers of parts");
            }
            section.part.push(reader.nz_number()?);
            if !reader.eat(b'.') {
                reader.expect(b']', "the end of a section")?;
                return Ok(section);
            }
        }
        if !section.part.is_empty() || reader.peek() != Some(b']') {
            section.text = Some(SectionText::parse(reader, !section.part.is_empty())?);
        }
        reader.expect(b']', "the end of a section")?;
        Ok(section)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw("[");
        writer.raw(path(&self.part));
        if let Some(text) = &self.text {
            if !self.part.is_empty() {
                writer.raw(".");
            }
            text.encode(writer);
        }
        writer.raw("]");
    }
}

impl SectionText {
    fn parse(reader: &mut Reader<'_>, is_part: bool) -> Parsed<Self> {
        Ok(match () {
            () if reader.eat_keyword("HEADER") => Self::Header,
            () if reader.eat_keyword("TEXT") => Self::Text,
            () if reader.eat_keyword("HEADER.FIELDS") => {
                Self::HeaderFields(Self::parse_fields(reader)?)
            }
            () if reader.eat_keyword("HEADER.FIELDS.NOT") => {
                Self::HeaderFieldsNot(Self::parse_fields(reader)?)
            }
            () if is_part && reader.eat_keyword("MIME") => Self::Mime,
            () => return reader.error("a section"),
        })
    }

    fn parse_fields(reader: &mut Reader<'_>) -> Parsed<Vec<AString>> {
        reader.space()?;
        let fields = reader.list(|reader| reader.astring().map(AString::of_parsed))?;
        if fields.is_empty() { reader.error("the name of a field") } else { Ok(fields) }
    }

    fn encode(&self, writer: &mut Writer) {
        let (name, fields) = match self {
            Self::Header => ("HEADER", None),
            Self::Text => ("TEXT", None),
            Self::Mime => ("MIME", None),
            Self::HeaderFields(fields) => ("HEADER.FIELDS ", Some(fields)),
            Self::HeaderFieldsNot(fields) => ("HEADER.FIELDS.NOT ", Some(fields)),
        };
        writer.raw(name);
        if let Some(fields) = fields {
            writer.list_of_some("the fields of a header", fields, |writer, field| {
                writer.astring(field.as_bytes());
            });
        }
    }
}

impl FetchItem {
    /// A section, without marking the message as seen.
    #[must_use]
    pub fn peek(section: Section) -> Self {
        Self::Section { section, is_peek: true, partial: None }
    }

    /// An item, or several: a macro, or a list. Items that are not in parentheses are one only (RFC 9051 6.4.5).
    pub(super) fn parse_all(reader: &mut Reader<'_>) -> Parsed<Vec<Self>> {
        let full: &[Self] =
            &[Self::Flags, Self::InternalDate, Self::Size, Self::Envelope, Self::Body];
        for (name, len) in [("FULL", 5), ("ALL", 4), ("FAST", 3)] {
            if reader.eat_keyword(name) {
                return Ok(full[..len].to_vec());
            }
        }
        let items = reader.one_or_list(Self::parse)?;
        if items.is_empty() { reader.error("an item of FETCH") } else { Ok(items) }
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        // `[` is a character of atoms.
        let name = reader.ahead();
        let name =
            &name[..name.iter().position(|byte| matches!(byte, b'[' | b'<')).unwrap_or(name.len())];
        let has_section = reader.rest().get(name.len()) == Some(&b'[');
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        let is_peek = is("BODY.PEEK") || is("BINARY.PEEK");
        if !has_section {
            let simple = SIMPLE.iter().find(|(_, known)| is(known));
            let Some((item, _)) = simple else { return reader.error("an item of FETCH") };
            reader.at += name.len();
            return Ok(item.clone());
        }
        let (is_body, is_binary, is_size) =
            (is("BODY") || is("BODY.PEEK"), is("BINARY") || is("BINARY.PEEK"), is("BINARY.SIZE"));
        if !is_body && !is_binary && !is_size {
            return reader.error("an item of FETCH");
        }
        reader.at += name.len();
        let section = Section::parse(reader)?;
        if is_body {
            return Ok(Self::Section { section, is_peek, partial: parse_partial(reader)? });
        }
        if section.text.is_some() {
            return reader.error("a section of numbers");
        }
        let part = section.part;
        if is_size {
            return Ok(Self::BinarySize(part));
        }
        Ok(Self::Binary { part, is_peek, partial: parse_partial(reader)? })
    }

    pub(super) fn encode_all(items: &[Self], writer: &mut Writer) {
        match items {
            [] => writer.fail(EncodeError::Empty { what: "the items of FETCH" }),
            [item] => item.encode(writer),
            // Strict servers ignore all but the first item without the parentheses.
            items => writer.list(items, |writer, item| item.encode(writer)),
        }
    }

    fn encode(&self, writer: &mut Writer) {
        let peek = |is_peek: &bool| if *is_peek { ".PEEK" } else { "" };
        match self {
            Self::Section { section, is_peek, partial } => {
                writer.raw("BODY");
                writer.raw(peek(is_peek));
                section.encode(writer);
                encode_partial(*partial, writer);
            }
            Self::Binary { part, is_peek, partial } => {
                writer.raw(format!("BINARY{}[{}]", peek(is_peek), path(part)));
                encode_partial(*partial, writer);
            }
            Self::BinarySize(part) => writer.raw(format!("BINARY.SIZE[{}]", path(part))),
            simple => {
                let known = SIMPLE.iter().find(|(item, _)| item == simple);
                writer.raw(known.map_or("UID", |(_, name)| *name));
            }
        }
    }
}

fn parse_partial(reader: &mut Reader<'_>) -> Parsed<Option<(u32, u32)>> {
    if !reader.eat(b'<') {
        return Ok(None);
    }
    let from = reader.number()?;
    reader.expect(b'.', "a dot")?;
    let len = reader.nz_number()?;
    reader.expect(b'>', "the end of a range")?;
    Ok(Some((from, len)))
}

fn encode_partial(partial: Option<(u32, u32)>, writer: &mut Writer) {
    if let Some((from, len)) = partial {
        writer.raw(format!("<{from}.{len}>"));
    }
}

/// The numbers of a part.
pub(super) fn path(part: &[u32]) -> String {
    let numbers: Vec<String> = part.iter().map(u32::to_string).collect();
    numbers.join(".")
}
