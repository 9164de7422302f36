//! sinew: an event-driven networking framework in the manner of Twisted.
//!
//! A mio-backed [`Reactor`](reactor::Reactor) tells transports that the kernel is ready, transports drive your
//! [`Protocol`](transports::Protocol) objects, and [`Factory`](transports::Factory) objects build one protocol for each
//! connection.
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
//! | crate | what it knows |
//! |---|---|
//! | [`reactor`] | readiness, time, calls, threads, signals, tasks |
//! | [`transports`] | how bytes come and go: protocols, factories, TCP, Unix sockets, datagrams, memory |
//! | [`protocols`] | what bytes mean: lines, frames, and the small services of `wire` |
//! | `socketserver` | servers whose handlers block, each in a thread or a process, in the manner of Python's `socketserver` (feature `socketserver`) |

#![forbid(unsafe_code)]

#[cfg(doctest)]
mod doctests;

pub use sinew_protocols as protocols;
pub use sinew_reactor as reactor;
#[cfg(feature = "socketserver")]
pub use sinew_socketserver as socketserver;
pub use sinew_transports as transports;
pub use sinew_transports::bytes;

/// What most programs use: `use sinew::prelude::*;`.
pub mod prelude {
    pub use sinew_reactor::{
        Deferred, DelayedCall, Engine, LoopingCall, Phase, Promise, Reactor, Remote, Task,
        WeakReactor,
    };
    #[cfg(feature = "tls")]
    pub use sinew_transports::tls::{
        Identity, ReactorTls, TlsClientConfig, TlsServerConfig, TrustedRoots,
    };
    pub use sinew_transports::{
        Bytes, ConnectConfig, ConnectError, Connecting, Connection, ConnectionLost,
        DatagramProtocol, DatagramTransport, Factory, ListenConfig, ListeningPort, Peer, Producer,
        Production, Protocol, ReactorTcp, ReactorUdp, SharedFactory, StreamConfig, TimerId,
        Transport, WriteStatus, factory,
    };
    #[cfg(unix)]
    pub use sinew_transports::{
        ChildFd, Process, ProcessConfig, ProcessProtocol, ProcessStatus, ReactorPipes,
        ReactorProcesses,
    };
    #[cfg(unix)]
    pub use sinew_transports::{ReactorAdopt, ReactorUnix, UnixAddr};
}
