//! What FETCH returns of a message: [`FetchData`].

use super::{
    BodyStructure, Content, DateTime, Flag, MessageEnvelope, Section,
    reader::{Parsed, Reader},
    section::path,
    writer::Writer,
};

/// An item in the response to FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchData {
    /// The UID.
    Uid(u32),
    /// All flags that are set.
    Flags(Vec<Flag>),
    /// When it was received.
    InternalDate(DateTime),
    /// Its length.
    Size(u64),
    /// The modification sequence.
    ModSeq(u64),
    /// The envelope.
    Envelope(Box<MessageEnvelope>),
    /// The tree of its parts, with the data of the extension.
    BodyStructure(BodyStructure),
    /// The same without.
    Body(BodyStructure),
    /// A section.
    Section {
        /// Which one.
        section: Section,
        /// Where the piece begins, if it is one.
        origin: Option<u32>,
        /// The bytes. `None` if there is no such section.
        content: Option<Content>,
    },
    /// A part, with its transfer encoding undone.
    Binary {
        /// Which one.
        part: Vec<u32>,
        /// Where the piece begins, if it is one.
        origin: Option<u32>,
        /// The bytes. `None` if there is no such part.
        content: Option<Content>,
    },
    /// The length of a part, with its transfer encoding undone.
    BinarySize {
        /// Which one.
        part: Vec<u32>,
        /// Its length.
        size: u64,
    },
    /// All of it, in the old form.
    Rfc822(Option<Content>),
    /// Its header, in the old form.
    Rfc822Header(Option<Content>),
    /// Its text, in the old form.
    Rfc822Text(Option<Content>),
    /// An item that is not known here, with a value that was skipped.
    Other(String),
}

impl FetchData {
    /// The bytes of it, if it is a section, or something like one.
    #[must_use]
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Section { content, .. }
            | Self::Binary { content, .. }
            | Self::Rfc822(content)
            | Self::Rfc822Header(content)
            | Self::Rfc822Text(content) => content.as_ref(),
            _ => None,
        }
    }

    /// Items in parentheses. If the message has been received up to a literal only, those up to that.
    pub(super) fn parse_list(reader: &mut Reader<'_>) -> Parsed<Vec<Self>> {
        reader.expect(b'(', "a list")?;
        let mut items = Vec::new();
        loop {
            if reader.is_lenient() {
                reader.skip_spaces();
            }
            if reader.eat(b')') {
                return Ok(items);
            }
            items.push(Self::parse(reader)?);
            if reader.is_end() && reader.rest_is_missing() {
                return Ok(items);
            }
            if reader.peek() != Some(b')') {
                reader.space()?;
            }
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let name = reader.ahead();
        let name = &name[..name.iter().position(|byte| *byte == b'[').unwrap_or(name.len())];
        if name.is_empty() {
            return reader.error("an item of a message");
        }
        let upper = name.to_ascii_uppercase();
        reader.at += name.len();
        if reader.peek() == Some(b'[') {
            return Self::parse_section(reader, &upper);
        }
        reader.space()?;
        Ok(match upper.as_slice() {
            b"UID" => Self::Uid(reader.nz_number()?),
            b"FLAGS" => Self::Flags(Flag::parse_list(reader)?),
            b"INTERNALDATE" => Self::InternalDate(DateTime::parse(reader)?),
            b"RFC822.SIZE" => Self::Size(reader.number64()?),
            b"MODSEQ" => {
                reader.expect(b'(', "a list")?;
                let modseq = reader.number64()?;
                reader.expect(b')', "the end of a list")?;
                Self::ModSeq(modseq)
            }
            b"ENVELOPE" => Self::Envelope(Box::new(MessageEnvelope::parse(reader)?)),
            b"BODYSTRUCTURE" => Self::BodyStructure(BodyStructure::parse(reader, 0)?),
            b"BODY" => Self::Body(BodyStructure::parse(reader, 0)?),
            b"RFC822" => Self::Rfc822(reader.content()?),
            b"RFC822.HEADER" => Self::Rfc822Header(reader.content()?),
            b"RFC822.TEXT" => Self::Rfc822Text(reader.content()?),
            _ => {
                reader.skip_value()?;
                Self::Other(String::from_utf8_lossy(&upper).into_owned())
            }
        })
    }

    fn parse_section(reader: &mut Reader<'_>, name: &[u8]) -> Parsed<Self> {
        let section = Section::parse(reader)?;
        let mut origin = None;
        if reader.eat(b'<') {
            origin = Some(reader.number()?);
            reader.expect(b'>', "the end of an origin")?;
        }
        reader.space()?;
        Ok(match name {
            b"BODY" => Self::Section { section, origin, content: reader.content()? },
            b"BINARY" => Self::Binary { part: section.part, origin, content: reader.content()? },
            b"BINARY.SIZE" => Self::BinarySize { part: section.part, size: reader.number64()? },
            _ => {
                reader.skip_value()?;
                Self::Other(String::from_utf8_lossy(name).into_owned())
            }
        })
    }

    pub(super) fn encode_list(items: &[Self], writer: &mut Writer) {
        // What is only known here is nothing to send.
        let items = items.iter().filter(|item| !matches!(item, Self::Other(_)));
        writer.list(items, |writer, item| item.encode(writer));
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Uid(uid) => writer.raw(format!("UID {uid}")),
            Self::Flags(flags) => {
                writer.raw("FLAGS ");
                Flag::encode_list(flags, writer);
            }
            Self::InternalDate(date) => writer.raw(format!("INTERNALDATE \"{date}\"")),
            Self::Size(size) => writer.raw(format!("RFC822.SIZE {size}")),
            Self::ModSeq(modseq) => writer.raw(format!("MODSEQ ({modseq})")),
            Self::Envelope(envelope) => {
                writer.raw("ENVELOPE ");
                envelope.encode(writer);
            }
            Self::BodyStructure(body) => {
                writer.raw("BODYSTRUCTURE ");
                body.encode(writer);
            }
            Self::Body(body) => {
                writer.raw("BODY ");
                body.encode(writer);
            }
            Self::Section { section, origin, content } => {
                writer.raw("BODY");
                section.encode(writer);
                encode_content(*origin, content.as_ref(), writer);
            }
            Self::Binary { part, origin, content } => {
                writer.raw(format!("BINARY[{}]", path(part)));
                encode_content(*origin, content.as_ref(), writer);
            }
            Self::BinarySize { part, size } => {
                writer.raw(format!("BINARY.SIZE[{}] {size}", path(part)));
            }
            Self::Rfc822(content) => {
                writer.raw("RFC822");
                encode_content(None, content.as_ref(), writer);
            }
            Self::Rfc822Header(content) => {
                writer.raw("RFC822.HEADER");
                encode_content(None, content.as_ref(), writer);
            }
            Self::Rfc822Text(content) => {
                writer.raw("RFC822.TEXT");
                encode_content(None, content.as_ref(), writer);
            }
            Self::Other(_) => {}
        }
    }
}

fn encode_content(origin: Option<u32>, content: Option<&Content>, writer: &mut Writer) {
    if let Some(origin) = origin {
        writer.raw(format!("<{origin}>"));
    }
    writer.space();
    writer.content(content);
}
