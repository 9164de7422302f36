//! Servers of SMTP and LMTP: [`SmtpServer`] is a factory for any port, an [`SmtpHandler`] decides at each step.
//!
//! | step | what is decided |
//! |---|---|
//! | [`connected`](SmtpHandler::connected) | the greeting |
//! | [`helo`](SmtpHandler::helo) | the name of the client |
//! | [`mail`](SmtpHandler::mail) | the sender |
//! | [`rcpt`](SmtpHandler::rcpt) | each recipient |
//! | [`data`](SmtpHandler::data) | where the message goes: a [`MessageSink`] |
//! | [`write`](MessageSink::write) | each piece of it; reading waits while it is not taken |
//! | [`finish`](MessageSink::finish) | whether this server is responsible for it from now on |
//!
//! Each is a [`Verdict`]: at once, or later.

mod auth;
mod config;
mod connection;
mod handler;
mod lines;
mod message;
mod mistakes;
mod received;
mod replying;
mod session;
mod smtp_server;
#[cfg(feature = "tls")]
mod tls;
mod verdict;
mod waiting;

pub use config::ServerConfig;
pub use connection::SmtpHandling;
pub use handler::{MessageSink, SmtpHandler, collect};
pub use session::Session;
pub use smtp_server::{SmtpConnection, SmtpServer};
pub use verdict::{Outcome, Verdict};
