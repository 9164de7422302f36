//! Servers of POP3: [`Pop3Server`] is a factory for any port, and a [`Pop3Handler`] opens the [`Maildrop`] of the user that has logged in:
//! one of the program, or [`StoredMaildrops`] for the inboxes of a [`Store`](crate::store::Store).
//!
//! | step | what is asked |
//! |---|---|
//! | the login | the [`Authenticator`](sinew_auth::Authenticator) |
//! | [`open`](Pop3Handler::open) | the maildrop of the user |
//! | [`message_count`](Maildrop::message_count), [`size`](Maildrop::size), [`unique_id`](Maildrop::unique_id) | STAT, LIST, UIDL, line by line as the client receives them |
//! | [`read`](Maildrop::read) | RETR and TOP, piece by piece as the client receives them |
//! | [`finish`](Maildrop::finish) | QUIT: the messages to delete. A session that ends otherwise deletes nothing |

mod ahead;
mod config;
mod connection;
mod error;
mod handler;
mod listing;
mod locks;
mod login;
mod open_maildrop;
mod pop3_server;
mod read_together;
mod stored;
mod text;
mod timestamp;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod waiting;

pub use config::ServerConfig;
pub use connection::Pop3Handling;
pub use error::MaildropError;
pub use handler::{Maildrop, Pop3Handler};
pub use pop3_server::{Pop3Connection, Pop3Server};
pub use stored::StoredMaildrops;
