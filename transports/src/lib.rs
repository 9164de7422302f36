//! The transports of sinew: how bytes come and go. What they mean is the business of `sinew-protocols`, when they come is
//! that of `sinew-reactor`.
//!
//! A user writes a [`Protocol`], one object a connection, and hands a [`Factory`] that builds them to
//! [`ReactorTcp::listen_tcp`] or [`ReactorTcp::connect_tcp`]. A connection is driven through its [`Transport`].
//!
//! | what you write | |
//! |---|---|
//! | [`Protocol`] | one end of a connection; the loop calls it |
//! | [`Factory`], [`factory()`], [`SharedFactory`] | what builds protocols: a closure, or a type |
//! | [`Producer`], [`Production`] | output that is made while there is room for it |
//!
//! | what you hold | |
//! |---|---|
//! | [`Transport`], [`WriteStatus`], [`TimerId`], [`ConnectionId`] | a connection as a handle, and what it answers |
//! | [`Connection`], [`Connecting`], [`ConnectError`], [`ConnectPhase`], [`Tried`] | a connection whose protocol's type is known, and the way to it |
//! | [`ListeningPort`], [`ListenError`], [`Address`] | a port, and where it is |
//! | [`Peer`], [`ConnectionLost`], [`TlsError`], [`SendFileError`] | who is at the other end; why it ended |
//! | [`SetProtocolError`], [`NotHandedOver`], [`UnreadInput`] | why a connection was not given to another protocol |
//! | [`Bytes`] | bytes that are shared and not copied |
//!
//! | what you say | |
//! |---|---|
//! | [`ReactorTcp`], [`Destination`], [`Family`] | listen and connect by TCP |
//! | [`ListenConfig`], [`ConnectConfig`], [`StreamConfig`] | limits and options of ports and of connections |
//! | [`Faults`] | faults between a stream and its real socket, on purpose |
//!
//! | where else bytes come from, and what else there is | module |
//! |---|---|
//! | strings that say where to listen and to connect | [`endpoint`] |
//! | TLS with rustls (feature `tls`) | `tls` |
//! | Unix sockets, credentials, descriptors that are passed | `unix` |
//! | UDP and other datagrams | [`datagram`] |
//! | child processes | `process` |
//! | pipes, FIFOs, standard input and output | `pipe` |
//! | sockets that others have opened | `adopt` |
//! | names and resolvers | [`names`] |
//! | the PROXY protocol | [`proxy`] |
//! | connections that are made again | [`client_service`] |
//! | two connections tied together | [`relay`] |
//! | options of sockets | [`options`] |
//! | networks in the kernel's place, for authors of transports | [`net`] |
//! | streams in memory | [`memory`] |
//!
//! Whoever writes a kind of endpoint begins at [`endpoint`], whoever brings another source of events to the loop at
//! [`sinew_reactor::source`].

#![deny(unsafe_code)]

mod address;
#[cfg(unix)]
pub mod adopt;
mod buffers;
pub mod client_service;
mod config;
mod connection;
pub mod datagram;
mod disconnect;
mod dyn_protocol;
pub mod endpoint;
mod factory;
mod faults;
mod handover;
mod immediate_connect;
mod listener_hooks;
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
pub mod relay;
mod send_file;
mod stream;
mod tcp;
mod timers;
#[cfg(feature = "tls")]
pub mod tls;
mod tls_error;
#[cfg(feature = "tls")]
mod tls_info;
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
    config::{ConnectConfig, ListenConfig, StreamConfig},
    connection::Connection,
    disconnect::ConnectionLost,
    factory::{Factory, SharedFactory, factory},
    faults::Faults,
    handover::{NotHandedOver, SetProtocolError, UnreadInput},
    peer::Peer,
    producer::{Producer, Production},
    protocol::Protocol,
    send_file::SendFileError,
    tcp::{
        ConnectError, ConnectPhase, Connecting, Destination, Family, ListenError, ListeningPort,
        ReactorTcp, Tried,
    },
    tls_error::TlsError,
    transport::{ConnectionId, TimerId, Transport, WriteStatus},
};
// What has a module of its own is at hand in short, too; the documentation has it where it belongs.
#[cfg(unix)]
#[doc(hidden)]
pub use {
    adopt::{AdoptError, DescriptorKind, ReactorAdopt},
    pipe::{PipeError, ReactorPipes},
    process::{
        AtStop, ChildFd, ChildIo, Process, ProcessConfig, ProcessProtocol, ProcessStatus,
        ReactorProcesses, SignalError, SpawnError, WindowSize,
    },
    unix::{
        Credentials, DescriptorRefused, ReactorUnix, SendDescriptorError, UnixAddr,
        UnixDatagramConfig, UnixListenConfig, UnixListenError, UnixPeer,
    },
};
#[doc(hidden)]
pub use {
    client_service::{ClientService, NotHeld, RetryConfig, ServiceError},
    datagram::{
        DatagramAddr, DatagramConfig, DatagramOptionError, DatagramProtocol, DatagramStats,
        DatagramTransport, Interface, Overflow, ReactorUdp, SendFailed, SendStatus, Stopped,
        UdpError,
    },
    endpoint::{DynFactory, DynProtocol},
    options::{Dscp, Keepalive, SocketOptionError},
    relay::{RelayError, Relayed},
};

// The code blocks of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
