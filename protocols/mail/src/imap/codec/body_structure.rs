//! The tree of the parts of a message: [`BodyStructure`].

use bytes::Bytes;

use super::{
    MessageEnvelope,
    reader::{LIST_DEPTH_MAX, Parsed, Reader},
    writer::Writer,
};

/// A part of a message, with the parts in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyStructure {
    /// A part without other parts, or a message.
    Single(Box<SinglePart>),
    /// Several parts.
    Multi(Box<MultiPart>),
}

/// A part that is not `multipart`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinglePart {
    /// The type: `TEXT`.
    pub media_type: Bytes,
    /// The subtype: `PLAIN`.
    pub subtype: Bytes,
    /// The parameters of the type, as they are in the message.
    pub parameters: Vec<(Bytes, Bytes)>,
    /// `Content-ID`.
    pub id: Option<Bytes>,
    /// `Content-Description`.
    pub description: Option<Bytes>,
    /// `Content-Transfer-Encoding`: `7BIT` if there is none.
    pub encoding: Bytes,
    /// How many bytes it has, encoded as it is.
    pub size: u32,
    /// What the types `TEXT` and `MESSAGE/RFC822` have besides.
    pub kind: PartKind,
    /// The data of the extension, if they were asked for.
    pub extension: Option<SingleExtension>,
}

/// What there is of a part, by its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartKind {
    /// Nothing.
    #[default]
    Basic,
    /// `TEXT`.
    Text {
        /// How many lines it has.
        lines: u32,
    },
    /// `MESSAGE/RFC822`, or `MESSAGE/GLOBAL`.
    Message {
        /// Its envelope.
        envelope: Box<MessageEnvelope>,
        /// Its parts.
        body: BodyStructure,
        /// How many lines it has.
        lines: u32,
    },
}

/// What the extension tells of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SingleExtension {
    /// `Content-MD5`.
    pub md5: Option<Bytes>,
    /// What the extension tells of every part.
    pub rest: PartExtension,
}

/// A part of type `MULTIPART`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiPart {
    /// The parts, at least one.
    pub parts: Vec<BodyStructure>,
    /// The subtype: `ALTERNATIVE`.
    pub subtype: Bytes,
    /// The data of the extension, if they were asked for.
    pub extension: Option<MultiExtension>,
}

/// What the extension tells of several parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MultiExtension {
    /// The parameters of the type.
    pub parameters: Vec<(Bytes, Bytes)>,
    /// What the extension tells of every part.
    pub rest: PartExtension,
}

/// What the extension tells of every part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartExtension {
    /// `Content-Disposition`: its type, and its parameters.
    pub disposition: Option<(Bytes, Vec<(Bytes, Bytes)>)>,
    /// `Content-Language`.
    pub language: Vec<Bytes>,
    /// `Content-Location`.
    pub location: Option<Bytes>,
}

impl BodyStructure {
    /// The part with this number, from 1; of a message in it, that of the message, as in a [`Section`](super::Section).
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let parts = match self {
            Self::Multi(multi) => multi.parts.as_slice(),
            Self::Single(single) => match &single.kind {
                PartKind::Message { body, .. } => return body.part_of_message(path),
                _ => return None,
            },
        };
        let at = usize::try_from(*first).ok()?.checked_sub(1)?;
        parts.get(at)?.part(rest)
    }

    /// The same of a whole message: part 1 of one that is not multipart is its text.
    #[must_use]
    pub fn part_of_message(&self, path: &[u32]) -> Option<&Self> {
        match (self, path) {
            (Self::Single(_), [1, rest @ ..]) => self.part(rest),
            (Self::Single(_), [_, ..]) => None,
            _ => self.part(path),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>, depth: usize) -> Parsed<Self> {
        if depth == LIST_DEPTH_MAX {
            return reader.error("fewer nested parts");
        }
        reader.expect(b'(', "the structure of a part")?;
        let body = match reader.peek() {
            Some(b'(') => Self::Multi(Box::new(MultiPart::parse(reader, depth)?)),
            _ => Self::Single(Box::new(SinglePart::parse(reader, depth)?)),
        };
        // Data of extensions that are not known.
        while reader.eat(b' ') {
            if reader.peek() == Some(b')') {
                break;
            }
            reader.skip_value()?;
        }
        reader.expect(b')', "the end of a part")?;
        Ok(body)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw("(");
        match self {
            Self::Single(single) => single.encode(writer),
            Self::Multi(multi) => multi.encode(writer),
        }
        writer.raw(")");
    }
}

