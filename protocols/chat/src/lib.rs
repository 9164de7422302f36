//! Chat for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`irc`] is Internet Relay Chat: [`irc::client::IrcClient`], [`irc::server::IrcServer`], and a codec for all that
//!   speaks IRC.
//! - [`xmpp`] is XMPP: [`xmpp::client::XmppClient`] and [`xmpp::server::XmppServer`], with sessions that outlive connections, rooms and
//!   components, [`xmpp::component::XmppComponent`], and a codec.
//! - [`historical`] has AIM, ICQ and MSN, whose networks are gone: for history, and for servers of one's own.
//!
//! # Examples
//!
//! A bot that answers, over any endpoint:
//!
//! ```no_run
//! use sinew_chat::irc::client::{IrcClient, IrcConfig, IrcHandler, Said};
//! use sinew_transports::{endpoint::ClientEndpoint, reactor::Reactor};
//!
//! struct Echo;
//!
//! impl IrcHandler for Echo {
//!     fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
//!         if !said.is_echo {
//!             irc.notice(said.reply_to(), said.text).ok();
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let irc = IrcClient::new(&reactor, IrcConfig::new("echobot")?, Echo);
//! let endpoint: ClientEndpoint = "tcp:irc.example.net:6667".parse()?;
//! irc.connect(&reactor, endpoint).detach();
//! reactor.run()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tls` | logins are bound to TLS; TLS itself is of the endpoint |
//! | `websocket` | the IRC server also over WebSocket, by `sinew-http` |

#![forbid(unsafe_code)]

mod attempt;
mod bucket;
pub mod historical;
pub mod irc;
mod replace_file;
mod waiting;
pub mod xmpp;

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
