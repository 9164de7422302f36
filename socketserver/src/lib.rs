//! Servers with blocking handlers: Python's `socketserver`, on the reactor of sinew. Names and behaviour are Python's,
//! with its known faults corrected.
//!
//! ```no_run
//! use std::io::Write;
//! use sinew_socketserver::{HandlerResult, StreamContext, StreamRequestHandler, ThreadingTcpServer};
//!
//! struct Upper;
//!
//! impl StreamRequestHandler for Upper {
//!     fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
//!         let line = cx.readline(10_000)?;
//!         println!("{} wrote: {}", cx.client_address, line.escape_ascii());
//!         cx.wfile.write_all(&line.to_ascii_uppercase())?;
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = ThreadingTcpServer::bind("127.0.0.1:9999", || Upper)?;
//!     server.serve_forever()?; // until shutdown(), stop(), SIGINT or SIGTERM
//!     Ok(())
//! }
//! ```
//!
//! # From Python to this crate
//!
//! | Python | here |
//! |---|---|
//! | `TCPServer((host, port), Handler)` | [`TcpServer::bind((host, port), \|\| Handler)`](Server::bind); the closure makes a handler for each request |
//! | `UDPServer`, `UnixStreamServer`, `UnixDatagramServer` | [`UdpServer`], [`UnixStreamServer`], [`UnixDatagramServer`] |
//! | `ThreadingTCPServer`, `ForkingTCPServer`, and the other six | [`ThreadingTcpServer`], [`ForkingTcpServer`], and the other six |
//! | `class S(ThreadingMixIn, TCPServer)` | [`Server<Tcp, H, Threading>`](Server) |
//! | class attributes: `request_queue_size`, `allow_reuse_address`, `timeout`, `max_packet_size`, `daemon_threads`, `block_on_close`, `max_children` … | [`ServerConfig`], given to [`bind_with`](Server::bind_with) |
//! | `class S(TCPServer): def verify_request(self, …)`, and the other hooks | `impl` [`Hooks`] for a type of yours, given to [`ServerConfig::hooks`] |
//! | `super().verify_request(…)` | [`base`], a function for each |
//! | `class H(BaseRequestHandler)` | `impl` [`BaseRequestHandler`] |
//! | `class H(StreamRequestHandler)`: `self.rfile`, `self.wfile` | `impl` [`StreamRequestHandler`]: `cx.rfile`, `cx.wfile` |
//! | `class H(DatagramRequestHandler)`: `self.packet`, `self.socket`, `self.rfile`, `self.wfile` | `impl` [`DatagramRequestHandler`]: `cx.packet`, `cx.socket`, `cx.rfile`, `cx.wfile` |
//! | `self.request` (or `self.connection`), `self.client_address`, `self.server` | `cx.request`, `cx.client_address`, `cx.server` |
//! | `data, socket = self.request` of a datagram | `cx.request.data`, `cx.request.socket` |
//! | `self.request.recv(1024)`, `sendall`, `sendto`, `settimeout`, `getpeername`, `fileno`, `sendfile`, `shutdown` | the same, of [`Socket`] |
//! | `self.rfile.readline(limit)` | [`cx.readline(limit)`](StreamContext::readline), or all that `BufRead` has |
//! | `raise`, and uncaught exceptions | `?`, or a panic: both go to [`handle_error`](Hooks::handle_error) |
//! | `handle_error()` prints a traceback | [`handle_error`](Hooks::handle_error) logs, through `tracing`: give the program a subscriber, or override it |
//! | an attribute of the server that handlers use | an `Arc` that the closure passes to the handlers |
//! | `serve_forever()` | [`serve_forever()`](BaseServer::serve_forever) |
//! | `threading.Thread(target=server.serve_forever)` | `std::thread::scope(\|s\| { s.spawn(\|\| server.serve_forever()); … })`, or an `Arc` of the server |
//! | `shutdown()` | [`shutdown()`](BaseServer::shutdown), or [`stop()`](BaseServer::stop), which does not wait |
//! | `handle_request()` | [`handle_request()`](BaseServer::handle_request), which returns the outcome |
//! | `with Server(…) as server:` | dropping it; [`server_close()`](Server::server_close) returns an error if not everything has ended |
//! | `threading.current_thread().name` | `std::thread::current().name()` |
//!
//! # What differs from Python
//!
//! | Python | here |
//! |---|---|
//! | `shutdown()` is noticed within half a second | within a millisecond: it wakes the reactor |
//! | `shutdown()` from the serving thread waits forever | [`ShutdownError::WouldDeadlock`] |
//! | a thread for each request, without a limit | [`max_threads`](ServerConfig::max_threads), then a [queue](ServerConfig::max_queued), then nothing is accepted |
//! | a listen backlog of 5 connections | [1,024](ServerConfig::request_queue_size) |
//! | after a restart the address is in use, or the Unix socket's file still exists | [`allow_reuse_address`](ServerConfig::allow_reuse_address) is on where it is safe, and the file is removed at the end |
//! | `server_close()` waits for a client that never sends | for [`close_timeout`](ServerConfig::close_timeout); then connections are shut down |
//! | without descriptors, or with a security module that forbids accept(2), the loop spins | the error is logged once, and accepting is retried ten times a second |
//! | forking with threads may deadlock the child | [`ForkError::OtherThreads`] |
//! | a child keeps the port open, and loses its buffered output | neither |
//! | children are reaped when the next request arrives | at once |
//! | a datagram handler that writes nothing sends an empty reply | sends nothing, also if it failed |
//! | a datagram that is too long is truncated, silently | [`Packet::truncated`] |
//! | a UDP server on `0.0.0.0` replies from any address that the system chooses | from the address that the request was sent to, which is in [`Packet::info`] (Linux) |
//! | a connection with unread input is reset, and the reply may be lost | the input is drained first |
//!
//! # Limits
//!
//! | limit | default | past it |
//! |---|---|---|
//! | [`request_queue_size`](ServerConfig::request_queue_size) | 1,024 | the kernel refuses |
//! | [`max_threads`](ServerConfig::max_threads) | 256 | requests are queued |
//! | [`max_queued`](ServerConfig::max_queued) | 1,024 | nothing is accepted until there is room |
//! | [`max_children`](ServerConfig::max_children) | 40 | nothing is accepted until there is room |
//! | [`max_packet_size`](ServerConfig::max_packet_size) | 8,192 bytes | truncated, and marked |
//! | [`close_timeout`](ServerConfig::close_timeout) | 30 s | connections of handlers are shut down |
//! | [`timeout` of a handler](StreamRequestHandler::timeout) | none, as in Python | `TimedOut` |
//! | [`readline`](StreamContext::readline) | its argument | the line is cut |
//!
//! # Platforms
//!
//! TCP and UDP, in place and with threads, work everywhere. Unix sockets and forking need Unix.

