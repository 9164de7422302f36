//! Datagrams: [`ReactorUdp`] gives a reactor its `listen_udp` and `connect_udp`, for a [`DatagramProtocol`]. Unix datagrams
//! (`ReactorUnix`) run on the same code.

// `core.rs` is what the loop does with a socket, `transport.rs` what users ask of it, `socket.rs` makes the system calls,
// `queue.rs` is what waits, and `open.rs` is where sockets come from.

use std::{io, net::SocketAddr};

use sinew_reactor::Reactor;

use crate::Destination;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod batch;
mod config;
mod core;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod informed;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[path = "not_informed.rs"]
mod informed;
mod multicast;
mod open;
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

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

/// A UDP socket could not be opened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UdpError {
    /// The address could not be understood or looked up.
    #[error("could not find the address: {source}")]
    Resolve {
        /// The cause.
        source: io::Error,
    },
    /// The system refused the socket its address: it is in use, is not ours, or needs privileges.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The system does not know how to get there.
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
/// A client that asks and waits for the answer:
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
pub trait ReactorUdp: sealed::Sealed {
    /// Receives on `addr`, with the defaults of [`DatagramConfig`]. Port 0 lets the system choose one;
    /// [`DatagramTransport::local`] tells which. A name is looked up on the spot.
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

    /// Receives on `addr`, as configured.
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

    /// Sends to one peer and receives from nobody else, with the defaults of [`DatagramConfig`]. Only such a socket is told
    /// that nobody listens at the other end. A name is looked up on the spot, which may take its time: in a loop that runs,
    /// give an address.
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

    /// Sends to one peer and receives from nobody else, as configured.
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
