//! Existing descriptors: [`ReactorAdopt`] makes connections, ports and datagram sockets of them. Unix only.

// `kind.rs` detects the kind of a descriptor. From there on it is handled as if opened here.

use std::{fmt, net::TcpListener, os::fd::OwnedFd};

use sinew_reactor::{Engine, Reactor, Token};
use socket2::SockRef;

use crate::{
    Address, ConnectConfig, ConnectError, Connecting, Connection, DatagramConfig, DatagramProtocol,
    DatagramTransport, Factory, ListenConfig, ListeningPort, Peer, Protocol, StreamConfig,
    UnixAddr, UnixPeer, datagram, immediate_connect,
    net::listener::Listener,
    sealed::Sealed,
    sharing::Opening,
    stream::{
        Shared, StreamBuilder,
        socket::{Socket, TcpStream, UnixStream},
    },
    tcp,
    unix::listening::UnixListening,
};

mod error;
mod handed_port;
mod kind;
mod receive;

#[doc(inline)]
pub use crate::stream::handed::HandedConnection;
pub use error::AdoptError;
pub use handed_port::HandedPort;
pub use kind::DescriptorKind;
pub use receive::receive_descriptors;

/// Existing descriptors on a [`Reactor`]: inherited, received, or opened by other code. Unix only.
///
/// They come from systemd or inetd ([`inherited`](sinew_reactor::inherited)), from a parent's socketpair, over a Unix socket
/// ([`Transport::take_descriptor`](crate::Transport::take_descriptor)), or from other code in this process. The kind and family of
/// a descriptor are detected ([`DescriptorKind`]).
///
/// Adopting sets non-blocking mode, which affects all users of the open file description (open(2)), and close-on-exec. The
/// options for streams are set as usual; options that must be set before a socket is bound, listens or connects
/// (`backlog`, `reuse_port`, `v6_only`, `fast_open`, `bind`) are ignored. The file of a Unix socket is left to
/// its creator.
///
/// While other descriptors for the same socket exist, closing this one does not close the connection. A graceful close still ends
/// the output, which the peer sees; a reset is only sent when the last descriptor is closed.
///
/// # Examples
///
/// One end of a socketpair, whose other end a child may have:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{io::{Read, Write}, os::unix::net::UnixStream};
/// use sinew_reactor::Reactor;
/// use sinew_transports::{ConnectionLost, Protocol, ReactorAdopt, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///         transport.lose_connection();
///     }
///     fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
///         if let Some(reactor) = transport.reactor() {
///             let _ = reactor.stop();
///         }
///     }
/// }
///
/// let (ours, mut theirs) = UnixStream::pair()?;
/// theirs.write_all(b"hello")?;
/// let child = std::thread::spawn(move || {
///     let mut answer = String::new();
///     theirs.read_to_string(&mut answer).map(|_| answer)
/// });
///
/// let reactor = Reactor::new()?;
/// reactor.adopt_stream(ours, Echo)?;
/// reactor.run()?;
/// assert_eq!(child.join().expect("it does not panic")?, "hello");
/// # Ok(())
/// # }
/// ```
pub trait ReactorAdopt: Sealed {
    /// Makes a connection of a connected stream socket, TCP or Unix, with the defaults of [`StreamConfig`].
    /// `connection_made` is called by the event loop.
    ///
    /// # Errors
    ///
    /// [`AdoptError`], with the descriptor if it is of the wrong kind.
    fn adopt_stream<P: Protocol>(
        &self,
        descriptor: impl Into<OwnedFd>,
        protocol: P,
    ) -> Result<Connection<P>, AdoptError> {
        self.adopt_stream_with(descriptor, StreamConfig::default(), protocol)
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`adopt_stream`](Self::adopt_stream).
    fn adopt_stream_with<P: Protocol>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: StreamConfig,
        protocol: P,
    ) -> Result<Connection<P>, AdoptError>;

    /// Accepts connections from a listening socket, TCP or Unix. While another process has the socket, too, stopping listening only
    /// stops accepting.
    ///
    /// # Errors
    ///
    /// As [`adopt_stream`](Self::adopt_stream).
    fn adopt_port<F: Factory>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort<Address>, AdoptError>;

    /// Takes over a UDP socket, which may be connected.
    ///
    /// # Errors
    ///
    /// As [`adopt_stream`](Self::adopt_stream).
    fn adopt_udp<P: DatagramProtocol>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, AdoptError>;

    /// Takes over a Unix datagram socket, which may be connected.
    ///
    /// # Errors
    ///
    /// As [`adopt_stream`](Self::adopt_stream).
    fn adopt_unix_datagram<P: DatagramProtocol<UnixAddr>>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, AdoptError>;
}

