//! A client of XMPP: [`XmppClient`] is the handle, an [`XmppHandler`] is told what happens, and questions are answered by a
//! [`Deferred`](sinew_transports::reactor::Deferred).
//!
//! TLS is required by default and forgets what was said before it; the mechanism of the login cannot become a worse one from one
//! connection to the next; stanzas that a lost connection may have taken with it are sent again where the server resumes the session.

mod archive;
mod commands;
mod config;
mod connection;
mod contact;
mod error;
mod handler;
mod incoming;
mod login;
mod negotiation;
pub(in crate::xmpp) mod requests;
mod rooms;
mod roster;
mod session;
mod state;
#[cfg(feature = "tls")]
mod tls;
mod upload;
mod xmpp_client;

pub use super::iq_request::IqRequest;

pub use {
    archive::{ArchivePage, ArchiveReader, ArchivedMessage},
    config::{Security, XmppConfig},
    connection::XmppConnection,
    contact::{Contact, Subscription},
    error::{RequestError, SendError, XmppError},
    handler::XmppHandler,
    upload::{Slot, UploadError, UploadFile, UploadService},
    xmpp_client::XmppClient,
};
