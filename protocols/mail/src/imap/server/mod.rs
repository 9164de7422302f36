//! Servers of IMAP4rev1 (RFC 3501): [`ImapServer`] is a factory for any port, for the mail of a [`Store`](crate::store::Store).
//!
//! Offered are UIDPLUS, MOVE, IDLE, LITERAL-, NAMESPACE, ID, ENABLE, UNSELECT, CHILDREN, SPECIAL-USE, LIST-EXTENDED, LIST-STATUS,
//! STATUS=SIZE, ESEARCH, WITHIN, CONDSTORE, QRESYNC, SASL-IR, APPENDLIMIT, STARTTLS, and
//! COMPRESS.
//!
//! Several sessions may have a mailbox open. Each has its own sequence numbers, and is told of what others change when the RFC allows
//! it: after a command, not while one with sequence numbers is answered, or at once in IDLE.
//!
//! Texts of messages are never in memory as a whole: they are read, searched and written in pieces, as fast as the client receives
//! them, and a message that a client adds goes to the store as it comes.

mod ahead;
mod answer;
mod appending;
mod change;
mod command;
#[cfg(feature = "compression")]
mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression_missing.rs"]
mod compression;
mod config;
mod connection;
mod fetch;
mod imap_server;
mod login;
mod mailboxes;
mod phase;
mod reading;
mod search;
mod select;
mod selected;
mod session;
mod store_values;
#[cfg(feature = "tls")]
mod tls;
mod uid_ranges;
mod view;

pub use config::ServerConfig;
pub use connection::ImapConnection;
pub use imap_server::ImapServer;
