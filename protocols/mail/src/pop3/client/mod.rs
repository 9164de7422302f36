//! Clients of POP3: [`fetch`] gets what is new in one call; a [`Pop3Client`] is an open session, from the connection to QUIT.
//!
//! Messages are streamed: a [`Message`] is read piece by piece, as fast as its reader is, and lists are read line by line. What is new is
//! said by [`Pop3Client::new_messages`], for clients that leave mail on the server and remember the [unique ids](super::codec::UniqueId) of
//! what they have.
//!
//! # Cancel safety
//!
//! None of the methods of a session is cancel safe: a response that was asked for and not read to its end makes the client unusable, and it says so by
//! [`Pop3Error::Unusable`]. Nothing is deleted then.

mod auth;
mod config;
mod error;
mod fetching;
mod link;
mod listing;
mod message;
mod new_messages;
mod pop3_client;
#[cfg(feature = "tls")]
mod tls;

pub use config::{ClientConfig, Security};
pub use error::{Pop3Error, Stage};
pub use fetching::{AfterFetch, FetchError, FetchHandler, FetchSink, Fetched, fetch};
pub use listing::Listing;
pub use message::{Message, Retrieving};
pub use new_messages::NewMessage;
pub use pop3_client::{Pop3Client, Stat};
