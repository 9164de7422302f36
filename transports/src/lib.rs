//! The transports of sinew: byte streams and datagrams over sockets, pipes and memory. What the bytes mean is the business of
//! `sinew-protocols`; the event loop is in `sinew-reactor`.
//!
//! A user implements a [`Protocol`], one object for each connection, and passes a [`Factory`] that builds them to
//! [`ReactorTcp::listen_tcp`] or [`ReactorTcp::connect_tcp`]. A connection is controlled through its [`Transport`].
//!
//! | what you implement | |
//! |---|---|
//! | [`Protocol`] | one end of a connection, called by the event loop |
//! | [`Factory`], [`factory()`], [`SharedFactory`] | builds protocols: a closure, or a type |
//! | [`Producer`], [`Production`] | output that is made while there is room for it |
//!
//! | what you receive | |
//! |---|---|
//! | [`Transport`], [`WriteStatus`], [`TimerId`], [`ConnectionId`] | the handle of a connection, and what its methods return |
//! | [`Connection`], [`OwnedConnection`], [`Connecting`], [`ConnectError`], [`ConnectPhase`], [`FailedAttempt`] | a connection with a known protocol type, and connecting |
//! | [`ListeningPort`], [`ListenError`], [`Address`] | a listening port, and its address |
//! | [`Peer`], [`ConnectionLost`], [`TlsError`], [`SendFileError`] | the other end; why a connection ended |
//! | [`SetProtocolError`], [`NotHandedOver`], [`UnreadInput`] | why a connection was not handed over to another protocol |
//! | [`Bytes`] | reference-counted bytes, shared without a copy |
//!
//! | what you configure | |
//! |---|---|
//! | [`ReactorTcp`], [`Destination`], [`Family`] | listen and connect by TCP |
//! | [`ListenConfig`], [`ConnectConfig`], [`StreamConfig`] | limits and options of listening ports and of connections |
//! | [`Faults`] | fault injection between a stream and its socket |
//!
//! | other transports and services | module |
//! |---|---|
//! | connections, ports and datagrams for tasks | [`async_io`] |
//! | endpoint strings, for listening and connecting | [`endpoint`] |
//! | TLS with rustls (feature `tls`) | `tls` |
//! | TLS that protocols start on open connections | [`starttls`] |
//! | Unix sockets, credentials, file-descriptor passing | `unix` |
//! | UDP and other datagrams | [`datagram`] |
//! | child processes | `process` |
//! | pipes, FIFOs, standard input and output | `pipe` |
//! | sockets opened by others | `adopt` |
//! | names and resolvers | [`names`] |
//! | the PROXY protocol | [`proxy`] |
//! | client connections that reconnect | [`client_service`] |
//! | relays between two connections | [`relay`] |
//! | socket options | [`options`] |
//! | whether an address is public | [`is_public_address`] |
//! | several reactors that serve the same ports | [`reactors`] |
//! | networks that replace the kernel's, for authors of transports | [`net`] |
//! | streams in memory | [`memory`] |
//! | a look at the connections and ports of a reactor | [`inspect`] |
//!
//! To write a kind of endpoint, start at [`endpoint`]; to add another source of events to the event loop, at
//! [`sinew_reactor::source`].

#![deny(unsafe_code)]

mod address;
#[cfg(unix)]
pub mod adopt;
pub mod async_io;
mod buffers;
mod client_network;
pub mod client_service;
mod config;
mod connection;
pub mod datagram;
mod disconnect;
mod dyn_protocol;
pub mod endpoint;
mod factory;
mod faults;
mod immediate_connect;
pub mod inspect;
mod listener_hooks;
mod mailbox;
pub mod memory;
pub mod names;
pub mod net;
pub mod options;
mod peer;
#[cfg(unix)]
pub mod pipe;
#[cfg(unix)]
pub mod process;
mod producer;
mod protocol;
pub mod proxy;
mod public_address;
pub mod reactors;
mod sealed;
mod sharing;
pub mod starttls;
mod stream;
mod tcp;
mod timers;
#[cfg(feature = "tls")]
pub mod tls;
// Without the feature, too.
#[path = "tls/tls_error.rs"]
mod tls_error;
mod transport;
#[cfg(unix)]
pub mod unix;
mod waiters;

#[doc(no_inline)]
pub use bytes::{self, Bytes};
#[doc(no_inline)]
pub use sinew_reactor as reactor;
pub use sinew_reactor::PacketInfo;
pub use {
    address::Address,
    client_network::client_network,
    config::{ConnectConfig, ListenConfig, StreamConfig},
    connection::{Connection, OwnedConnection},
    disconnect::ConnectionLost,
    factory::{Factory, SharedFactory, factory},
    faults::Faults,
    peer::Peer,
    producer::{Producer, Production},
    protocol::Protocol,
    public_address::is_public_address,
    stream::{
        file::SendFileError,
        handover::{NotHandedOver, SetProtocolError, UnreadInput},
        relay::api as relay,
    },
    tcp::{
        ConnectError, ConnectPhase, Connecting, Destination, FailedAttempt, Family, ListenError,
        ListeningPort, ReactorTcp,
    },
    tls_error::TlsError,
    transport::{ConnectionId, TimerId, Transport, WriteStatus},
};
// Types of public modules are re-exported here under short paths; the documentation shows them in their modules.
#[cfg(unix)]
#[doc(hidden)]
pub use {
    adopt::{AdoptError, DescriptorKind, HandedPort, ReactorAdopt},
    pipe::{PipeError, ReactorPipes},
    process::{
        AtStop, ChildFd, ChildIo, Process, ProcessConfig, ProcessProtocol, ProcessStatus,
        ReactorProcesses, SignalError, SpawnError, WindowSize,
    },
    stream::handed::HandedConnection,
    unix::{
        Credentials, DescriptorRefused, ReactorUnix, SendDescriptorError, UnixAddr,
        UnixDatagramConfig, UnixListenConfig, UnixListenError, UnixPeer,
    },
};
#[doc(hidden)]
pub use {
    async_io::{
        AsyncDatagram, AsyncListener, AsyncStream, ConnectStream, ReadHalf, ReuniteError, WriteHalf,
    },
    client_service::{ClientService, RetryConfig, ServiceError, ShortLivedConnection},
    datagram::{
        DatagramAddr, DatagramConfig, DatagramOptionError, DatagramProtocol, DatagramStats,
        DatagramTransport, Interface, Overflow, ReactorUdp, SendFailed, SendStatus, Stopped,
        UdpError,
    },
    endpoint::{DynFactory, DynProtocol},
    options::{Dscp, Keepalive, SocketOptionError},
    relay::{RelayError, RelayedBytes},
    stream::moving::SendToError,
};

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
