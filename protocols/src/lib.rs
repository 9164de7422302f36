//! Protocols of sinew: framing, codecs, request matching, rate limiting and small services. Sinew is an event-driven
//! networking framework in the manner of Twisted.
//!
//! - [`basic`] splits a byte stream into lines, netstrings and other frames: [`basic::LineReceiver`] and its siblings
//!   are one framing engine, [`basic::Framed`], each with its own decoder.
//! - `compression` (a feature of that name) inflates within a size budget, and deflates.
//! - [`policies`] wraps any protocol to change how it is driven: [`policies::RateLimit`].
//! - [`wire`] implements the small classic services, from Echo to Time, one page each: a good place to start reading.
//!
//! Codecs do not depend on transports and protocols do not depend on sockets: everything here runs on
//! [`Transport::memory`](sinew_transports::Transport::memory) exactly as on TCP, and is tested that way.
//!
//! # Examples
//!
//! A server that answers each line with the same line in upper case, tested without a network:
//!
//! ```
//! use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
//! use sinew_transports::{Protocol, Transport};
//!
//! struct Upper;
//!
//! impl LineHandler for Upper {
//!     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
//!         if transport.send_line(line.to_ascii_uppercase()).is_err() {
//!             transport.lose_connection();
//!         }
//!     }
//! }
//!
//! let (transport, wire) = Transport::memory();
//! let mut upper = LineReceiver::new(Upper); // what a factory builds for each connection
//! upper.data_received(&transport, b"hello\r\nwor");
//! upper.data_received(&transport, b"ld\r\n");
//! assert_eq!(wire.sent(), b"HELLO\r\nWORLD\r\n");
//! ```
#![forbid(unsafe_code)]

pub mod basic;
#[cfg(feature = "compression")]
pub mod compression;
pub mod policies;
pub mod wire;

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
