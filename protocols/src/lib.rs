//! What bytes mean: the protocols of sinew, an event-driven networking framework in the manner of Twisted.
//!
//! - [`basic`] cuts a stream into lines, netstrings and other frames: [`basic::LineReceiver`] and its kin, which are one
//!   engine, [`basic::Framed`], with small decoders.
//! - `compression`, a feature of that name, inflates within a budget, and deflates.
//! - [`policies`] are wrappers around any protocol: [`policies::RateLimit`].
//! - [`wire`] has the small services of old, Echo to Time, each one page: a good place to begin reading.
//!
//! A codec here knows no transport and a protocol knows no socket: everything runs on
//! [`Transport::memory`](sinew_transports::Transport::memory) as it does on TCP, and is tested that way.
//!
//! # Examples
//!
//! A server that answers each line with the same line in upper case, tried out without a network:
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
