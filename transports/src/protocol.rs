//! What a user writes: [`Protocol`], one object a connection. Nothing here does anything; the transports call it.

use bytes::Bytes;

use crate::{ConnectionLost, TimerId, Transport};

/// One end of a connection, driven by its transport.
///
/// # Contract
///
/// [`connection_made`](Self::connection_made) comes first and once, [`connection_lost`](Self::connection_lost) comes
/// last and once, whatever happens in between; then the protocol is dropped. Callbacks are made by the loop only, never
/// from inside a call into the library: `write` does not call back, `lose_connection` does not call `connection_lost`.
/// A panic in a callback ends this connection with [`ConnectionLost::Panicked`] and touches no other.
///
/// The [`Transport`] handed to each callback may be cloned and kept, also in the protocol itself: it never keeps the
/// protocol alive past its end.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport};
///
/// /// Answers with what it receives.
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
    note = "a handler of lines or frames goes into a receiver, which is a protocol: `LineReceiver::new(handler)`",
    note = "a factory that refuses connections is no closure that returns an `Option`, but a type that implements `Factory`"
)]
pub trait Protocol: 'static {
    /// The connection stands; writing is allowed from here on.
    fn connection_made(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Bytes came, in order, cut anywhere: a stream has no messages.
    fn data_received(&mut self, transport: &Transport, data: &[u8]);

    /// The peer has sent its last byte (FIN), but may still read. By default the connection is closed once all that was
    /// written has gone out; override to go on writing.
    fn read_closed(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// What is queued for sending has passed the high watermark, and the system has not taken it at once: stop producing
    /// until [`writing_resumed`](Self::writing_resumed).
    fn writing_paused(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// What is queued for sending has sunk to the low watermark: produce again. If the output has failed, what was queued was
    /// dropped, and `write` says [`Closed`](crate::WriteStatus::Closed) from now on.
    fn writing_resumed(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// Input may be delivered again after it had been held back, by
    /// [`pause_reading`](Transport::pause_reading) or because too much was queued for sending. A protocol that keeps
    /// undelivered input of its own (as a framing protocol does) goes on with it here.
    fn reading_resumed(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// A timer made by [`Transport::call_later`] is due.
    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let _ = (transport, timer);
    }

    /// Nothing was received or sent for as long as [`Transport::set_idle_timeout`] says, or nothing received for as long as
    /// [`Transport::set_read_timeout`] does. Closes by default.
    fn idle_timeout(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    /// The server is being drained ([`ListeningPort::drain`](crate::ListeningPort::drain)): finish what is under way,
    /// then close. Closes at once by default, after all that was written has gone out. A connection that is
    /// [relayed](Transport::relay) goes on by default until one of its ends closes, or the time of the drain is over: whether
    /// something is under way, only the ends know. Both ends are told, whichever of them the port has accepted.
    fn drain_requested(&mut self, transport: &Transport) {
        if transport.relayed().is_none() {
            transport.lose_connection();
        }
    }

    /// The handshake that `Transport::start_tls` began is done: all input from here on is the peer's own, and what is
    /// written is encrypted. Whatever a protocol still keeps of the input from before must not be taken for input from now:
    /// anybody in between could have put it there (RFC 3207 4.2). A connection that began with TLS is not told.
    fn tls_started(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The connection is given on, to another protocol ([`set_protocol`](Transport::set_protocol)) or to a relay
    /// ([`relay`](Transport::relay)): hands back what this protocol was given of the input and has not used, so that it goes there
    /// first. What was not read yet goes there by itself. Nothing is handed back by default; a protocol that keeps input, as one
    /// keeps half a message, returns that and forgets it. A wrapper passes this on like any other callback.
    fn take_unread(&mut self, transport: &Transport) -> Bytes {
        let _ = transport;
        Bytes::new()
    }

    /// The connection is over, at least for this protocol; no other callback follows. The transport is inert by now, unless the
    /// reason is [`ConnectionLost::HandedOver`]. If a write had failed, all input that had arrived was delivered before this;
    /// [`read_closed`](Self::read_closed) was not told then, for that was no clean end.
    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let _ = (transport, reason);
    }
}

/// Forwards every callback to what is inside.
macro_rules! forward_protocol {
    () => {
        fn connection_made(&mut self, transport: &Transport) {
            (**self).connection_made(transport);
        }

        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            (**self).data_received(transport, data);
        }

        fn read_closed(&mut self, transport: &Transport) {
            (**self).read_closed(transport);
        }

        fn writing_paused(&mut self, transport: &Transport) {
            (**self).writing_paused(transport);
        }

        fn writing_resumed(&mut self, transport: &Transport) {
            (**self).writing_resumed(transport);
        }

        fn reading_resumed(&mut self, transport: &Transport) {
            (**self).reading_resumed(transport);
        }

        fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
            (**self).timer_fired(transport, timer);
        }

        fn idle_timeout(&mut self, transport: &Transport) {
            (**self).idle_timeout(transport);
        }

        fn drain_requested(&mut self, transport: &Transport) {
            (**self).drain_requested(transport);
        }

        fn tls_started(&mut self, transport: &Transport) {
            (**self).tls_started(transport);
        }

        fn take_unread(&mut self, transport: &Transport) -> bytes::Bytes {
            (**self).take_unread(transport)
        }

        fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
            (**self).connection_lost(transport, reason);
        }
    };
}

pub(crate) use forward_protocol;

impl<P: Protocol + ?Sized> Protocol for Box<P> {
    forward_protocol!();
}
