//! sinew: an event-driven networking framework in the manner of Twisted.
//!
//! A mio-backed [`Reactor`](reactor::Reactor) tells transports that the kernel is ready, transports drive your
//! [`Protocol`](transports::Protocol) objects, and [`Factory`](transports::Factory) objects build one protocol for each
//! connection.
//!
//! # Start here
//!
//! ```no_run
//! use sinew::prelude::*;
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let reactor = Reactor::new()?;
//!     reactor.listen_tcp("127.0.0.1:8000", |_: &Peer| Echo)?;
//!     reactor.run()?; // until stop(), SIGINT or SIGTERM
//!     Ok(())
//! }
//! ```
//!
//! That is a whole server: try it with `nc 127.0.0.1 8000`. From here,
//!
//! - the guide teaches in sixteen short chapters: `docs/guide/1-first-server.md` in the repository, and on;
//! - `examples/` has thirty programs to run and to read, in an order;
//! - who knows Twisted begins at `docs/guide/8-coming-from-twisted.md`, who knows Python's `socketserver` at
//!   `docs/guide/10-socketserver.md`.
//!
//! `use sinew::prelude::*` brings the words that most programs need. The log goes through `tracing`, and is shown by
//! `tracing_subscriber::fmt::init()`.
//!
//! # What is where
//!
//! | to | see |
//! |---|---|
//! | write a server or a client | [`Protocol`](transports::Protocol), [`Factory`](transports::Factory), [`ReactorTcp`](transports::ReactorTcp) |
//! | write, pause and close a connection | [`Transport`](transports::Transport) |
//! | know why it ended | [`ConnectionLost`](transports::ConnectionLost) |
//! | set limits | [`ListenConfig`](transports::ListenConfig), [`ConnectConfig`](transports::ConnectConfig), [`StreamConfig`](transports::StreamConfig) |
//! | receive lines or frames | [`protocols::basic`] |
//! | use a time, a thread, a future, a signal | [`reactor`] |
//! | encrypt | `transports::tls` (feature `tls`) |
//! | read and write connections with `await` | [`transports::async_io`] |
//! | use several processors | [`transports::reactors`] |
//! | listen and connect where a string says | [`transports::endpoint`] |
//! | use UDP, Unix sockets, processes, pipes | [`transports`], by modules |
//! | keep a connection alive | [`ClientService`](transports::client_service::ClientService) |
//! | test without a network, or with one that fails | `testing`, `sim` (feature `testing`) |
//! | check passwords, log in | `auth` (feature `auth`) |
//! | be on IRC, or serve it, or on networks that are gone | `chat` (feature `chat`) |
//! | look up names and records | `dns` (feature `dns`) |
//! | serve HTTP | `http` (feature `http`) |
//! | receive and send mail | `mail` (feature `mail`) |
//! | serve, read and feed news | `news` (feature `news`) |
//! | write handlers that block | `socketserver` (feature `socketserver`) |
//! | bring another source of events to the loop | [`reactor::source`] |
//!
//! | crate | what it knows |
//! |---|---|
//! | [`reactor`] | readiness, time, calls, threads, signals, tasks |
//! | [`transports`] | how bytes come and go |
//! | [`protocols`] | what bytes mean: lines, frames, and the small services of [`protocols::wire`] |
//! | `testing`, `sim` (`sinew-testkit`) | a simulated network, recordings, checks for protocols |
//! | `auth` | SASL for servers and clients, checkers of passwords, limits on failures |
//! | `chat` | IRC: a codec without I/O, a client and a server; AIM, ICQ and MSN |
//! | `dns` | DNS: codecs without I/O, a resolver and a client |
//! | `http` | HTTP/1.1: codecs without I/O, and a server |
//! | `mail` | SMTP, LMTP and POP3: codecs without I/O, servers and clients; a queue on disk; where mail is kept |
//! | `news` | NNTP: codecs without I/O, a server, a client and a feeder; a spool on disk |
//! | `socketserver` | servers whose handlers block, each in a thread or a process, in the manner of Python's `socketserver` |
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `tls`, on by default | TLS with rustls |
//! | `auth` | the module of that name |
//! | `chat` | the module of that name, and `auth` |
//! | `dns` | the module of that name |
//! | `http` | the module of that name, and `auth` |
//! | `mail` | the module of that name, and `auth` |
//! | `news` | the module of that name, and `auth` |
//! | `socketserver` | the module of that name |
//! | `testing` | the test kit: the modules `testing` and `sim` |
//! | `idna` | names in other scripts than ASCII |
//! | `tokio-io` | `AsyncRead` and `AsyncWrite` of tokio for [`AsyncStream`](transports::AsyncStream) |
//! | `hyper` | the traits of `hyper::rt`, so that hyper runs on a reactor |

#![forbid(unsafe_code)]

#[cfg(doctest)]
mod doctests;

#[cfg(feature = "application")]
pub use sinew_application as application;
#[cfg(feature = "auth")]
pub use sinew_auth as auth;
#[cfg(feature = "chat")]
pub use sinew_chat as chat;
#[cfg(feature = "dns")]
pub use sinew_dns as dns;
#[cfg(feature = "http")]
pub use sinew_http as http;
#[cfg(feature = "mail")]
pub use sinew_mail as mail;
#[cfg(feature = "news")]
pub use sinew_news as news;
pub use sinew_protocols as protocols;
pub use sinew_reactor as reactor;
#[cfg(feature = "socketserver")]
pub use sinew_socketserver as socketserver;
#[cfg(feature = "testing")]
pub use sinew_testkit::{sim, testing};
pub use sinew_transports as transports;
#[doc(no_inline)]
pub use sinew_transports::bytes;

/// What most programs use: `use sinew::prelude::*;`.
pub mod prelude {
    pub use sinew_reactor::{
        Deferred, DelayedCall, Engine, LoopingCall, Phase, Promise, Reactor, Remote, Task,
        TaskGroup, WeakReactor,
    };
    #[cfg(feature = "tls")]
    pub use sinew_transports::tls::{
        Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots,
    };
    pub use sinew_transports::{
        AsyncDatagram, AsyncListener, AsyncStream, Bytes, ConnectConfig, ConnectError, Connecting,
        Connection, ConnectionLost, DatagramProtocol, DatagramTransport, Factory, ListenConfig,
        ListeningPort, OwnedConnection, Peer, Producer, Production, Protocol, ReactorTcp,
        ReactorUdp, SharedFactory, StreamConfig, TimerId, Transport, WriteStatus, factory,
    };
    #[cfg(unix)]
    pub use sinew_transports::{
        ChildFd, Process, ProcessConfig, ProcessProtocol, ProcessStatus, ReactorPipes,
        ReactorProcesses,
    };
    #[cfg(unix)]
    pub use sinew_transports::{ReactorAdopt, ReactorUnix, UnixAddr};
}
