//! The trait that users implement: [`Protocol`], one object for each connection. Only definitions; the transports call it.

use bytes::Bytes;

use crate::{ConnectionLost, TimerId, Transport};

/// One end of a connection, driven by its transport.
///
/// # Contract
///
/// [`connection_made`](Self::connection_made) is called first and once, [`connection_lost`](Self::connection_lost) last and once,
/// whatever happens in between; then the protocol is dropped. Only the event loop calls these methods, never a call into the
/// library (no re-entrancy): `write` does not call back, `lose_connection` does not call `connection_lost`. A panic in a callback
/// ends this connection with [`ConnectionLost::Panicked`] and affects no other.
///
/// The [`Transport`] passed to each callback may be cloned and stored, also in the protocol itself: it does not keep the protocol
/// alive after the end of the connection.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport};
///
/// /// Sends back what it receives.
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol",
    label = "not a protocol",
    note = "implement `Protocol` for a type; `data_received` is the only method that it must have",
    note = "a handler of lines or frames is wrapped in a receiver, which is a protocol: `LineReceiver::new(handler)`",
    note = "to refuse connections, use a type that implements `Factory`; a closure that returns an `Option` is not a factory"
)]
pub trait Protocol: 'static {
    /// The connection is ready. Writing is allowed from now on.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Bytes were received. They arrive in order, but in pieces of any size: a stream has no message boundaries.
    fn data_received(&mut self, transport: &Transport, data: &[u8]);

    /// The peer has ended its side (FIN, half-close), but may still read. By default the connection is closed after all written
    /// data has been sent. Override this to continue writing.
    fn read_closed(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// Backpressure: the output queue is above the high watermark, and the kernel has not accepted it at once. Stop producing
    /// until [`writing_resumed`](Self::writing_resumed).
    fn writing_paused(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The output queue has fallen to the low watermark: produce again. If the output has failed, the queue was dropped, and
    /// `write` returns [`Closed`](crate::WriteStatus::Closed) from now on.
    fn writing_resumed(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Input may be delivered again after it was blocked by [`pause_reading`](Transport::pause_reading) or by the high watermark.
    /// A protocol that buffers undelivered input of its own, such as a framing protocol, continues with it here.
    fn reading_resumed(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// A timer set by [`Transport::call_later`] has expired.
    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let _ = (transport, timer);
    }

    /// Nothing was sent or received for the time of [`Transport::set_idle_timeout`], or nothing was received for the time of
    /// [`Transport::set_read_timeout`]. Closes the connection by default.
    fn idle_timeout(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// The server is being drained ([`ListeningPort::drain`](crate::ListeningPort::drain)): finish open requests, then close. By
    /// default closes at once, after all written data has been sent. A [relayed](Transport::relay) connection stays open by
    /// default until one of its ends closes or the drain deadline passes, because only the ends know about open requests. Both
    /// ends are notified, whichever of them the port accepted.
    fn drain_requested(&mut self, transport: &Transport) {
        if transport.relayed().is_none() {
            transport.lose_connection();
        }
    }

    /// The handshake that `Transport::start_tls` started is complete: all later input is authenticated, and all later output is
    /// encrypted. Input that a protocol has buffered before must not be taken for later input: anyone on the path could have
    /// inserted it (RFC 3207 section 4.2). Not called on connections that used TLS from the start.
    fn tls_started(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The connection is handed over to another protocol ([`set_protocol`](Transport::set_protocol)), to another reactor
    /// ([`send_to`](Transport::send_to)) or to a relay ([`relay`](Transport::relay)): returns the input that this protocol
    /// received and did not use, to be delivered there first. Input that was not delivered yet follows by itself. Returns
    /// nothing by default; a protocol that buffers input, such as an incomplete message, returns that and forgets it. A wrapper
    /// forwards this call like any other callback.
    fn take_unread(&mut self, transport: &Transport) -> Bytes {
        let _ = transport;
        Bytes::new()
    }

    /// The connection may go over to another process
    /// ([`ListeningPort::hand_over_connections`](crate::ListeningPort::hand_over_connections)): returns what the next protocol
    /// has to know, as bytes, if this is a moment at which the connection can go. Input that is unread, by
    /// [`take_unread`](Self::take_unread), and output that is queued need not be part of it: the former follows, the latter is
    /// sent first. May be called several times. `None`, the default, says that the connection stays; it also stays with a state
    /// of more than 64 KiB. A wrapper forwards this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// /// Counts what it receives.
    /// struct Count(u64);
    ///
    /// impl Protocol for Count {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         self.0 += data.len() as u64;
    ///         transport.write(format!("{}\n", self.0));
    ///     }
    ///
    ///     fn saved_state(&self) -> Option<Vec<u8>> {
    ///         Some(self.0.to_be_bytes().into())
    ///     }
    /// }
    ///
    /// // In the other process:
    /// fn rebuilt(state: &[u8]) -> Option<Count> {
    ///     Some(Count(u64::from_be_bytes(state.try_into().ok()?)))
    /// }
    /// # assert_eq!(rebuilt(&Count(7).saved_state().unwrap()).unwrap().0, 7);
    /// ```
    fn saved_state(&self) -> Option<Vec<u8>> {
        None
    }

    /// The connection is over, at least for this protocol; no other callback follows. The transport is inert by now, unless the
    /// reason is [`ConnectionLost::HandedOver`] to a protocol on this reactor. If a write had failed, all received input was
    /// delivered before this call; [`read_closed`](Self::read_closed) was not called then, because that is not a clean end.
    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }
}

/// Forwards every callback to an inner protocol, after a statement if there is one.
macro_rules! forward_protocol {
    ($this:ident => $inner:expr $(, after $before:stmt)?) => {
        fn connection_made(&mut $this, transport: &Transport) {
            $($before)?
            $inner.connection_made(transport);
        }

        fn data_received(&mut $this, transport: &Transport, data: &[u8]) {
            $($before)?
            $inner.data_received(transport, data);
        }

        fn read_closed(&mut $this, transport: &Transport) {
            $($before)?
            $inner.read_closed(transport);
        }

        fn writing_paused(&mut $this, transport: &Transport) {
            $($before)?
            $inner.writing_paused(transport);
        }

        fn writing_resumed(&mut $this, transport: &Transport) {
            $($before)?
            $inner.writing_resumed(transport);
        }

        fn reading_resumed(&mut $this, transport: &Transport) {
            $($before)?
            $inner.reading_resumed(transport);
        }

        fn timer_fired(&mut $this, transport: &Transport, timer: TimerId) {
            $($before)?
            $inner.timer_fired(transport, timer);
        }

        fn idle_timeout(&mut $this, transport: &Transport) {
            $($before)?
            $inner.idle_timeout(transport);
        }

        fn drain_requested(&mut $this, transport: &Transport) {
            $($before)?
            $inner.drain_requested(transport);
        }

        fn tls_started(&mut $this, transport: &Transport) {
            $($before)?
            $inner.tls_started(transport);
        }

        fn take_unread(&mut $this, transport: &Transport) -> bytes::Bytes {
            $($before)?
            $inner.take_unread(transport)
        }

        fn saved_state(&$this) -> Option<Vec<u8>> {
            $($before)?
            $inner.saved_state()
        }

        fn connection_lost(&mut $this, transport: &Transport, reason: &ConnectionLost) {
            $($before)?
            $inner.connection_lost(transport, reason);
        }
    };
}

pub(crate) use forward_protocol;

impl<P: Protocol + ?Sized> Protocol for Box<P> {
    forward_protocol!(self => (**self));
}
