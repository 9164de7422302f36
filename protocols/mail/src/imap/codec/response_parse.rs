//! Reads responses. What servers are known to send against the grammar is accepted where it has one meaning.

use sinew_protocols::basic::Text;

use super::{
    AString, Atom, Capabilities, Code, Data, ESearch, FetchData, Flag, ListEntry, MailboxName,
    Namespace, Response, SequenceSet, Status, StatusItem, StatusText, Tag,
    command_parse::parse_id,
    reader::{Parsed, Reader, is_astring},
};

impl Response {
    pub(super) fn parse_from(reader: &mut Reader<'_>) -> Parsed<Self> {
        if reader.eat(b'+') {
            // Some send no space.
            reader.eat(b' ');
            let code = Code::parse_optional(reader);
            let text = parse_text(reader, code.is_some())?;
            return Ok(Self::Continue { code, text });
        }
        if reader.eat(b'*') {
            reader.space()?;
            if let Some(status) = Status::parse(reader) {
                return StatusText::parse(reader, status).map(Self::Status);
            }
            let data = Data::parse(reader)?;
            if !reader.rest_is_missing() {
                reader.end()?;
            }
            return Ok(Self::Data(data));
        }
        let tag = reader.take_while(|byte| is_astring(byte) && byte != b'+');
        let Ok(tag) = Tag::try_from(tag) else { return reader.error("a tag") };
        reader.space()?;
        match Status::parse(reader) {
            Some(status @ (Status::Ok | Status::No | Status::Bad)) => {
                Ok(Self::Done { tag, status: StatusText::parse(reader, status)? })
            }
            _ => reader.error("OK, NO or BAD"),
        }
    }
}

impl Status {
    fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| reader.eat_keyword(name)).map(|(status, _)| *status)
    }
}

impl StatusText {
    fn parse(reader: &mut Reader<'_>, status: Status) -> Parsed<Self> {
        // Some servers have no text at all.
        if !reader.is_end() {
            reader.expect(b' ', "a space")?;
        }
        let code = Code::parse_optional(reader);
        let text = parse_text(reader, code.is_some())?;
        Ok(Self { status, code, text })
    }
}

/// The text up to the end, without the space that divides it from a code, or keeps it from being one.
fn parse_text(reader: &mut Reader<'_>, has_code: bool) -> Parsed<Text> {
    let at = reader.at;
    let text = reader.take_rest();
    let text = match text.split_first() {
        Some((b' ', rest)) if has_code || begins_with_bracket(text) => rest,
        _ => text,
    };
    match Text::try_from(text) {
        Ok(text) => Ok(text),
        Err(_) => {
            reader.at = at;
            reader.error("text without control characters")
        }
    }
}

/// Whether a text would be read as a code without a space before it.
pub(super) fn begins_with_bracket(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"[")
}

impl Data {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        if reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Self::parse_numbered(reader);
        }
        let name = reader.atom("a response")?;
        match name.to_ascii_uppercase().as_slice() {
            b"CAPABILITY" => return Capabilities::parse(reader).map(Self::Capability),
            b"SEARCH" => return Self::parse_search(reader),
            b"ESEARCH" => return ESearch::parse(reader).map(Self::ESearch),
            b"ENABLED" => {
                return Ok(Self::Enabled(Capabilities::parse(reader)?.as_slice().to_vec()));
            }
            _ => {}
        }
        let parse: fn(&mut Reader<'_>) -> Parsed<Self> = match name.to_ascii_uppercase().as_slice()
        {
            b"LIST" => |reader| ListEntry::parse(reader).map(Self::List),
            b"LSUB" => |reader| ListEntry::parse(reader).map(Self::Lsub),
            b"NAMESPACE" => parse_namespaces,
            b"STATUS" => parse_status,
            b"FLAGS" => |reader| Flag::parse_list(reader).map(Self::Flags),
            b"VANISHED" => parse_vanished,
            b"ID" => |reader| parse_id(reader).map(Self::Id),
            _ => {
                reader.take_rest();
                return Ok(Self::Other { number: None, name: Atom::of_checked(name) });
            }
        };
        reader.space()?;
        parse(reader)
    }

    fn parse_numbered(reader: &mut Reader<'_>) -> Parsed<Self> {
        let number = reader.number()?;
        reader.space()?;
        let at = reader.at;
        let name = reader.atom("a response")?;
        let is_message = number != 0;
        match name.to_ascii_uppercase().as_slice() {
            b"EXISTS" => Ok(Self::Exists(number)),
            b"RECENT" => Ok(Self::Recent(number)),
            b"EXPUNGE" if is_message => Ok(Self::Expunge(number)),
            b"FETCH" if is_message => {
                reader.space()?;
                Ok(Self::Fetch { number, items: FetchData::parse_list(reader)? })
            }
            b"EXPUNGE" | b"FETCH" => {
                reader.at = at;
                reader.error("a message other than 0")
            }
            _ => {
                reader.take_rest();
                Ok(Self::Other { number: Some(number), name: Atom::of_checked(name) })
            }
        }
    }

    fn parse_search(reader: &mut Reader<'_>) -> Parsed<Self> {
        let (mut numbers, mut modseq) = (Vec::new(), None);
        loop {
            reader.skip_spaces();
            match reader.peek() {
                None => return Ok(Self::Search { numbers, modseq }),
                Some(b'(') => {
                    reader.at += 1;
                    reader.keyword("MODSEQ", "MODSEQ")?;
                    reader.space()?;
                    modseq = Some(reader.number64()?);
                    reader.expect(b')', "the end of a list")?;
                }
                Some(_) => numbers.push(reader.nz_number()?),
            }
        }
    }
}

