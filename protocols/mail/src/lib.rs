//! Mail for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`imap`] serves mailboxes and reads them by IMAP: [`imap::server::ImapServer`] and [`imap::client::ImapClient`].
//! - [`smtp`] receives and sends mail by SMTP and LMTP: [`smtp::server::SmtpServer`] and [`smtp::client::sendmail`].
//! - [`pop3`] serves mail and fetches it by POP3: [`pop3::server::Pop3Server`] and [`pop3::client::Pop3Client`].
//! - [`queue`] keeps messages safe on disk until they are delivered: [`queue::Queue`]; [`routing`] decides where they go: [`routing::Router`].
//! - [`store`] is where mail is kept: the traits [`store::Store`], [`store::Account`] and [`store::Mailbox`], and mail in memory.
//! - [`testing`] has a mail server for tests of programs that send mail: [`testing::TestServer`].
//! - [`utf7`] is the encoding of names of mailboxes in IMAP4rev1 and on the disk.
//!
//! # Examples
//!
//! A server that accepts mail for one address and prints it, and a client that sends it some:
//!
//! ```
//! use sinew_mail::smtp::{
//!     client::{ClientConfig, Envelope, Security, sendmail},
//!     codec::{Recipient, Reply},
//!     server::{MessageSink, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict, collect},
//! };
//! use sinew_transports::{Peer, ReactorTcp, reactor::Reactor};
//!
//! struct Postbox;
//!
//! impl SmtpHandler for Postbox {
//!     fn rcpt(&mut self, _: &Session, to: &Recipient) -> Verdict {
//!         if to.address().as_str() == "bob@example.org" {
//!             Verdict::accept()
//!         } else {
//!             Verdict::refuse(Reply::no_such_mailbox())
//!         }
//!     }
//!
//!     fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
//!         let recipients = session.recipients().len();
//!         collect(move |message| {
//!             println!("{} bytes for {recipients}", message.len());
//!             Verdict::reply(Reply::ok())
//!         })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let server = SmtpServer::new(ServerConfig::new("mail.example.org")?, |_: &Peer| Postbox);
//! let port = reactor.listen_tcp("127.0.0.1:0", server)?;
//!
//! let envelope = Envelope::new(Some("ann@example.net".parse()?), ["bob@example.org".parse()?]);
//! let config = ClientConfig::new("client.example.net")?.security(Security::None);
//! let message = "Subject: hello\n\nHello, Bob.\n";
//! let delivery = reactor.run_until(sendmail(&reactor, port.local(), config, envelope, message))??;
//! assert!(delivery.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `compression` | COMPRESS=DEFLATE of IMAP |
//! | `dns` | the mail exchangers of a domain, by `sinew-dns` |
//! | `tls` | STARTTLS and STLS, and TLS from the start |

#![forbid(unsafe_code)]

mod file_lock;
pub mod imap;
pub mod pop3;
pub mod queue;
pub mod routing;
pub mod smtp;
pub mod store;
pub mod testing;
pub mod utf7;

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
