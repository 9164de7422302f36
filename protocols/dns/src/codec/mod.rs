//! The wire format of DNS, without I/O: messages are inspected by their bytes, then decoded by hickory-proto. Used by clients and servers.
//!
//! - [`inspect`] bounds a message before it is decoded: sizes, counts, lengths, compression pointers.
//! - [`decode`] and [`encode`] are between bytes and [`Message`]; [`encode_within`] makes a response fit into a datagram.
//! - [`Question::encode`] builds a query, [`SentQuery::check`] tells whether a message is the response to it.
//! - [`tsig`] signs messages and verifies signatures (RFC 8945).
//!
//! The types of messages and records are those of the crate `hickory-proto`, re-exported here. Over TCP, each message follows its
//! length in two bytes: that is `Int16` of `sinew-protocols`.

pub(crate) mod base64;
mod error;
mod guard;
mod limits;
mod message;
mod names;
mod query;
mod response;
mod truncate;
pub mod tsig;

#[cfg(test)]
pub(crate) mod tests;

pub use error::{EncodeError, MessageError, Mismatch};
pub(crate) use guard::TSIG;
pub use guard::{Outline, RawHeader, inspect};
#[doc(no_inline)]
pub use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode, UpdateMessage},
    rr::{DNSClass, Name, RData, Record, RecordType, rdata},
};
pub use limits::MessageLimits;
pub use message::{MESSAGE_LEN_MAX, decode, encode};
pub(crate) use names::{expand_name, skip_name};
pub use query::{QuerySettings, Question, SentQuery, UDP_PAYLOAD};
pub use response::{Checked, cookie, inspect_query, is_query};
pub use truncate::encode_within;
