//! Writes commands (RFC 9051 9, the rule `command` and those below it). The types are in `command.rs`.

use super::{
    AppendCommand, CommandBody, Content, CopyCommand, EncodeError, FetchCommand, FetchItem, Flag,
    IdFields, QResync, SelectCommand, StatusItem, StoreAction, StoreCommand, writer::Writer,
};

impl CommandBody {
    pub(super) fn encode(&self, writer: &mut Writer) {
        if self.is_uid() {
            writer.raw("UID ");
        }
        writer.raw(self.name());
        let mailbox = |writer: &mut Writer, mailbox: &super::MailboxName| {
            writer.space();
            mailbox.encode(writer);
        };
        match self {
            Self::Select(select) | Self::Examine(select) => select.encode(writer),
            Self::Create { mailbox: name, special_use } => {
                mailbox(writer, name);
                if !special_use.is_empty() {
                    writer.raw(" (USE ");
                    writer.list(special_use, |writer, attribute| {
                        writer.raw("\\");
                        writer.raw(attribute.name());
                    });
                    writer.raw(")");
                }
            }
            Self::Delete(name) | Self::Subscribe(name) | Self::Unsubscribe(name) => {
                mailbox(writer, name)
            }
            Self::Rename { from, to } => {
                mailbox(writer, from);
                mailbox(writer, to);
            }
            Self::List(list) => {
                writer.space();
                list.encode(writer);
            }
            Self::Lsub { reference, pattern } => {
                writer.space();
                reference.encode(writer);
                writer.space();
                pattern.encode(writer);
            }
            Self::Status { mailbox: name, items } => {
                mailbox(writer, name);
                writer.space();
                StatusItem::encode_list(items, writer);
            }
            Self::Append(append) => append.encode(writer),
            Self::Expunge(Some(uids)) => {
                writer.space();
                uids.encode(writer);
            }
            Self::Search(search) => {
                writer.space();
                search.encode(writer);
            }
            Self::Fetch(fetch) => fetch.encode(writer),
            Self::Store(store) => store.encode(writer),
            Self::Copy(copy) | Self::Move(copy) => copy.encode(writer),
            session => session.encode_of_session(writer),
        }
    }

    fn encode_of_session(&self, writer: &mut Writer) {
        match self {
            Self::Authenticate { mechanism, initial } => {
                writer.space();
                writer.raw(mechanism);
                if let Some(initial) = initial {
                    writer.space();
                    writer.raw(initial);
                }
            }
            Self::Login { user, password } => {
                writer.space();
                writer.astring(user.as_bytes());
                writer.space();
                writer.astring(password.as_bytes());
            }
            Self::Enable(capabilities) => {
                if capabilities.is_empty() {
                    writer.fail(EncodeError::Empty { what: "the capabilities of ENABLE" });
                }
                for capability in capabilities {
                    writer.space();
                    writer.raw(capability);
                }
            }
            Self::Id(fields) => {
                writer.space();
                encode_id(fields.as_ref(), writer);
            }
            Self::Compress(method) => {
                writer.space();
                writer.raw(method);
            }
            _ => {}
        }
    }
}

/// Fields of ID, or NIL.
pub(super) fn encode_id(fields: Option<&IdFields>, writer: &mut Writer) {
    match fields {
        None => writer.raw("NIL"),
        Some(fields) => writer.list(fields, |writer, (name, value)| {
            writer.string(name.as_bytes());
            writer.space();
            writer.nstring(value.as_ref().map(super::AString::as_bytes));
        }),
    }
}

impl SelectCommand {
    fn encode(&self, writer: &mut Writer) {
        writer.space();
        self.mailbox.encode(writer);
        match (&self.qresync, self.has_condstore) {
            (None, false) => {}
            (None, true) => writer.raw(" (CONDSTORE)"),
            (Some(resync), has_condstore) => {
                writer.raw(if has_condstore { " (CONDSTORE QRESYNC (" } else { " (QRESYNC (" });
                resync.encode(writer);
                writer.raw("))");
            }
        }
    }
}

impl QResync {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(format!("{} {}", self.uid_validity, self.modseq));
        if let Some(uids) = &self.known_uids {
            writer.raw(format!(" {uids}"));
        }
        if let Some((numbers, uids)) = &self.matches {
            writer.raw(format!(" ({numbers} {uids})"));
        }
    }
}

impl AppendCommand {
    fn encode(&self, writer: &mut Writer) {
        writer.space();
        self.mailbox.encode(writer);
        writer.space();
        if !self.flags.is_empty() {
            Flag::encode_list(&self.flags, writer);
            writer.space();
        }
        if let Some(date) = self.date {
            writer.raw(format!("\"{date}\" "));
        }
        match &self.message {
            Content::Kept(bytes) => {
                writer.streamed_or_kept(bytes.len() as u64, Some(bytes), self.is_binary);
            }
            Content::Streamed { len } => writer.streamed_or_kept(*len, None, self.is_binary),
        }
    }
}

impl FetchCommand {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(format!(" {} ", self.set));
        FetchItem::encode_all(&self.items, writer);
        match (self.changed_since, self.has_vanished) {
            (Some(modseq), true) => writer.raw(format!(" (CHANGEDSINCE {modseq} VANISHED)")),
            (Some(modseq), false) => writer.raw(format!(" (CHANGEDSINCE {modseq})")),
            (None, _) => {}
        }
    }
}

impl StoreCommand {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(format!(" {} ", self.set));
        if let Some(modseq) = self.unchanged_since {
            writer.raw(format!("(UNCHANGEDSINCE {modseq}) "));
        }
        writer.raw(match self.action {
            StoreAction::Replace => "",
            StoreAction::Add => "+",
            StoreAction::Remove => "-",
        });
        writer.raw(if self.is_silent { "FLAGS.SILENT " } else { "FLAGS " });
        Flag::encode_list(&self.flags, writer);
    }
}

impl CopyCommand {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(format!(" {} ", self.set));
        self.mailbox.encode(writer);
    }
}
