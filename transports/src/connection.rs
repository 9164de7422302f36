//! The typed handles of a connection: [`Connection`], and [`OwnedConnection`], which closes it when dropped.

use std::{fmt, marker::PhantomData, ops::Deref};

use sinew_reactor::{Deferred, Handler};

use crate::{DynProtocol, Protocol, Transport};

/// A connection whose protocol type is known. Cheap to clone; it keeps neither the connection open nor the protocol alive, and
/// dropping it does not close the connection: [`owned`](Self::owned) makes a guard that does.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport, reactor::Reactor};
///
/// #[derive(Default)]
/// struct Count {
///     bytes: usize,
/// }
///
/// impl Protocol for Count {
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         self.bytes += data.len();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Count::default())?;
/// let handle = reactor.clone();
/// reactor.run_until(async move {
///     let connection = handle.connect_tcp(port.local(), |_: &Peer| Count::default()).await?;
///     connection.call(|_, transport| drop(transport.write("hello"))); // from the loop, in its next turn
///     assert_eq!(connection.with(|count, _| count.bytes), Some(0)); // at once
///     Ok(())
/// })?
/// # }
/// ```
pub struct Connection<P: Protocol> {
    transport: Transport,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Connection<P> {
    /// `transport` must be that of a stream whose protocol is a `P`.
    pub(crate) fn new(transport: Transport) -> Self {
        Self { transport, protocol: PhantomData }
    }

    /// Its transport.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// A guard that closes the connection when it is dropped. Each guard closes it, so make one.
    pub fn owned(&self) -> OwnedConnection<P> {
        OwnedConnection { connection: self.clone(), detached: false }
    }

    /// Calls `f` with the protocol at once. Returns `None`, without a call, if the connection is over or its protocol is inside a
    /// callback. The event loop sends what `f` writes.
    ///
    /// Also returns `None` if a [kind of endpoint](crate::endpoint::Connect) of your own wrapped the protocol in another one,
    /// which hides it.
    pub fn with<R>(&self, f: impl FnOnce(&mut P, &Transport) -> R) -> Option<R> {
        let call = |protocol: &mut DynProtocol| Some(f(protocol.downcast_mut()?, &self.transport));
        self.transport.inner().with_protocol_for_user(call)?
    }

    /// Has the event loop call `f` with the protocol in its next turn. `f` is dropped if the connection is over by then. A panic
    /// in `f` ends the connection, like one in a callback.
    pub fn call(&self, f: impl FnOnce(&mut P, &Transport) + 'static) {
        if let Some(reactor) = self.transport.inner().reactor() {
            let connection = self.clone();
            reactor.call_soon(move |reactor| {
                let transport = &connection.transport;
                let what = || format!("a call to {}", transport.inner().describe());
                if let Err(panic) = reactor.guard(what, || connection.with(f)) {
                    transport.panicked(reactor, &panic.message);
                }
            });
        }
    }
}

impl<P: Protocol> Clone for Connection<P> {
    fn clone(&self) -> Self {
        Self::new(self.transport.clone())
    }
}

impl<P: Protocol> fmt::Debug for Connection<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.transport).finish()
    }
}

/// A connection that closes gracefully when this is dropped, as [`Transport::lose_connection`] does: the result of awaiting
/// [`Connecting`](crate::Connecting), and of [`Connection::owned`].
///
/// It derefs to [`Connection`]; a clone of that does not close anything. A connection that is over already stays as it is.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport, reactor::Reactor};
///
/// struct Quiet;
///
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Quiet)?;
/// let handle = reactor.clone();
/// reactor.run_until(async move {
///     let first = handle.connect_tcp(port.local(), |_: &Peer| Quiet).await?;
///     let kept = handle.connect_tcp(port.local(), |_: &Peer| Quiet).await?.detach();
///     let lost = first.transport().when_lost();
///     drop(first);
///     lost.await?;
///     assert!(!kept.transport().is_closing());
///     Ok(())
/// })?
/// # }
/// ```
#[must_use = "dropping it closes the connection; `detach` leaves it to its protocol"]
pub struct OwnedConnection<P: Protocol> {
    connection: Connection<P>,
    detached: bool,
}

impl<P: Protocol> OwnedConnection<P> {
    /// Closes the connection gracefully, and resolves when it is over and `connection_lost` has returned.
    pub fn close(self) -> Deferred<()> {
        let lost = self.transport().when_lost();
        drop(self);
        lost
    }

    /// Drops the connection and its queue at once, as [`Transport::abort`] does.
    pub fn abort(self) {
        self.transport().abort();
    }

    /// Leaves the connection to its protocol: it stays open until one of the peers or a timeout ends it.
    pub fn detach(mut self) -> Connection<P> {
        self.detached = true;
        self.connection.clone()
    }
}

impl<P: Protocol> Deref for OwnedConnection<P> {
    type Target = Connection<P>;

    fn deref(&self) -> &Connection<P> {
        &self.connection
    }
}

impl<P: Protocol> Drop for OwnedConnection<P> {
    fn drop(&mut self) {
        if !self.detached {
            self.connection.transport.lose_connection();
        }
    }
}

impl<P: Protocol> fmt::Debug for OwnedConnection<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedConnection").field(&self.connection.transport).finish()
    }
}

/// A connection that was made for a [`Connecting`](crate::Connecting) which has not been awaited yet. Dropped, it closes.
pub(crate) struct UnclaimedConnection {
    transport: Transport,
    claimed: bool,
}

impl UnclaimedConnection {
    /// `transport` must be that of a stream whose protocol is the `P` of the `Connecting`.
    pub(crate) const fn new(transport: Transport) -> Self {
        Self { transport, claimed: false }
    }

    pub(crate) fn claim<P: Protocol>(mut self) -> Connection<P> {
        self.claimed = true;
        Connection::new(self.transport.clone())
    }
}

impl Drop for UnclaimedConnection {
    fn drop(&mut self) {
        if !self.claimed {
            self.transport.lose_connection();
        }
    }
}