// fork(2) has no safe wrapper; it is called in run/sys.rs, and nothing else is unsafe.
#![deny(unsafe_code)]

mod accept;
mod address;
pub mod base;
mod config;
mod datagram;
mod error;
mod family;
mod handler;
mod hooks;
mod lock;
mod request;
mod run;
mod serve;
mod server;
mod serving;
mod socket;
mod stream;
#[cfg(unix)]
mod unix_path;
mod watch;

pub use sinew_reactor::PacketInfo;
pub use {
    address::{Address, AddressFamily, Inet, ToAddress, Unix},
    config::ServerConfig,
    datagram::{DatagramContext, DatagramRequestHandler},
    error::{
        BindError, CloseError, ForkError, HandlerResult, RequestError, ServeError, ShutdownError,
    },
    family::{Datagram, Family, Kind, Stream, Tcp, Udp},
    handler::BaseRequestHandler,
    hooks::Hooks,
    request::{Context, Packet, Request},
    run::{InPlace, Mode, Threading},
    serve::Waited,
    server::{BaseServer, Server, TcpServer, ThreadingTcpServer, ThreadingUdpServer, UdpServer},
    socket::Socket,
    stream::{StreamContext, StreamRequestHandler},
};
#[cfg(unix)]
pub use {
    family::{UnixDatagram, UnixStream},
    run::Forking,
    server::{
        ForkingTcpServer, ForkingUdpServer, ForkingUnixDatagramServer, ForkingUnixStreamServer,
        ThreadingUnixDatagramServer, ThreadingUnixStreamServer, UnixDatagramServer,
        UnixStreamServer,
    },
};

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
