//! Reads commands (RFC 9051 9, the rule `command` and those below it). The types are in `command.rs`.

use sinew_protocols::basic::Word;

use super::{
    AString, AppendCommand, Atom, Command, CommandBody, CopyCommand, DateTime, FetchCommand,
    FetchItem, Flag, ListAttribute, ListCommand, MailboxName, Pattern, QResync, SearchCommand,
    SelectCommand, SequenceSet, StatusItem, StoreAction, StoreCommand, Tag,
    reader::{Parsed, Reader, is_astring},
};

/// Most fields of ID (RFC 2971 3.3).
const ID_FIELDS_MAX: usize = 30;

impl Command {
    pub(super) fn parse_from(reader: &mut Reader<'_>) -> Parsed<Self> {
        let tag = reader.take_while(|byte| is_astring(byte) && byte != b'+');
        let Ok(tag) = Tag::try_from(tag) else { return reader.error("a tag") };
        reader.space()?;
        Ok(Self { tag, body: CommandBody::parse(reader)? })
    }
}

impl CommandBody {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let at = reader.at;
        let name = reader.atom("a command")?.to_ascii_uppercase();
        if name == b"UID" {
            reader.space()?;
            let name = reader.atom("a command")?.to_ascii_uppercase();
            return match Self::parse_of_messages(reader, &name, true)? {
                Some(command) => Ok(command),
                None => reader.error("a command with UIDs"),
            };
        }
        if let Some(command) = Self::parse_plain(&name) {
            return Ok(command);
        }
        if let Some(command) = Self::parse_of_messages(reader, &name, false)? {
            return Ok(command);
        }
        if let Some(command) = Self::parse_of_mailboxes(reader, &name)? {
            return Ok(command);
        }
        match Self::parse_of_session(reader, &name)? {
            Some(command) => Ok(command),
            None => {
                reader.at = at;
                reader.error("a command")
            }
        }
    }

    fn parse_plain(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"CAPABILITY" => Self::Capability,
            b"NOOP" => Self::Noop,
            b"LOGOUT" => Self::Logout,
            b"STARTTLS" => Self::StartTls,
            b"NAMESPACE" => Self::Namespace,
            b"IDLE" => Self::Idle,
            b"CHECK" => Self::Check,
            b"CLOSE" => Self::Close,
            b"UNSELECT" => Self::Unselect,
            b"EXPUNGE" => Self::Expunge(None),
            _ => return None,
        })
    }

    /// Commands with a form for UIDs.
    fn parse_of_messages(
        reader: &mut Reader<'_>,
        name: &[u8],
        is_uid: bool,
    ) -> Parsed<Option<Self>> {
        let parse: fn(&mut Reader<'_>, bool) -> Parsed<Self> = match name {
            b"FETCH" => |reader, is_uid| FetchCommand::parse(reader, is_uid).map(Self::Fetch),
            b"STORE" => |reader, is_uid| StoreCommand::parse(reader, is_uid).map(Self::Store),
            b"SEARCH" => |reader, is_uid| SearchCommand::parse(reader, is_uid).map(Self::Search),
            b"COPY" => |reader, is_uid| CopyCommand::parse(reader, is_uid).map(Self::Copy),
            b"MOVE" => |reader, is_uid| CopyCommand::parse(reader, is_uid).map(Self::Move),
            b"EXPUNGE" if is_uid => {
                |reader, _| SequenceSet::parse(reader).map(Some).map(Self::Expunge)
            }
            _ => return Ok(None),
        };
        reader.space()?;
        parse(reader, is_uid).map(Some)
    }

    fn parse_of_mailboxes(reader: &mut Reader<'_>, name: &[u8]) -> Parsed<Option<Self>> {
        let parse: fn(&mut Reader<'_>) -> Parsed<Self> = match name {
            b"SELECT" => |reader| SelectCommand::parse(reader).map(Self::Select),
            b"EXAMINE" => |reader| SelectCommand::parse(reader).map(Self::Examine),
            b"CREATE" => parse_create,
            b"DELETE" => |reader| MailboxName::parse(reader).map(Self::Delete),
            b"RENAME" => parse_rename,
            b"SUBSCRIBE" => |reader| MailboxName::parse(reader).map(Self::Subscribe),
            b"UNSUBSCRIBE" => |reader| MailboxName::parse(reader).map(Self::Unsubscribe),
            b"LIST" => |reader| ListCommand::parse(reader).map(Self::List),
            b"LSUB" => parse_lsub,
            b"STATUS" => parse_status,
            b"APPEND" => |reader| AppendCommand::parse(reader).map(Self::Append),
            _ => return Ok(None),
        };
        reader.space()?;
        parse(reader).map(Some)
    }

    fn parse_of_session(reader: &mut Reader<'_>, name: &[u8]) -> Parsed<Option<Self>> {
        let parse: fn(&mut Reader<'_>) -> Parsed<Self> = match name {
            b"AUTHENTICATE" => parse_authenticate,
            b"LOGIN" => parse_login,
            b"ENABLE" => parse_enable,
            b"ID" => |reader| parse_id(reader).map(Self::Id),
            b"COMPRESS" => |reader| {
                let method = reader.atom("a method of compression")?;
                Ok(Self::Compress(Atom::of_checked(method)))
            },
            _ => return Ok(None),
        };
        reader.space()?;
        parse(reader).map(Some)
    }
}

