//! The messages of IRC as bytes. Pure: no input or output, and nothing of transports.

mod case_mapping;
mod ctcp;
mod dcc;
#[cfg(test)]
mod dcc_tests;
mod file_name;
mod format;
mod irc_line;
mod irc_text;
mod isupport;
mod mask;
mod message;
mod message_buf;
#[cfg(test)]
mod message_tests;
mod modes;
pub mod numeric;
mod sasl_text;
mod server_time;
mod source;
mod split;
mod tags;

pub(crate) use mask::MaskedText;
pub(crate) use message_buf::check_line;
pub use {
    case_mapping::CaseMapping,
    ctcp::Ctcp,
    dcc::{Dcc, DccOffered, DccPart, DccSyntaxError},
    file_name::safe_file_name,
    format::{Color, Span, Style, assemble, parse_formatting, strip_formatting},
    irc_line::{CLIENT_TAGS_MAX, IrcLine, MESSAGE_MAX, SERVER_TAGS_MAX},
    irc_text::IrcText,
    isupport::Isupport,
    mask::mask_matches,
    message::{Message, MessageError, PARAMETERS_MAX},
    message_buf::{BuildError, MessageBuf},
    modes::{ModeChange, ModeKinds, ModesError},
    sasl_text::{SaslText, SaslTooLong, sasl_pieces},
    server_time::{format_time, parse_time},
    source::Source,
    split::{cut_at_character, split_text},
    tags::escape_tag,
};
