//! The transports of sinew: how bytes come and go. What they mean is the business of `sinew-protocols`, when they come is
//! that of `sinew-reactor`.
//!
//! A user writes a [`Protocol`], one object a connection, and hands a [`Factory`] that builds them to
//! [`ReactorTcp::listen_tcp`] or [`ReactorTcp::connect_tcp`]. A connection is driven through its [`Transport`].

#![forbid(unsafe_code)]

mod buffers;
mod config;
mod connection;
mod factory;
mod faults;
mod lost;
pub mod memory;
mod net;
mod peer;
mod port;
mod producer;
mod protocol;
pub mod sim;
mod stream;
mod tcp;
pub mod testing;
#[cfg(feature = "tls")]
pub mod tls;
mod tls_error;
mod transport;

pub use sinew_reactor as reactor;
pub use {
    config::{ConnectConfig, ListenConfig, StreamConfig},
    connection::Connection,
    factory::{Factory, SharedFactory},
    faults::Faults,
    lost::ConnectionLost,
    peer::Peer,
    producer::{Producer, Production},
    protocol::Protocol,
    tcp::{ConnectError, Connecting, Destination, ListenError, ListeningPort, ReactorTcp},
    tls_error::TlsError,
    transport::{ConnectionId, TimerId, Transport, WriteStatus},
};
