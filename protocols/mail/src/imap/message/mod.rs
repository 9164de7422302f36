//! What IMAP tells of a message: its envelope, its structure, its sections. Pure: bytes in, values and answers out. Never reads a store,
//! never holds a whole message.
//!
//! - [`Scanner`] finds the parts of a message, which it is given in pieces of any size, as a [`Part`] with the positions of all others.
//! - [`Envelope`] is what ENVELOPE tells of a header.
//! - [`find_section`] finds where a section such as `1.2.MIME` is in a [`Part`].
//! - [`TransferDecoder`] undoes a transfer encoding, piece by piece, and [`Charset`] reads text.
//!
//! Nothing here fails: a message that is malformed has the structure that can be made out (RFC 9051 leaves it to servers).

mod address;
mod body_structure;
mod charset;
mod content_fields;
mod date;
mod envelope;
mod header;
mod part;
mod quoting;
mod scanner;
mod section;
mod transfer_decoder;

pub use address::Address;
pub use charset::Charset;
pub(crate) use charset::{TextReader, field_text};
pub use content_fields::{ContentFields, Parameter};
pub use date::date_of_field;
pub use envelope::Envelope;
pub use header::{Field, fields, only_fields};
pub use part::{Content, Part};
pub use quoting::{write_nstring, write_string};
pub use scanner::Scanner;
pub use section::find_section;
pub(crate) use section::write_section;
pub use transfer_decoder::TransferDecoder;
