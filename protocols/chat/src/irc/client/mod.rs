//! A client of IRC: [`IrcClient`] is the handle, an [`IrcHandler`] is told what happens, in the manner of Twisted's `IRCClient`.
//!
//! Lines are sent no faster than servers allow; what waits is bounded. Commands return a result that can be awaited. After a reconnect
//! the client is in the channels again that it was in.

mod channels;
mod commands;
mod config;
mod connection;
mod dcc;
mod error;
mod handler;
mod incoming;
mod irc_client;
mod labeled;
mod outgoing;
mod registration;
mod requests;
mod said;
mod state;
mod whois;

pub use {
    channels::Member,
    config::IrcConfig,
    connection::{IrcConnection, IrcHandling},
    dcc::{DccConfig, DccError, DccOffer, Existing},
    error::{CommandError, IrcError, SendError},
    handler::IrcHandler,
    irc_client::IrcClient,
    said::Said,
    whois::Whois,
};
