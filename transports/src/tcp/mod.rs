//! TCP: [`ReactorTcp`] gives a reactor its `listen_tcp` and `connect_tcp`.

use std::rc::Rc;

use sinew_reactor::Reactor;

use crate::{ConnectConfig, Factory, ListenConfig, stream::layer::MakeLayer};

mod accept;
mod connect;
mod destination;
mod listen;

#[cfg(any(unix, feature = "tls"))]
pub(crate) use connect::connect;
#[cfg(unix)]
pub(crate) use listen::open;

pub use connect::{ConnectError, Connecting};
pub use destination::Destination;
pub use listen::{ListenError, ListeningPort};

pub(crate) mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

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
pub trait ReactorTcp: sealed::Sealed {
    /// Listens on `addr`, with the defaults of [`ListenConfig`]. Port 0 lets the system choose one;
    /// [`ListeningPort::local`] tells which. A name is looked up on the spot, by the system or, on a host of a simulation,
    /// among its names; the first of its addresses that can be listened on is taken.
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

    /// Listens on `addr`, as configured.
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

    /// Connects to `to`, with the defaults of [`ConnectConfig`]: an address, `"host:port"`, or `("host", port)`. Names are
    /// resolved by the system on a thread of the pool; all their addresses are tried in order. Nothing happens before the
    /// loop turns.
    fn connect_tcp<F: Factory>(
        &self,
        to: impl Into<Destination>,
        factory: F,
    ) -> Connecting<F::Protocol> {
        self.connect_tcp_with(to, ConnectConfig::default(), factory)
    }

    /// Connects to `to`, as configured.
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

    fn connect_tcp_with<F: Factory>(
        &self,
        to: impl Into<Destination>,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        connect::connect(self, to.into(), config, None, factory)
    }
}

/// Listens, with a layer over the sockets of its connections if there is one.
pub(crate) fn listen_over<F: Factory>(
    reactor: &Reactor,
    addr: Destination,
    config: ListenConfig,
    layer: Option<Rc<dyn MakeLayer>>,
    factory: F,
) -> Result<ListeningPort, ListenError> {
    match listen::listen(reactor, addr, &config) {
        Ok((listener, addr)) => listen::open(reactor, listener, addr, config, layer, factory)
            .map_err(|error| ListenError::Listen { addr, source: error.into() }),
        Err(error) => {
            // Its drop may be user code, and no call runs that.
            reactor.discard(factory);
            Err(error)
        }
    }
}