fn parse_create(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let mailbox = MailboxName::parse(reader)?;
    let mut special_use = Vec::new();
    if reader.eat(b' ') {
        reader.expect(b'(', "a list")?;
        reader.keyword("USE", "USE")?;
        reader.space()?;
        special_use = reader.list(ListAttribute::parse)?;
        reader.expect(b')', "the end of a list")?;
    }
    Ok(CommandBody::Create { mailbox, special_use })
}

fn parse_rename(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let from = MailboxName::parse(reader)?;
    reader.space()?;
    Ok(CommandBody::Rename { from, to: MailboxName::parse(reader)? })
}

fn parse_lsub(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let reference = Pattern::parse(reader)?;
    reader.space()?;
    Ok(CommandBody::Lsub { reference, pattern: Pattern::parse(reader)? })
}

fn parse_status(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let mailbox = MailboxName::parse(reader)?;
    reader.space()?;
    Ok(CommandBody::Status { mailbox, items: StatusItem::parse_list(reader)? })
}

fn parse_authenticate(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let mechanism = Atom::of_checked(reader.atom("a mechanism")?);
    let mut initial = None;
    if reader.eat(b' ') {
        let is_base64 =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let message = reader.take_while(is_base64);
        let Ok(message) = Word::try_from(message) else { return reader.error("base64") };
        initial = Some(message);
    }
    Ok(CommandBody::Authenticate { mechanism, initial })
}

fn parse_login(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let user = AString::of_parsed(reader.astring()?);
    reader.space()?;
    let password = AString::of_parsed(reader.astring()?);
    Ok(CommandBody::Login { user, password })
}

fn parse_enable(reader: &mut Reader<'_>) -> Parsed<CommandBody> {
    let mut capabilities = vec![Atom::of_checked(reader.atom("a capability")?)];
    while reader.eat(b' ') {
        capabilities.push(Atom::of_checked(reader.atom("a capability")?));
    }
    Ok(CommandBody::Enable(capabilities))
}

/// Fields of ID, or NIL.
pub(super) fn parse_id(reader: &mut Reader<'_>) -> Parsed<Option<super::IdFields>> {
    if reader.eat_keyword("NIL") {
        return Ok(None);
    }
    let fields = reader.list(|reader| {
        let name = AString::of_parsed(reader.string()?);
        reader.space()?;
        Ok((name, reader.nstring()?.map(AString::of_parsed)))
    })?;
    if fields.len() > ID_FIELDS_MAX {
        return reader.error("fewer fields of ID");
    }
    Ok(Some(fields))
}

impl SelectCommand {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut select = Self::new(MailboxName::parse(reader)?);
        if !reader.eat(b' ') {
            return Ok(select);
        }
        reader.list(|reader| {
            if reader.eat_keyword("CONDSTORE") {
                select.has_condstore = true;
            } else {
                reader.keyword("QRESYNC", "a parameter of SELECT")?;
                reader.space()?;
                select.qresync = Some(QResync::parse(reader)?);
            }
            Ok(())
        })?;
        Ok(select)
    }
}