impl ESearch {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut found = Self::default();
        reader.skip_spaces();
        if reader.eat(b'(') {
            reader.keyword("TAG", "TAG")?;
            reader.space()?;
            found.tag = Some(AString::of_parsed(reader.astring()?));
            reader.expect(b')', "the end of a list")?;
            reader.skip_spaces();
        }
        if reader.eat_keyword("UID") {
            found.is_uid = true;
            reader.skip_spaces();
        }
        while !reader.is_end() {
            let name = reader.atom("an item of a search")?.to_ascii_uppercase();
            reader.space()?;
            match name.as_slice() {
                b"MIN" => found.min = Some(reader.nz_number()?),
                b"MAX" => found.max = Some(reader.nz_number()?),
                b"COUNT" => found.count = Some(reader.number()?),
                b"MODSEQ" => found.modseq = Some(reader.number64()?),
                b"ALL" => found.all = Some(SequenceSet::parse(reader)?),
                _ => reader.skip_value()?,
            }
            reader.skip_spaces();
        }
        Ok(found)
    }
}

fn parse_namespaces(reader: &mut Reader<'_>) -> Parsed<Data> {
    let mut kinds = <[Vec<Namespace>; 3]>::default();
    for (at, kind) in kinds.iter_mut().enumerate() {
        if at > 0 {
            reader.space()?;
        }
        if reader.eat_keyword("NIL") {
            continue;
        }
        reader.expect(b'(', "namespaces")?;
        while !reader.eat(b')') {
            kind.push(Namespace::parse(reader)?);
            reader.skip_spaces();
        }
    }
    let [own, of_others, shared] = kinds;
    Ok(Data::Namespace(own, of_others, shared))
}

impl Namespace {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'(', "a namespace")?;
        let prefix = reader.string()?;
        let decoded = MailboxName::decoded(&prefix, reader.dialect.is_utf8());
        let prefix = decoded.unwrap_or_else(|| String::from_utf8_lossy(&prefix).into_owned());
        reader.space()?;
        let delimiter = reader.nstring()?;
        let delimiter = delimiter.and_then(|text| str::from_utf8(&text).ok()?.chars().next());
        while reader.eat(b' ') {
            reader.skip_value()?;
        }
        reader.expect(b')', "the end of a namespace")?;
        Ok(Self { prefix, delimiter })
    }
}

fn parse_status(reader: &mut Reader<'_>) -> Parsed<Data> {
    let mailbox = MailboxName::parse(reader)?;
    reader.space()?;
    Ok(Data::Status(mailbox, StatusItem::parse_values(reader)?))
}

fn parse_vanished(reader: &mut Reader<'_>) -> Parsed<Data> {
    let is_earlier = reader.eat(b'(');
    if is_earlier {
        reader.keyword("EARLIER", "EARLIER")?;
        reader.expect(b')', "the end of a list")?;
        reader.space()?;
    }
    Ok(Data::Vanished { is_earlier, uids: SequenceSet::parse(reader)? })
}
