//! Files and conversations between two clients (DCC), for an [`IrcClient`](super::IrcClient) whose configuration has a [`DccConfig`]. Off
//! by default.
//!
//! Offers of others are told, and never accepted by themselves. What is agreed on by CTCP is in `incoming.rs` and `transfers.rs`; the
//! connections are made in `meeting.rs`; each use of one has a file: `receive.rs`, `send.rs`, `chat.rs`.

mod chat;
mod config;
mod error;
mod incoming;
mod meeting;
mod offer;
mod pace;
mod part_file;
mod receive;
mod send;
mod task;
mod transfers;

pub(super) use transfers::Transfers;
pub use {config::DccConfig, error::DccError, offer::DccOffer, part_file::Existing};
