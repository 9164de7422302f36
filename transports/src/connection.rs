//! The typed handle of a connection: [`Connection`].

use std::{fmt, marker::PhantomData};

use sinew_reactor::Handler;

use crate::{DynProtocol, Protocol, Transport};

/// A connection whose protocol type is known: the result of connecting. Cheap to clone; it keeps neither the connection open nor
/// the protocol alive.
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
