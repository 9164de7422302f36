//! TCP: [`ReactorTcp`] adds `listen_tcp` and `connect_tcp` to a reactor.

use std::{io, net::SocketAddr, rc::Rc};

use sinew_reactor::Reactor;

use crate::{
    ConnectConfig, Factory, ListenConfig,
    net::{self, listener::Listener},
    sealed::Sealed,
    stream::layer::driver::MakeLayer,
};

mod accept;
mod connect;
mod connecting;
pub(crate) mod destination;
pub(crate) mod interleave;
mod listen;
mod per_ip;
mod proxy_accept;

#[cfg(any(unix, feature = "tls"))]
pub(crate) use connect::connect;
pub use connect::{ConnectError, ConnectPhase, FailedAttempt};
pub use connecting::Connecting;
pub use destination::Destination;
pub(crate) use destination::why_bad;
pub use interleave::Family;
#[cfg(unix)]
pub(crate) use listen::adopted;
pub(crate) use listen::open;
pub use listen::{ListenError, ListeningPort};

/// TCP on a [`Reactor`].
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:8000", |_: &Peer| Echo)?;
/// println!("listening on {}", port.local());
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub trait ReactorTcp: Sealed {
    /// Listens on `addr`, with the defaults of [`ListenConfig`]. With port 0 the system chooses one, which
    /// [`ListeningPort::local`] returns. A name is resolved synchronously, by the system or, on a simulated host, from the
    /// simulation's names; the first of its addresses that works is used.
    ///
    /// # Errors
    ///
    /// [`ListenError`], with the address and the cause.
    fn listen_tcp<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        factory: F,
    ) -> Result<ListeningPort, ListenError> {
        self.listen_tcp_with(addr, ListenConfig::default(), factory)
    }

    /// Listens on `addr` with `config`.
    ///
    /// # Errors
    ///
    /// As [`listen_tcp`](Self::listen_tcp).
    fn listen_tcp_with<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError>;

    /// Accepts connections from an existing listening socket, inherited or made elsewhere. The options for streams are set on it as
    /// usual; `backlog`, `reuse_port`, `v6_only` and `fast_open` are ignored, since they must be set before listening.
    /// On Unix, `ReactorAdopt` does the same with descriptors of any family.
    ///
    /// # Errors
    ///
    /// [`ListenError::Other`], if this is not a listening TCP socket, or it could not be registered.
    fn adopt_listener<F: Factory>(
        &self,
        listener: std::net::TcpListener,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError>;

    /// Connects to `to`, with the defaults of [`ConnectConfig`]: an address, `"host:port"`, or `("host", port)`. Nothing happens
    /// before the event loop runs.
    ///
    /// Names are resolved by the [resolver](crate::names) of the reactor: by default the system's, on a thread of the pool.
    /// Their addresses are tried with Happy Eyeballs (RFC 8305): IPv6 and IPv4 alternate, the next attempt starts
    /// [`attempt_delay`](ConnectConfig::attempt_delay) after the last, or at once when one fails. The first that connects is
    /// used, the others are dropped. Several addresses that you give are tried in your order.
    fn connect_tcp<F: Factory>(
        &self,
        to: impl Into<Destination>,
        factory: F,
    ) -> Connecting<F::Protocol> {
        self.connect_tcp_with(to, ConnectConfig::default(), factory)
    }

    /// Connects to `to` with `config`.
    fn connect_tcp_with<F: Factory>(
        &self,
        to: impl Into<Destination>,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol>;
}

impl ReactorTcp for Reactor {
    fn listen_tcp_with<F: Factory>(
        &self,
        addr: impl Into<Destination>,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError> {
        listen_over(self, addr.into(), config, None, factory)
    }

    fn adopt_listener<F: Factory>(
        &self,
        listener: std::net::TcpListener,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort, ListenError> {
        let adopted = match net::installed(self) {
            Ok(None) => listen::adopt(listener, &config),
            Ok(Some(_)) => Err(no_kernel()),
            Err(error) => Err(error),
        };
        match adopted {
            Ok((listener, addr)) => listen_at(self, listener, addr, config, None, factory),
            Err(source) => {
                self.defer_drop(factory);
                Err(ListenError::Other { at: "an existing socket".to_owned(), source })
            }
        }
    }

    fn connect_tcp_with<F: Factory>(
        &self,
        to: impl Into<Destination>,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        connect::connect(self, to.into(), config, None, factory)
    }
}

/// The error for operations on kernel sockets in a simulation.
pub(crate) fn no_kernel() -> io::Error {
    let why = "a simulated host has no kernel sockets";
    io::Error::new(io::ErrorKind::Unsupported, why)
}

/// Listens, with a layer over the accepted sockets if there is one.
pub(crate) fn listen_over<F: Factory>(
    reactor: &Reactor,
    addr: Destination,
    config: ListenConfig,
    layer: Option<Rc<dyn MakeLayer>>,
    factory: F,
) -> Result<ListeningPort, ListenError> {
    match listen::listen(reactor, addr, &config) {
        Ok((listener, addr)) => listen_at(reactor, listener, addr, config, layer, factory),
        Err(error) => {
            // Dropping the factory may run user code, so the event loop drops it.
            reactor.defer_drop(factory);
            Err(error)
        }
    }
}

fn listen_at<F: Factory>(
    reactor: &Reactor,
    listener: Listener,
    addr: SocketAddr,
    config: ListenConfig,
    layer: Option<Rc<dyn MakeLayer>>,
    factory: F,
) -> Result<ListeningPort, ListenError> {
    open(reactor, listener, addr, config, layer, factory)
        .map_err(|error| ListenError::Listen { addr, source: error.into() })
}
