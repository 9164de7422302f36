//! Datagrams: [`ReactorUdp`] adds `listen_udp` and `connect_udp` to a reactor, for a [`DatagramProtocol`]. Unix datagrams
//! (`ReactorUnix`) use the same code.

// `core.rs` is the handler, `transport.rs` the user's handle, `socket.rs` makes the system calls, `queue.rs` is the send queue,
// and `open.rs` opens sockets.

use std::{io, net::SocketAddr};

use sinew_reactor::Reactor;

use crate::{Destination, sealed::Sealed};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod batch;
pub(crate) mod config;
mod core;
mod multicast;
mod open;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod packet_info;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "packet_info_unsupported.rs"]
mod packet_info;
mod protocol;
mod queue;
mod socket;
mod socket_io;
mod transport;

#[cfg(unix)]
pub(crate) use open::{adopt_udp, adopt_unix, connect_unix, listen_unix};
pub use {
    config::{DatagramConfig, Overflow},
    multicast::{DatagramOptionError, Interface},
    protocol::{DatagramProtocol, SendFailed, Stopped},
    socket::DatagramAddr,
    transport::{DatagramStats, DatagramTransport, SendStatus},
};

/// A UDP socket could not be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UdpError {
    /// The address could not be parsed or resolved.
    #[error("could not resolve the address: {source}")]
    Resolve {
        /// The cause.
        source: io::Error,
    },
    /// The socket could not be bound: the address is in use, is not local, or needs privileges.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The peer is unreachable.
    #[error("could not connect to {addr}: {source}")]
    Connect {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(UdpError);

/// UDP on a [`Reactor`].
///
/// # Examples
///
/// A client that sends a request and waits for the answer:
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{net::SocketAddr, time::Duration};
/// use sinew_reactor::Reactor;
/// use sinew_transports::{DatagramProtocol, DatagramTransport, ReactorUdp, TimerId};
///
/// struct Ask;
///
/// impl DatagramProtocol for Ask {
///     fn started(&mut self, transport: &DatagramTransport) {
///         transport.send(b"what time is it?");
///         transport.call_later(Duration::from_secs(1));
///     }
///     fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], _: SocketAddr) {
///         println!("{}", data.escape_ascii());
///         transport.stop();
///     }
///     fn timer_fired(&mut self, transport: &DatagramTransport, _: TimerId) {
///         println!("no answer");
///         transport.stop();
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// reactor.connect_udp("127.0.0.1:8000", Ask)?;
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub trait ReactorUdp: Sealed {
    /// Receives on `addr`, with the defaults of [`DatagramConfig`]. With port 0 the system chooses one, which
    /// [`DatagramTransport::local`] returns. A name is resolved synchronously.
    ///
    /// # Errors
    ///
    /// [`UdpError`], with the address and the cause.
    fn listen_udp<P: DatagramProtocol>(
        &self,
        addr: impl Into<Destination>,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        self.listen_udp_with(addr, DatagramConfig::default(), protocol)
    }

    /// Receives on `addr` with `config`.
    ///
    /// # Errors
    ///
    /// As [`listen_udp`](Self::listen_udp).
    fn listen_udp_with<P: DatagramProtocol>(
        &self,
        addr: impl Into<Destination>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError>;

    /// A connected socket: sends to one peer and receives only from it, with the defaults of [`DatagramConfig`]. Only such a socket
    /// reports that nothing listens at the peer's port. A name is resolved synchronously, which may block: while the event loop runs,
    /// pass an address.
    ///
    /// # Errors
    ///
    /// [`UdpError`], with the address and the cause.
    fn connect_udp<P: DatagramProtocol>(
        &self,
        to: impl Into<Destination>,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        self.connect_udp_with(to, DatagramConfig::default(), protocol)
    }

    /// As [`connect_udp`](Self::connect_udp), with `config`.
    ///
    /// # Errors
    ///
    /// As [`connect_udp`](Self::connect_udp).
    fn connect_udp_with<P: DatagramProtocol>(
        &self,
        to: impl Into<Destination>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError>;
}

impl ReactorUdp for Reactor {
    fn listen_udp_with<P: DatagramProtocol>(
        &self,
        addr: impl Into<Destination>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        open::udp(self, addr.into(), config, protocol, open::listen)
    }

    fn connect_udp_with<P: DatagramProtocol>(
        &self,
        to: impl Into<Destination>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, UdpError> {
        open::udp(self, to.into(), config, protocol, open::connect)
    }
}
