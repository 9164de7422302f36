//! News for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`nntp`] speaks NNTP: [`nntp::server::NewsServer`], [`nntp::client::NewsClient`], and [`nntp::client::Feeder`], which sends
//!   articles on to other servers.
//! - [`store`] keeps articles: [`store::Spool`] on disk, [`store::MemoryStore`], or a [`store::NewsStore`] of your own.
//!
//! # Examples
//!
//! A server with one group, and a client that posts to it and reads what it has posted:
//!
//! ```
//! use sinew_news::{
//!     nntp::{
//!         client::{ClientConfig, NewsClient, Security},
//!         codec::Part,
//!         server::{Access, NewsServer, ServerConfig},
//!     },
//!     store::{MemoryStore, NewGroup},
//! };
//! use sinew_transports::{ReactorTcp, reactor::Reactor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let reactor = Reactor::new()?;
//! let store = MemoryStore::new();
//! store.create_group(NewGroup::new("misc.test".parse()?), reactor.wall_clock())?;
//! let everybody = |_: &_| Access::read_and_post();
//! let server = NewsServer::new(ServerConfig::new("news.example.org")?, store, everybody);
//! let port = reactor.listen_tcp("127.0.0.1:0", server)?;
//!
//! let of_task = reactor.clone();
//! let task = reactor.spawn(async move {
//!     let config = ClientConfig::default().security(Security::None);
//!     let mut client = NewsClient::connect(&of_task, port.local(), config).await?;
//!     client.post("From: ann@example.net\nNewsgroups: misc.test\nSubject: hello\n\nHello.\n").await?;
//!     let group = client.group(&"misc.test".parse()?).await?;
//!     let article = client.article(Part::Body, group.low).await?.ok_or("no article")?;
//!     assert_eq!(article.read_to_end(1_000).await?, b"Hello.\r\n");
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! });
//! reactor.run_until(task)??;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `compression` | COMPRESS DEFLATE |
//! | `tls` | STARTTLS, and TLS from the start |

#![forbid(unsafe_code)]

pub mod nntp;
pub mod store;

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
