//! The trait for users of datagrams: [`DatagramProtocol`], one object per socket. Declarations only.

use std::{io, net::SocketAddr};

use crate::{DatagramAddr, DatagramTransport, TimerId};

/// The callbacks of one datagram socket. `A` is its address type: `SocketAddr` for UDP, `UnixAddr` for
/// Unix datagrams.
///
/// # Contract
///
/// [`started`](Self::started) is called once and first, [`stopped`](Self::stopped) once and last; then the protocol is
/// dropped. Callbacks are made by the event loop only, never from within a call into the library.
///
/// A panic in a callback is logged, and the socket continues with the next datagram, since it serves all peers.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
/// use sinew_transports::{DatagramProtocol, DatagramTransport};
///
/// /// Echoes each datagram.
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
    /// The socket is registered; datagrams may be sent from here on.
    fn started(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A complete datagram was received.
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A);

    /// A datagram could not be sent, or an ICMP error reports that it did not arrive. Successful delivery is never reported.
    fn send_failed(&mut self, transport: &DatagramTransport<A>, failed: &SendFailed<A>) {
        let _ = (transport, failed);
    }

    /// The peer's host reports that nothing listens on the port. Connected sockets only.
    fn connection_refused(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// The send queue is empty again, after a datagram was refused since it was full.
    fn sending_resumed(&mut self, transport: &DatagramTransport<A>) {
        let _ = transport;
    }

    /// A timer of [`DatagramTransport::call_later`] has expired.
    fn timer_fired(&mut self, transport: &DatagramTransport<A>, timer: TimerId) {
        let _ = (transport, timer);
    }

    /// The socket is closed; no other callback follows, and the transport is inert.
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

/// A datagram could not be sent.
#[derive(thiserror::Error)]
#[error("could not send{}: {source}", to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default())]
#[non_exhaustive]
pub struct SendFailed<A: DatagramAddr = SocketAddr> {
    /// The destination, if known.
    pub to: Option<A>,
    /// The cause.
    pub source: io::Error,
}

sinew_reactor::error_debug!(SendFailed<A: DatagramAddr>);

/// Why a datagram socket was closed, passed to [`DatagramProtocol::stopped`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// This side has called [`DatagramTransport::stop`].
    #[error("stopped by this side")]
    Requested,
    /// The reactor stopped.
    #[error("the reactor was shut down")]
    Shutdown,
    /// Too many consecutive errors; this is the last.
    #[error("{0}")]
    Io(#[source] io::Error),
}

sinew_reactor::error_debug!(Stopped);
