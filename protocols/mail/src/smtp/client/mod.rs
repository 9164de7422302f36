//! Clients of SMTP and LMTP: [`sendmail`] delivers one message in one call; a [`SmtpClient`] is an open connection, for several.
//!
//! What is sent is fixed before the server is asked: bare CRs and LFs become CRLF, and the last line is ended, so that no text can end
//! the message early. A server that lacks an extension which the message needs (8BITMIME, SMTPUTF8) does not get it:
//! [`SmtpError::Needs`].

mod auth;
mod config;
mod delivery;
mod envelope;
mod error;
#[cfg(feature = "dns")]
mod exchangers;
mod link;
mod sendmail;
mod smtp_client;
mod source;
pub(crate) mod text;
#[cfg(feature = "tls")]
mod tls;
mod transaction;

#[cfg(feature = "dns")]
pub use exchangers::{Exchanger, exchangers, send_to_domain};
pub use {
    config::{ClientConfig, Security},
    delivery::{Delivery, RecipientReply},
    envelope::Envelope,
    error::{SmtpError, Stage},
    sendmail::sendmail,
    smtp_client::SmtpClient,
    source::MessageSource,
};
