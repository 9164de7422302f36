//! Whether a message fulfils a search key (RFC 3501 6.4.4): [`Program`]. Pure: what has to be read of a message, it says.
//!
//! A key is decided with as little as possible: what a mailbox knows of all its messages, else the header, else the text. Texts are
//! compared as Unicode without regard to case, with their transfer encodings, charsets and encoded words undone.

mod needles;
mod program;

pub(crate) use needles::{PartReader, TextSearch};
pub(crate) use program::{Known, Need, NoProgram, Program, SearchContext, unix};
