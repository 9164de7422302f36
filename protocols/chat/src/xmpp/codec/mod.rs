//! XMPP without connections: XML of streams as it arrives, elements, addresses, stanzas. Pure.
//!
//! [`StreamParser`] is fed with bytes in pieces of any size and returns elements; [`Element::encode`] is the only way back to XML, and
//! checks all that it writes. The typed values ([`Message`], [`Presence`], [`Iq`]) are thin shells over an [`Element`].
//!
//! # Why a parser of its own
//!
//! XMPP uses a small part of XML (RFC 6120 11): no document types, no entities but the five, no comments, no processing instructions.
//! The push parser that there is for this part, `rxml`, walks up the open elements for each name, which is quadratic in depth, and has
//! no limit on depth. Guards before it would have to read XML themselves. The parser here is smaller than such a guard and a tree
//! together, looks at each byte a constant number of times, finds prefixes in a map, and has a limit for everything that grows.

mod archive_query;
mod component_handshake;
pub(in crate::xmpp) mod date_time;
mod element;
mod encode;
pub(in crate::xmpp) mod encoded;
mod features;
mod iq;
mod jid;
mod lexer;
mod message;
mod namespaces;
pub mod ns;
mod presence;
mod references;
mod stanza;
mod stanza_error;
mod start_tag;
mod stream_error;
pub(in crate::xmpp) mod stream_header;
mod stream_limits;
mod stream_parser;
mod xml_chars;
mod xml_error;
pub(in crate::xmpp) mod xml_limits;

#[cfg(test)]
mod stream_parser_tests;

pub use {
    archive_query::{ArchivePosition, ArchiveQuery},
    component_handshake::component_handshake,
    element::{Attribute, Element, Node},
    encode::EncodeError,
    features::StreamFeatures,
    iq::{Iq, IqKind},
    jid::{Jid, JidError},
    message::{Message, MessageKind},
    presence::{Presence, PresenceKind, Show},
    stanza::{Stanza, StanzaProblem},
    stanza_error::{ErrorKind, StanzaCondition, StanzaError},
    stream_error::{StreamCondition, StreamError},
    stream_limits::StreamLimits,
    stream_parser::{StreamEvent, StreamParser},
    xml_error::XmlError,
    xml_limits::XmlLimits,
};