impl QResync {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        reader.expect(b'(', "a list")?;
        let uid_validity = reader.nz_number()?;
        reader.space()?;
        let mut resync = Self::new(uid_validity, reader.number64()?);
        if reader.eat(b' ') {
            if reader.peek() != Some(b'(') {
                resync.known_uids = Some(SequenceSet::parse(reader)?);
            }
            if resync.known_uids.is_none() || reader.eat(b' ') {
                reader.expect(b'(', "a list")?;
                let numbers = SequenceSet::parse(reader)?;
                reader.space()?;
                resync.matches = Some((numbers, SequenceSet::parse(reader)?));
                reader.expect(b')', "the end of a list")?;
            }
        }
        reader.expect(b')', "the end of a list")?;
        Ok(resync)
    }
}

impl AppendCommand {
    fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mailbox = MailboxName::parse(reader)?;
        reader.space()?;
        let mut flags = Vec::new();
        if reader.peek() == Some(b'(') {
            flags = Flag::parse_list(reader)?;
            reader.space()?;
        }
        let mut date = None;
        if reader.peek() == Some(b'"') {
            date = Some(DateTime::parse(reader)?);
            reader.space()?;
        }
        // RFC 6855 4: a message with a header in UTF-8.
        let has_utf8 = reader.eat_keyword("UTF8");
        if has_utf8 {
            reader.space()?;
            reader.expect(b'(', "a list")?;
        }
        let is_binary = reader.peek() == Some(b'~');
        let message = reader.literal()?;
        if has_utf8 && !reader.rest_is_missing() {
            reader.expect(b')', "the end of a list")?;
        }
        Ok(Self { mailbox, flags, date, is_binary, message })
    }
}

impl FetchCommand {
    fn parse(reader: &mut Reader<'_>, is_uid: bool) -> Parsed<Self> {
        let set = SequenceSet::parse(reader)?;
        reader.space()?;
        let mut fetch = Self::new(set, FetchItem::parse_all(reader)?);
        fetch.is_uid = is_uid;
        if !reader.eat(b' ') {
            return Ok(fetch);
        }
        reader.list(|reader| {
            if reader.eat_keyword("VANISHED") {
                fetch.has_vanished = true;
            } else {
                reader.keyword("CHANGEDSINCE", "a modifier of FETCH")?;
                reader.space()?;
                fetch.changed_since = Some(reader.number64()?);
            }
            Ok(())
        })?;
        if fetch.has_vanished && (!is_uid || fetch.changed_since.is_none()) {
            // RFC 7162 3.2.6.
            return reader.error("CHANGEDSINCE and UIDs with VANISHED");
        }
        Ok(fetch)
    }
}

impl StoreCommand {
    fn parse(reader: &mut Reader<'_>, is_uid: bool) -> Parsed<Self> {
        let set = SequenceSet::parse(reader)?;
        reader.space()?;
        let mut unchanged_since = None;
        if reader.eat(b'(') {
            reader.keyword("UNCHANGEDSINCE", "a modifier of STORE")?;
            reader.space()?;
            unchanged_since = Some(reader.number64()?);
            reader.expect(b')', "the end of a list")?;
            reader.space()?;
        }
        let action = match () {
            () if reader.eat(b'+') => StoreAction::Add,
            () if reader.eat(b'-') => StoreAction::Remove,
            () => StoreAction::Replace,
        };
        let is_silent = reader.eat_keyword("FLAGS.SILENT");
        if !is_silent {
            reader.keyword("FLAGS", "FLAGS")?;
        }
        reader.space()?;
        let flags = match reader.peek() {
            Some(b'(') => Flag::parse_list(reader)?,
            _ => {
                let mut flags = vec![Flag::parse(reader)?];
                while reader.eat(b' ') {
                    flags.push(Flag::parse(reader)?);
                }
                flags
            }
        };
        Ok(Self { is_uid, set, unchanged_since, action, is_silent, flags })
    }
}

impl CopyCommand {
    fn parse(reader: &mut Reader<'_>, is_uid: bool) -> Parsed<Self> {
        let set = SequenceSet::parse(reader)?;
        reader.space()?;
        Ok(Self { is_uid, set, mailbox: MailboxName::parse(reader)? })
    }
}
