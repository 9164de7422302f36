//! What a user writes for datagrams: [`DatagramProtocol`], one object a socket. Nothing here does anything.

use std::{io, net::SocketAddr};

use crate::{DatagramAddr, DatagramTransport, TimerId};

/// One socket for datagrams, driven by its transport. `A` is the kind of its addresses: `SocketAddr` for UDP, `UnixAddr` for
/// Unix datagrams.
///
/// # Contract
///
/// [`started`](Self::started) comes first and once, [`stopped`](Self::stopped) comes last and once; then the protocol is
/// dropped. Callbacks are made by the loop only, never from inside a call into the library.
///
/// A panic in a callback is logged, and the socket goes on with the next datagram: it serves everybody, and what one of them
/// sends must not take it from the others.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
/// use sinew_transports::{DatagramProtocol, DatagramTransport};
///
/// /// Answers each datagram with the same.
/// struct Echo;
///
/// impl DatagramProtocol for Echo {
///     fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
///         transport.send_to(data, from);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol for datagrams of `{A}`",
    label = "not a `DatagramProtocol<{A}>`",
    note = "implement `DatagramProtocol` for a type, or `DatagramProtocol<UnixAddr>` for Unix sockets; `datagram_received` is the only method that it must have",
    note = "one object serves all peers: it is passed itself, without a factory"
)]
pub trait DatagramProtocol<A: DatagramAddr = SocketAddr>: 'static {
    /// The socket is there; sending is allowed from here on.
    fn started(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A datagram came, whole.
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A);

    /// A datagram was not sent, or the system says by now that it did not arrive. That others have arrived is never told.
    fn send_failed(&mut self, transport: &DatagramTransport<A>, failed: &SendFailed<A>) {
        let _ = (transport, failed);
    }

    /// The system of the peer says that nobody listens there. For connected sockets only; others are not told.
    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// The send queue is empty again, after something was refused for which it had no room.
    fn sending_resumed(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A timer made by [`DatagramTransport::call_later`] is due.
    fn timer_fired(&mut self, transport: &DatagramTransport<A>, timer: TimerId) {
        let _ = (transport, timer);
    }

    /// It is over; no other callback follows. The transport is inert by now.
    fn stopped(&mut self, transport: &DatagramTransport<A>, reason: &Stopped) {
        let _ = (transport, reason);
    }
}

impl<A: DatagramAddr, P: DatagramProtocol<A> + ?Sized> DatagramProtocol<A> for Box<P> {
    fn started(&mut self, transport: &DatagramTransport<A>) {
        (**self).started(transport);
    }

    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A) {
        (**self).datagram_received(transport, data, from);
    }

    fn send_failed(&mut self, transport: &DatagramTransport<A>, failed: &SendFailed<A>) {
        (**self).send_failed(transport, failed);
    }

    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        (**self).connection_refused(transport);
    }

    fn sending_resumed(&mut self, transport: &DatagramTransport<A>) {
        (**self).sending_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &DatagramTransport<A>, timer: TimerId) {
        (**self).timer_fired(transport, timer);
    }

    fn stopped(&mut self, transport: &DatagramTransport<A>, reason: &Stopped) {
        (**self).stopped(transport, reason);
    }
}

/// A datagram that was not sent.
#[derive(thiserror::Error)]
#[error("could not send{}: {source}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
#[non_exhaustive]
pub struct SendFailed<A: DatagramAddr = SocketAddr> {
    /// Where to, if that is known.
    pub to: Option<A>,
    /// Why not.
    pub source: io::Error,
}

sinew_reactor::error_debug!(SendFailed<A: DatagramAddr>);

/// Why a socket for datagrams ended, told to [`DatagramProtocol::stopped`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// This side did, by [`DatagramTransport::stop`].
    #[error("stopped by this side")]
    Asked,
    /// The reactor stopped.
    #[error("the reactor was shut down")]
    Shutdown,
    /// The socket gives nothing but errors; this is the last.
    #[error("{0}")]
    Io(#[source] io::Error),
}

sinew_reactor::error_debug!(Stopped);
