//! The transports of sinew: how bytes come and go. What they mean is the business of `sinew-protocols`, when they come is
//! that of `sinew-reactor`.
//!
//! A user writes a [`Protocol`], one object a connection, and hands a [`Factory`] that builds them to
//! [`ReactorTcp::listen_tcp`] or [`ReactorTcp::connect_tcp`]. A connection is driven through its [`Transport`].

#![deny(unsafe_code)]

mod address;
#[cfg(unix)]
mod adopt;
mod buffers;
mod client_service;
mod config;
mod connection;
mod datagram;
mod dial;
pub mod endpoint;
mod erased;
mod factory;
mod faults;
mod lost;
pub mod memory;
mod memory_port;
pub mod names;
mod net;
mod options;
mod peer;
#[cfg(unix)]
mod pipe;
mod port;
#[cfg(unix)]
mod process;
mod producer;
mod protocol;
pub mod proxy;
mod relay;
pub mod sim;
mod stream;
mod tcp;
pub mod testing;
mod timers;
#[cfg(feature = "tls")]
pub mod tls;
mod tls_error;
#[cfg(feature = "tls")]
mod tls_info;
mod transport;
#[cfg(unix)]
mod unix;
mod waiters;

pub use sinew_reactor as reactor;
pub use sinew_reactor::PacketInfo;
pub use {
    address::Address,
    client_service::{ClientService, NotHeld, RetryConfig, ServiceError},
    config::{ConnectConfig, ListenConfig, StreamConfig},
    connection::Connection,
    datagram::{
        DatagramAddr, DatagramConfig, DatagramOptionError, DatagramProtocol, DatagramStats,
        DatagramTransport, Interface, Overflow, ReactorUdp, SendFailed, SendStatus, Stopped,
        UdpError,
    },
    erased::{DynFactory, DynProtocol},
    factory::{Factory, SharedFactory},
    faults::Faults,
    lost::ConnectionLost,
    options::{Dscp, Keepalive, SocketOptionError},
    peer::Peer,
    producer::{Producer, Production},
    protocol::Protocol,
    relay::{RelayError, Relayed},
    tcp::{
        ConnectError, ConnectPhase, Connecting, Destination, Family, ListenError, ListeningPort,
        ReactorTcp, Tried,
    },
    tls_error::TlsError,
    transport::{ConnectionId, TimerId, Transport, WriteStatus},
};
#[cfg(unix)]
pub use {
    adopt::{AdoptError, DescriptorKind, ReactorAdopt},
    peer::{Credentials, UnixPeer},
    pipe::{PipeError, ReactorPipes},
    process::{
        AtStop, ChildFd, ChildIo, Process, ProcessConfig, ProcessProtocol, ProcessStatus,
        ReactorProcesses, SignalError, SpawnError, WindowSize,
    },
    stream::rights::{DescriptorRefused, SendDescriptorError},
    unix::{ReactorUnix, UnixAddr, UnixDatagramConfig, UnixListenConfig, UnixListenError},
};