impl SinglePart {
    fn parse(reader: &mut Reader<'_>, depth: usize) -> Parsed<Self> {
        let media_type = reader.string()?;
        reader.space()?;
        // Some servers say NIL here.
        let subtype = reader.nstring()?.unwrap_or_default();
        reader.space()?;
        let parameters = parse_parameters(reader)?;
        reader.space()?;
        let id = reader.nstring()?;
        reader.space()?;
        let description = reader.nstring()?;
        reader.space()?;
        let encoding = reader.nstring()?.unwrap_or_else(|| Bytes::from_static(b"7BIT"));
        reader.space()?;
        let size = parse_size(reader)?;
        let is_message = media_type.eq_ignore_ascii_case(b"MESSAGE")
            && [&b"RFC822"[..], b"GLOBAL"].iter().any(|known| subtype.eq_ignore_ascii_case(known));
        let mut kind = PartKind::Basic;
        // Servers of no care leave it out.
        if is_message && reader.rest().starts_with(b" (") {
            reader.space()?;
            let envelope = Box::new(MessageEnvelope::parse(reader)?);
            reader.space()?;
            let body = BodyStructure::parse(reader, depth + 1)?;
            reader.space()?;
            kind = PartKind::Message { envelope, body, lines: parse_size(reader)? };
        } else if media_type.eq_ignore_ascii_case(b"TEXT") && reader.peek() == Some(b' ') {
            reader.space()?;
            kind = PartKind::Text { lines: parse_size(reader)? };
        }
        let mut extension = None;
        if reader.peek() == Some(b' ') {
            reader.space()?;
            let md5 = reader.nstring()?;
            extension = Some(SingleExtension { md5, rest: PartExtension::parse(reader)? });
        }
        Ok(Self {
            media_type,
            subtype,
            parameters,
            id,
            description,
            encoding,
            size,
            kind,
            extension,
        })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.string(&self.media_type);
        writer.space();
        writer.string(&self.subtype);
        writer.space();
        encode_parameters(&self.parameters, writer);
        writer.space();
        writer.nstring(self.id.as_deref());
        writer.space();
        writer.nstring(self.description.as_deref());
        writer.space();
        writer.string(&self.encoding);
        writer.space();
        writer.number(self.size);
        match &self.kind {
            PartKind::Basic => {}
            PartKind::Text { lines } => {
                writer.space();
                writer.number(*lines);
            }
            PartKind::Message { envelope, body, lines } => {
                writer.space();
                envelope.encode(writer);
                writer.space();
                body.encode(writer);
                writer.space();
                writer.number(*lines);
            }
        }
        if let Some(extension) = &self.extension {
            writer.space();
            writer.nstring(extension.md5.as_deref());
            extension.rest.encode(writer);
        }
    }
}

impl MultiPart {
    fn parse(reader: &mut Reader<'_>, depth: usize) -> Parsed<Self> {
        let mut parts = Vec::new();
        while reader.peek() == Some(b'(') {
            parts.push(BodyStructure::parse(reader, depth + 1)?);
            if reader.rest().starts_with(b" (") {
                // Some servers have spaces here.
                reader.space()?;
            }
        }
        reader.space()?;
        let subtype = reader.nstring()?.unwrap_or_default();
        let mut extension = None;
        if reader.peek() == Some(b' ') {
            reader.space()?;
            let parameters = parse_parameters(reader)?;
            extension = Some(MultiExtension { parameters, rest: PartExtension::parse(reader)? });
        }
        Ok(Self { parts, subtype, extension })
    }

    fn encode(&self, writer: &mut Writer) {
        for part in &self.parts {
            part.encode(writer);
        }
        writer.space();
        writer.string(&self.subtype);
        if let Some(extension) = &self.extension {
            writer.space();
            encode_parameters(&extension.parameters, writer);
            extension.rest.encode(writer);
        }
    }
}

impl PartExtension {
    /// What is left out at the end is not there.
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut extension = Self::default();
        if !eat_space(reader) {
            return Ok(extension);
        }
        if !reader.eat_keyword("NIL") {
            if reader.eat(b'(') {
                let kind = reader.string()?;
                reader.space()?;
                let parameters = parse_parameters(reader)?;
                reader.expect(b')', "the end of a disposition")?;
                extension.disposition = Some((kind, parameters));
            } else {
                extension.disposition = Some((reader.string()?, Vec::new()));
            }
        }
        if !eat_space(reader) {
            return Ok(extension);
        }
        if !reader.eat_keyword("NIL") {
            extension.language = reader.one_or_list(Reader::string)?;
        }
        if eat_space(reader) {
            extension.location = reader.nstring()?;
        }
        Ok(extension)
    }

    fn encode(&self, writer: &mut Writer) {
        writer.space();
        match &self.disposition {
            None => writer.raw("NIL"),
            Some((kind, parameters)) => {
                writer.raw("(");
                writer.string(kind);
                writer.space();
                encode_parameters(parameters, writer);
                writer.raw(")");
            }
        }
        writer.space();
        match self.language.as_slice() {
            [] => writer.raw("NIL"),
            languages => writer.list(languages, |writer, language| writer.string(language)),
        }
        writer.space();
        writer.nstring(self.location.as_deref());
    }
}

fn eat_space(reader: &mut Reader<'_>) -> bool {
    let is_there = reader.peek() == Some(b' ');
    if is_there {
        reader.skip_spaces();
    }
    is_there && reader.peek() != Some(b')')
}

fn parse_parameters(reader: &mut Reader<'_>) -> Parsed<Vec<(Bytes, Bytes)>> {
    if reader.eat_keyword("NIL") {
        return Ok(Vec::new());
    }
    reader.list(|reader| {
        let name = reader.string()?;
        reader.space()?;
        Ok((name, reader.nstring()?.unwrap_or_default()))
    })
}

fn encode_parameters(parameters: &[(Bytes, Bytes)], writer: &mut Writer) {
    if parameters.is_empty() {
        return writer.raw("NIL");
    }
    writer.list(parameters, |writer, (name, value)| {
        writer.string(name);
        writer.space();
        writer.string(value);
    });
}

/// A count, which some servers leave out or make negative where they do not know it.
fn parse_size(reader: &mut Reader<'_>) -> Parsed<u32> {
    if reader.is_lenient() && reader.eat_keyword("NIL") {
        return Ok(0);
    }
    if reader.is_lenient() && reader.eat(b'-') {
        return reader.number64().map(|_| 0);
    }
    let at = reader.number64()?;
    Ok(u32::try_from(at).unwrap_or(u32::MAX))
}
