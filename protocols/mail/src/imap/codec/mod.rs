//! What is said in IMAP4, without I/O: [`Command`]s and [`Response`]s, each read and written, and [`MessageDecoder`], which finds where
//! they begin and end.
//!
//! This codec is one of its own. `imap-codec` reads and writes the same grammar, but takes a message with all of its literals in one
//! buffer: an APPEND or a section of 50 MiB would be 50 MiB in memory, for each connection. Here a literal is announced before it is
//! read, so that a server can refuse it before the client sends it, and both ends can stream it ([`Event::Literal`]). Nothing
//! recurses without a count: lists may be nested 100 deep, search keys [`SEARCH_DEPTH_MAX`].
//!
//! Nothing that a user passes in can break out of its place: every value is checked when it is made, and is written as an atom, quoted
//! or as a literal, depending on what is in it.

mod atom;
mod body_structure;
mod capability;
mod code;
mod command;
mod command_encode;
mod command_parse;
mod content;
mod date;
mod decoder;
mod dialect;
mod envelope;
mod error;
mod fetch_data;
mod flag;
mod list;
mod literal;
mod mailbox;
mod message;
mod reader;
mod response;
mod response_encode;
mod response_parse;
mod search;
mod section;
mod sequence;
mod status_item;
#[cfg(test)]
mod tests;
mod writer;

pub use {
    atom::{AString, Atom, Tag},
    body_structure::{
        BodyStructure, MultiExtension, MultiPart, PartExtension, PartKind, SingleExtension,
        SinglePart,
    },
    capability::Capabilities,
    code::{Code, PlainCode},
    command::{
        AppendCommand, Command, CommandBody, CopyCommand, FetchCommand, IdFields, QResync,
        SelectCommand, StoreAction, StoreCommand,
    },
    content::Content,
    date::{Date, DateTime},
    decoder::{DecodeError, Event, MessageDecoder},
    dialect::{Dialect, Literals},
    envelope::{MessageAddress, MessageEnvelope},
    error::{EncodeError, ParseError, ValueError},
    fetch_data::FetchData,
    flag::Flag,
    list::{ListAttribute, ListCommand, ListEntry, ListReturn, ListSelection, Pattern},
    literal::LiteralHead,
    mailbox::MailboxName,
    message::Message,
    response::{Data, ESearch, Namespace, Response, Status, StatusText},
    search::{SEARCH_DEPTH_MAX, SearchCommand, SearchKey, SearchReturn},
    section::{FetchItem, Section, SectionText},
    sequence::{SequenceNumber, SequenceSet},
    status_item::StatusItem,
    writer::{Encoded, Pause},
};

pub(crate) use self::sequence::merged_ranges;
