//! HTTP/1.1 for sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`codec`] is the wire format of RFC 9112 without I/O: heads, bodies, chunks, forms, ranges, conditions. Strict wherever
//!   leniency allows request smuggling.
//! - [`server`] is a server for any endpoint: [`server::HttpServer`] builds a connection for each client, which calls a
//!   [`server::Handler`] for each request. It includes a router, static files, sessions, and layers.
//! - `websocket` (feature `websocket`) is RFC 6455 with the compression of RFC 7692: frames and messages without I/O, connections that are
//!   upgraded from requests, and a client.
//!
//! # Examples
//!
//! A server, tested without a network:
//!
//! ```
//! use std::time::Duration;
//! use sinew_http::server::{HttpServer, Request, Router, answer};
//! use sinew_transports::{StreamConfig, memory, reactor::Reactor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let router = Router::new().get("/hello/{name}", answer(|request: &Request| {
//!     format!("hello {}\n", request.param("name").unwrap_or_default())
//! }));
//! let server = HttpServer::new(router);
//! let reactor = Reactor::simulated(0);
//! let (_, wire) = memory::connect(&reactor, StreamConfig::default(), server.connection())?;
//! wire.receive(b"GET /hello/ann HTTP/1.1\r\nHost: example.org\r\n\r\n");
//! reactor.advance(Duration::ZERO)?;
//! assert!(wire.sent().ends_with(b"\r\n\r\nhello ann\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `client`, on by default | the module `client` |
//! | `compression`, on by default | `server::Compression`, with gzip |
//! | `forms`, on by default | `server::Form`: forms with files, in temporary files |
//! | `guard`, on by default | `server::Guard`: Basic and Digest |
//! | `sessions`, on by default | `server::Sessions`, with a signed cookie |
//! | `tls` | `wss` URLs |
//! | `websocket`, on by default | the module `websocket` |
#![forbid(unsafe_code)]

#[cfg_attr(not(feature = "client"), allow(dead_code, unused_imports))]
mod body;
pub mod client;
pub mod codec;
pub mod server;
#[cfg(feature = "client")]
pub mod urllib;
#[cfg(feature = "websocket")]
pub mod websocket;

mod unread;

pub use body::{Body, BodyControl, BodyReceiver, BodySource, BodyWaker, BodyWriter, Produced};
pub use codec::{FieldError, Fields};
#[doc(no_inline)]
pub use http::{Method, StatusCode, Version};

/// The code of the README, which `cargo test` compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