impl ReactorAdopt for Reactor {
    fn adopt_stream_with<P: Protocol>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: StreamConfig,
        protocol: P,
    ) -> Result<Connection<P>, AdoptError> {
        match connected(self, descriptor.into(), &config) {
            Ok((socket, token, peer)) => {
                let shared = Shared::new(self, config, None);
                let builder = StreamBuilder { reactor: self, socket, token, peer, shared };
                let transport = builder.adopt(Some(protocol));
                // Without this, the stream would not start before its first event.
                transport.reschedule(self);
                Ok(Connection::new(transport))
            }
            Err(error) => {
                // Dropping the protocol may run user code, so the event loop drops it.
                self.defer_drop(protocol);
                Err(error)
            }
        }
    }

    fn adopt_port<F: Factory>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort<Address>, AdoptError> {
        match listening(self, descriptor.into(), &config) {
            Ok((listener, addr)) => Ok(tcp::open(self, listener, addr, config, None, factory)?),
            Err(error) => {
                self.defer_drop(factory);
                Err(error)
            }
        }
    }

    fn adopt_udp<P: DatagramProtocol>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport, AdoptError> {
        let udp = |kind| kind == DescriptorKind::Udp;
        match usable(self, descriptor.into(), "a UDP socket", udp) {
            Ok((descriptor, _)) => Ok(datagram::adopt_udp(self, descriptor, config, protocol)?),
            Err(error) => {
                self.defer_drop(protocol);
                Err(error)
            }
        }
    }

    fn adopt_unix_datagram<P: DatagramProtocol<UnixAddr>>(
        &self,
        descriptor: impl Into<OwnedFd>,
        config: DatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, AdoptError> {
        let unix = |kind| kind == DescriptorKind::UnixDatagram;
        match usable(self, descriptor.into(), "a Unix datagram socket", unix) {
            Ok((descriptor, _)) => Ok(datagram::adopt_unix(self, descriptor, config, protocol)?),
            Err(error) => {
                self.defer_drop(protocol);
                Err(error)
            }
        }
    }
}

/// As [`ReactorAdopt::adopt_stream_with`], with a factory, which the event loop calls. `at` is the endpoint, for errors.
pub(crate) fn connect<F: Factory>(
    reactor: &Reactor,
    descriptor: OwnedFd,
    at: &dyn fmt::Display,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    let (to, stream) = (at.to_string(), config.stream.clone());
    immediate_connect::connect_now(reactor, config, factory, move |reactor| {
        connected(reactor, descriptor, &stream)
            .map_err(|error| ConnectError::Other { to, source: error.into() })
    })
}

/// Checks and registers a connected socket.
fn connected(
    reactor: &Reactor,
    descriptor: OwnedFd,
    config: &StreamConfig,
) -> Result<(Socket, Token, Peer), AdoptError> {
    let wanted = "a connected stream socket";
    let (descriptor, kind) = usable(reactor, descriptor, wanted, DescriptorKind::is_connection)?;
    let (mut socket, peer) = if kind == DescriptorKind::TcpConnection {
        let socket = TcpStream::from(descriptor);
        let peer = Peer::Inet(socket.peer_addr()?);
        (Socket::from(socket), peer)
    } else {
        let socket = UnixStream::from(descriptor);
        let peer = Peer::Unix(UnixPeer::of(&socket));
        (Socket::from(socket), peer)
    };
    socket.set_options(config)?;
    let token = socket.watch(reactor)?;
    reactor.mark_shared(token);
    Ok((socket, token, peer))
}

/// Checks a listening socket, and sets the options that accepted sockets inherit.
fn listening(
    reactor: &Reactor,
    descriptor: OwnedFd,
    config: &ListenConfig,
) -> Result<(Listener, Address), AdoptError> {
    let wanted = "a listening stream socket";
    let (descriptor, kind) = usable(reactor, descriptor, wanted, DescriptorKind::is_listener)?;
    if kind == DescriptorKind::TcpListener {
        let (listener, addr) = tcp::adopted(TcpListener::from(descriptor), config)?;
        return Ok((listener, addr.into()));
    }
    let (listening, addr) = UnixListening::adopted(descriptor)?;
    let Some(share) = &config.share else {
        return Ok((Listener::unix(listening).shared(), addr.into()));
    };
    if let Opening::Elsewhere(addr) = share.opening() {
        return Ok((Listener::Elsewhere, addr));
    }
    share.opened(addr.clone(), false);
    Ok((Listener::unix(listening).shared(), addr.into()))
}

/// Checks the kind of a descriptor and makes it non-blocking; the error gives it back.
fn usable(
    reactor: &Reactor,
    descriptor: OwnedFd,
    wanted: &'static str,
    is_wanted: impl FnOnce(DescriptorKind) -> bool,
) -> Result<(OwnedFd, DescriptorKind), AdoptError> {
    if reactor.engine() == Engine::Simulated {
        return Err(tcp::no_kernel().into());
    }
    let found = DescriptorKind::of(&descriptor)?;
    if !is_wanted(found) {
        return Err(AdoptError::WrongKind { wanted, found, descriptor });
    }
    let socket = SockRef::from(&descriptor);
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    Ok((descriptor, found))
}
