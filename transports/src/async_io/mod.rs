//! Connections, ports and datagrams for tasks: [`AsyncStream`], [`AsyncListener`] and [`AsyncDatagram`]. Everything here works in
//! tasks of the reactor ([`Reactor::spawn`](sinew_reactor::Reactor::spawn)), over any transport and in a simulated network.
//!
//! # Cancel safety
//!
//! A future may be dropped before it is ready: by a timeout, by a `select`, with its task. No byte, connection or frame is lost then.
//!
//! | call | if its future is dropped |
//! |---|---|
//! | [`connect`](AsyncStream::connect) | the attempt is given up; a connection that was made is closed |
//! | [`accept`](AsyncListener::accept) | no connection was taken |
//! | [`read`](AsyncStream::read), [`read_exact`](AsyncStream::read_exact), [`fill_buf`](AsyncStream::fill_buf), [`readable`](AsyncStream::readable) | nothing was read |
//! | [`write`](AsyncStream::write), [`writable`](AsyncStream::writable) | nothing was written |
//! | [`write_all`](AsyncStream::write_all) | up to 64 KiB: nothing was written. Of more data, a first part may be written, and it is not known how much |
//! | [`flush`](AsyncStream::flush) | data is sent all the same |
//! | [`shutdown`](AsyncStream::shutdown) | the output ends all the same, unless the future was never polled |
//! | `start_tls` | the handshake goes on, and later reads and writes wait for its end |
//! | [`recv_from`](AsyncDatagram::recv_from), [`recv`](AsyncDatagram::recv) | no datagram was taken |
//! | [`send_to`](AsyncDatagram::send_to), [`send`](AsyncDatagram::send) | the datagram was not sent, unless its future was waiting for the result of the system |
//!
//! # Limits
//!
//! | limit | value | past it |
//! |---|---|---|
//! | received ahead of the task | [`READ_LIMIT`] (64 KiB) and one read | reading is paused |
//! | queued for sending | the [high watermark](crate::StreamConfig::watermarks), and one write of [`WRITE_MAX`] (64 KiB) | `write` waits |
//! | accepted and not taken | [`ACCEPT_QUEUE_MAX`] (64) connections | the port is paused |
//! | received datagrams | [`DATAGRAM_QUEUE_MAX`] (64) datagrams | receiving is paused, and the kernel drops what it has no room for |
//!
//! # Traits of others
//!
//! The stream and its halves implement `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of `futures-io`; with the feature `tokio-io`
//! also `AsyncRead` and `AsyncWrite` of `tokio`, and with the feature `hyper` the traits of `hyper::rt`. Neither feature adds a
//! runtime. The listener is a `Stream` of `futures-core`.

mod core;
mod datagram;
mod foreign;
mod futures_io;
#[cfg(feature = "hyper")]
pub mod hyper;
mod listener;
mod protocol;
mod reader;
mod stream;
#[cfg(feature = "tokio-io")]
mod tokio_io;
mod unread;
mod writer;

pub(crate) use unread::Unread;
pub use {
    core::READ_LIMIT,
    datagram::{AsyncDatagram, DATAGRAM_QUEUE_MAX},
    listener::{ACCEPT_QUEUE_MAX, AsyncListener},
    reader::ReadHalf,
    stream::{AsyncStream, ConnectStream, ReuniteError},
    writer::{WRITE_MAX, WriteHalf},
};
