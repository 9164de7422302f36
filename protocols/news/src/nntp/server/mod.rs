//! Servers of NNTP: [`NewsServer`] is a factory for any port, on any [`NewsStore`](crate::store::NewsStore); a [`NewsHandler`] decides
//! who may do what, and about each article.

mod access;
mod auth;
mod config;
mod connection;
mod handler;
mod listing;
mod news_server;
mod reading;
mod receiving;
mod rules;
mod session;
mod shared;
#[cfg(feature = "tls")]
mod tls;
mod wire;

pub use access::Access;
pub use config::ServerConfig;
pub use handler::{NewsHandler, Refusal, Verdict};
pub use news_server::{NewsConnection, NewsServer};
pub use session::Session;
