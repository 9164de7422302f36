//! A server of IRC for a few thousand clients: [`IrcServer`] is a factory for any port, [`ServerConfig`] its rules and limits.
//!
//! | what | |
//! |---|---|
//! | channels | modes `+imnpstCR`, keys, limits, bans, exceptions, invitations; operators and voice |
//! | users | modes `+iowB`, AWAY, WHO and WHOX, WHOIS, WHOWAS, MONITOR, cloaks in place of addresses |
//! | IRCv3 | the capabilities of `capability.rs`, with SASL by `sinew-auth` |
//! | operators of the server | OPER, KILL, KLINE with a file, REHASH, WALLOPS |
//! | WebSocket | with the feature `websocket`, [`IrcServer`] also serves browsers |
//! | registered channels | ChanServ: they belong to an account, and are stored in a file |
//!
//! A message to many is encoded once for all who see it alike. Servers are not linked: this is the whole network.

mod capability;
mod channel;
mod cloak;
mod commands;
mod config;
mod connection;
mod files;
mod flood;
mod irc_server;
mod labeled_lines;
mod name_set;
mod network;
mod outgoing;
mod registry;
mod report;
mod retry;
mod revoking;
mod server_ban;
mod session;
mod user;
#[cfg(feature = "websocket")]
mod websocket;
mod wire;

#[cfg(feature = "websocket")]
pub use websocket::IrcWebSocket;
pub use {
    config::ServerConfig,
    connection::{IrcServerConnection, IrcSession},
    files::FileError,
    irc_server::IrcServer,
    report::ServerReport,
};
