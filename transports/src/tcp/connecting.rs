//! The future of an outgoing connection: [`Connecting`]. The state machine is in `connect.rs`.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use sinew_reactor::{Deferred, Reactor};

use super::ConnectError;
use crate::{Connection, OwnedConnection, Protocol, connection::UnclaimedConnection};

/// A pending outgoing connection: await it, or set a callback with [`then`](Self::then).
///
/// Awaited, it gives an [`OwnedConnection`], which closes the connection when dropped. A callback receives a [`Connection`], which
/// stays open until its protocol, the peer or a timeout ends it.
///
/// Dropping this [cancels](Self::cancel) what is in progress: a lookup, a connect, a handshake. A connection that was made but
/// not yet awaited closes gracefully. [`detach`](Self::detach) lets it live on.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport, reactor::Reactor};
///
/// struct Greet;
///
/// impl Protocol for Greet {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Greet)?;
/// reactor.connect_tcp(port.local(), |_: &Peer| Greet).then(|reactor, connected| {
///     match connected {
///         Ok(connection) => println!("connected to {}", connection.transport().peer()),
///         Err(error) => println!("{error}"),
///     }
///     let _ = reactor.stop();
/// });
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it cancels it: await it, give it a callback with `then`, or let it live on with `detach`"]
pub struct Connecting<P: Protocol> {
    deferred: Deferred<UnclaimedConnection, ConnectError>,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Connecting<P> {
    /// The result is a stream whose protocol is a `P`.
    pub(crate) const fn new(deferred: Deferred<UnclaimedConnection, ConnectError>) -> Self {
        Self { deferred, protocol: PhantomData }
    }

    /// A connection that failed before anything was started.
    #[cfg(any(unix, feature = "tls"))]
    pub(crate) fn failed(reactor: &Reactor, error: ConnectError) -> Self {
        let (promise, deferred) = reactor.promise();
        promise.settle(Err(error));
        Self::new(deferred)
    }

    /// Sets `f` as the callback for the connection or the error. The event loop calls it, as with [`Deferred::then`].
    #[track_caller]
    pub fn then(self, f: impl FnOnce(&Reactor, Result<Connection<P>, ConnectError>) + 'static) {
        self.deferred.then(|reactor, made| f(reactor, made.map(UnclaimedConnection::claim)));
    }

    /// A deferred whose result is computed by `f` from the connection, in the loop. Cancelling it cancels this one, too.
    #[track_caller]
    pub fn map<T: 'static>(
        self,
        f: impl FnOnce(Connection<P>) -> T + 'static,
    ) -> Deferred<T, ConnectError> {
        self.deferred.map(|made| made.map(|made| f(made.claim())))
    }

    /// What `connect` begins to connect once `first` has a result: for kinds of endpoints that find out where to connect, such as by
    /// a lookup. Cancelling it cancels `first`, or the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sinew_reactor::Reactor;
    /// use sinew_transports::{Connecting, Peer, Protocol, ReactorTcp, Transport};
    ///
    /// struct Quiet;
    ///
    /// impl Protocol for Quiet {
    ///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    /// }
    ///
    /// /// Connects to the port that somebody tells later.
    /// fn connect_later(reactor: &Reactor) -> Connecting<Quiet> {
    ///     let (promise, port) = reactor.promise();
    ///     reactor.call_later(Duration::from_millis(5), |_| promise.resolve(8000));
    ///     Connecting::after(reactor, port, |reactor, port| {
    ///         reactor.connect_tcp(("127.0.0.1", port), |_: &Peer| Quiet)
    ///     })
    /// }
    /// # drop(connect_later);
    /// ```
    pub fn after<T: 'static>(
        reactor: &Reactor,
        first: Deferred<T, ConnectError>,
        connect: impl FnOnce(&Reactor, T) -> Self + 'static,
    ) -> Self {
        let (promise, deferred) = reactor.promise();
        let canceller = first.canceller();
        promise.on_cancel(move |_| canceller.cancel());
        first.then(move |reactor, result| match result {
            Ok(value) if promise.is_pending() => promise.follow(connect(reactor, value).deferred),
            Ok(_) => {}
            Err(error) => promise.reject(error),
        });
        Self::new(deferred)
    }

    /// If it fails, what `connect` begins to connect in its place. Cancelling it cancels whichever is in progress.
    pub fn or_else(
        self,
        reactor: &Reactor,
        connect: impl FnOnce(&Reactor, ConnectError) -> Self + 'static,
    ) -> Self {
        let (promise, deferred) = reactor.promise();
        let canceller = self.deferred.canceller();
        promise.on_cancel(move |_| canceller.cancel());
        self.deferred.then(move |reactor, result| match result {
            Ok(made) => promise.resolve(made),
            Err(error) if promise.is_pending() => {
                promise.follow(connect(reactor, error).deferred);
            }
            Err(_) => {}
        });
        Self::new(deferred)
    }

    /// Lets it live on without anything that waits for it: the connection belongs to its protocol. An error is logged.
    pub fn detach(self) {
        self.deferred.map(|made| made.map(UnclaimedConnection::claim::<P>)).detach();
    }

    /// The same connection, whose protocol is known to be a `Q`.
    pub(crate) fn retyped<Q: Protocol>(self) -> Connecting<Q> {
        Connecting::new(self.deferred)
    }

    /// Cancels it: attempts in progress are dropped, and a connection whose `connection_made` is running is aborted. Does nothing
    /// if it is settled. Dropping it does the same.
    pub fn cancel(&self) {
        self.deferred.cancel();
    }

    /// Whether the result, a connection or an error, is there.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.deferred.is_settled()
    }

    /// Takes the result. `None` if it is not there yet, or was taken before.
    #[must_use]
    pub fn take(&self) -> Option<Result<OwnedConnection<P>, ConnectError>> {
        self.deferred.take().map(|made| made.map(owned))
    }
}

fn owned<P: Protocol>(made: UnclaimedConnection) -> OwnedConnection<P> {
    made.claim().owned()
}

// The protocol is not stored here, so it need not be pinned.
impl<P: Protocol> Unpin for Connecting<P> {}

impl<P: Protocol> Future for Connecting<P> {
    type Output = Result<OwnedConnection<P>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.deferred).poll(context).map(|made| made.map(owned))
    }
}

impl<P: Protocol> fmt::Debug for Connecting<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").field("settled", &self.is_settled()).finish()
    }
}
