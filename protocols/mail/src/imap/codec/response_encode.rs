//! Writes responses (RFC 9051 9, the rule `response` and those below it). The types are in `response.rs`.

use super::{
    Capabilities, Data, ESearch, FetchData, Flag, Namespace, Response, StatusItem, StatusText,
    command_encode::encode_id, response_parse::begins_with_bracket, writer::Writer,
};
use crate::utf7;

impl Response {
    pub(super) fn encode_to(&self, writer: &mut Writer) {
        match self {
            Self::Continue { code, text } => {
                writer.raw("+ ");
                encode_text(code.as_ref(), text, writer);
            }
            Self::Done { tag, status } => {
                writer.raw(tag);
                writer.space();
                status.encode(writer);
            }
            Self::Status(status) => {
                writer.raw("* ");
                status.encode(writer);
            }
            Self::Data(data) => {
                writer.raw("* ");
                data.encode(writer);
            }
        }
    }
}

impl StatusText {
    fn encode(&self, writer: &mut Writer) {
        writer.raw(self.status.name());
        writer.space();
        encode_text(self.code.as_ref(), &self.text, writer);
    }
}

fn encode_text(code: Option<&super::Code>, text: &[u8], writer: &mut Writer) {
    match code {
        Some(code) => {
            code.encode(writer);
            writer.space();
        }
        // It would be read as a code.
        None if begins_with_bracket(text) => writer.space(),
        None => {}
    }
    writer.raw(text);
}

impl Data {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Capability(capabilities) => {
                writer.raw("CAPABILITY");
                capabilities.encode(writer);
            }
            Self::Enabled(enabled) => {
                writer.raw("ENABLED");
                Capabilities::new(enabled.iter().cloned()).encode(writer);
            }
            Self::List(entry) => {
                writer.raw("LIST ");
                entry.encode(writer);
            }
            Self::Lsub(entry) => {
                writer.raw("LSUB ");
                entry.encode(writer);
            }
            Self::Namespace(own, of_others, shared) => {
                writer.raw("NAMESPACE");
                for namespaces in [own, of_others, shared] {
                    writer.space();
                    encode_namespaces(namespaces, writer);
                }
            }
            Self::Status(mailbox, values) => {
                writer.raw("STATUS ");
                mailbox.encode(writer);
                writer.space();
                StatusItem::encode_values(values, writer);
            }
            Self::Flags(flags) => {
                writer.raw("FLAGS ");
                Flag::encode_list(flags, writer);
            }
            Self::Exists(count) => writer.raw(format!("{count} EXISTS")),
            Self::Recent(count) => writer.raw(format!("{count} RECENT")),
            Self::Expunge(number) => writer.raw(format!("{number} EXPUNGE")),
            Self::Vanished { is_earlier, uids } => {
                let earlier = if *is_earlier { "(EARLIER) " } else { "" };
                writer.raw(format!("VANISHED {earlier}{uids}"));
            }
            Self::Fetch { number, items } => {
                writer.raw(format!("{number} FETCH "));
                FetchData::encode_list(items, writer);
            }
            Self::Search { numbers, modseq } => {
                writer.raw("SEARCH");
                for number in numbers {
                    writer.raw(format!(" {number}"));
                }
                if let Some(modseq) = modseq {
                    writer.raw(format!(" (MODSEQ {modseq})"));
                }
            }
            Self::ESearch(found) => found.encode(writer),
            Self::Id(fields) => {
                writer.raw("ID ");
                encode_id(fields.as_ref(), writer);
            }
            Self::Other { number, name } => {
                if let Some(number) = number {
                    writer.raw(format!("{number} "));
                }
                writer.raw(name);
            }
        }
    }
}

impl ESearch {
    fn encode(&self, writer: &mut Writer) {
        writer.raw("ESEARCH");
        if let Some(tag) = &self.tag {
            writer.raw(" (TAG ");
            writer.string(tag.as_bytes());
            writer.raw(")");
        }
        if self.is_uid {
            writer.raw(" UID");
        }
        let mut item = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                writer.raw(format!(" {name} {value}"));
            }
        };
        item("MIN", self.min.map(|number| number.to_string()));
        item("MAX", self.max.map(|number| number.to_string()));
        item("ALL", self.all.as_ref().map(ToString::to_string));
        item("COUNT", self.count.map(|count| count.to_string()));
        item("MODSEQ", self.modseq.map(|modseq| modseq.to_string()));
    }
}

fn encode_namespaces(namespaces: &[Namespace], writer: &mut Writer) {
    if namespaces.is_empty() {
        return writer.raw("NIL");
    }
    writer.raw("(");
    for namespace in namespaces {
        writer.raw("(");
        match writer.dialect.is_utf8() {
            true => writer.string(namespace.prefix.as_bytes()),
            false => writer.string(utf7::encode(&namespace.prefix).as_bytes()),
        }
        writer.space();
        let mut bytes = [0; 4];
        let delimiter =
            namespace.delimiter.map(|delimiter| delimiter.encode_utf8(&mut bytes).as_bytes());
        writer.nstring(delimiter);
        writer.raw(")");
    }
    writer.raw(")");
}
