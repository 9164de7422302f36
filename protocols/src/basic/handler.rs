//! What a user writes: [`LineHandler`] for lines, [`FrameHandler`] for all other frames. Nothing here does anything.

use sinew_transports::{ConnectionLost, TimerId};

use super::{Decoder, FrameError, FrameTransport, Line, LineTransport};

/// The callbacks that both traits have, with their defaults.
macro_rules! common_callbacks {
    ($transport:ty) => {
        /// Bytes came in raw mode, cut anywhere. Asking for
        /// [raw mode](FrameTransport::set_raw_mode) without overriding this ends the connection at the first of them.
        fn raw_received(&mut self, transport: &mut $transport, data: &[u8]) {
            let _ = data;
            transport.fail(FrameError::Invalid("raw bytes without a raw_received"));
        }

        /// The input cannot be cut into frames; all that came before the fault has been delivered. The peer may be
        /// answered here. Afterwards the connection is closed with `error` as its reason once the answer has gone out,
        /// unless this has closed it in its own way. By default the fault is only logged, at debug level.
        fn framing_failed(&mut self, transport: &mut $transport, error: &FrameError) {
            tracing::debug!(peer = %transport.peer(), %error, "framing failed");
        }

        /// The peer has sent its last byte in the middle of a frame, and `rest` is what had come of it, prefix included.
        /// [`read_closed`](Self::read_closed) follows.
        ///
        /// # Errors
        ///
        /// By default [`FrameError::Truncated`], since half a message is not a message. It is dealt with as any other
        /// fault, and `read_closed` is not called.
        fn unfinished(
            &mut self,
            transport: &mut $transport,
            rest: &[u8],
        ) -> Result<(), FrameError> {
            let _ = transport;
            Err(FrameError::Truncated {
                received: rest.len(),
            })
        }

        /// The connection stands; writing is allowed from here on.
        fn connection_made(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// The peer has sent its last byte, and all frames are delivered. By default the connection is closed once all
        /// that was written has gone out.
        fn read_closed(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// What is queued for sending has passed the high watermark: stop producing.
        fn writing_paused(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// What is queued for sending has sunk to the low watermark: produce again.
        fn writing_resumed(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// Input is delivered again after it had been held back; frames that were kept have been delivered by now.
        fn reading_resumed(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// A timer made by `transport.call_later` is due.
        fn timer_fired(&mut self, transport: &mut $transport, timer: TimerId) {
            let _ = (transport, timer);
        }

        /// Nothing was received or sent for as long as `transport.set_idle_timeout` says, or nothing received for as long as
        /// `transport.set_read_timeout` does. Closes by default.
        fn idle_timeout(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// The handshake that `transport.start_tls` began is done. What had come behind the frame that it was called at would have ended
        /// the connection with [`FrameError::BehindStartTls`].
        fn tls_started(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// The server is being drained: finish what is under way, then close. Closes at once by default, after all
        /// that was written has gone out.
        fn drain_requested(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// The connection is over; no other callback follows. An unfinished frame has been dropped.
        fn connection_lost(&mut self, transport: &mut $transport, reason: &ConnectionLost) {
            let _ = (transport, reason);
        }
    };
}

/// Forwards the common callbacks to the trait of that name, of this or of a field.
macro_rules! forward_common_callbacks {
    ($to:ident, $transport:ty $(, $field:ident)?) => {
        fn raw_received(&mut self, transport: &mut $transport, data: &[u8]) {
            $to::raw_received(&mut (*self)$(.$field)?, transport, data);
        }

        fn framing_failed(&mut self, transport: &mut $transport, error: &FrameError) {
            $to::framing_failed(&mut (*self)$(.$field)?, transport, error);
        }

        fn unfinished(
            &mut self,
            transport: &mut $transport,
            rest: &[u8],
        ) -> Result<(), FrameError> {
            $to::unfinished(&mut (*self)$(.$field)?, transport, rest)
        }

        fn connection_made(&mut self, transport: &mut $transport) {
            $to::connection_made(&mut (*self)$(.$field)?, transport);
        }

        fn read_closed(&mut self, transport: &mut $transport) {
            $to::read_closed(&mut (*self)$(.$field)?, transport);
        }

        fn writing_paused(&mut self, transport: &mut $transport) {
            $to::writing_paused(&mut (*self)$(.$field)?, transport);
        }

        fn writing_resumed(&mut self, transport: &mut $transport) {
            $to::writing_resumed(&mut (*self)$(.$field)?, transport);
        }

        fn reading_resumed(&mut self, transport: &mut $transport) {
            $to::reading_resumed(&mut (*self)$(.$field)?, transport);
        }

        fn timer_fired(&mut self, transport: &mut $transport, timer: TimerId) {
            $to::timer_fired(&mut (*self)$(.$field)?, transport, timer);
        }

        fn idle_timeout(&mut self, transport: &mut $transport) {
            $to::idle_timeout(&mut (*self)$(.$field)?, transport);
        }

        fn drain_requested(&mut self, transport: &mut $transport) {
            $to::drain_requested(&mut (*self)$(.$field)?, transport);
        }

        fn tls_started(&mut self, transport: &mut $transport) {
            $to::tls_started(&mut (*self)$(.$field)?, transport);
        }

        fn connection_lost(&mut self, transport: &mut $transport, reason: &ConnectionLost) {
            $to::connection_lost(&mut (*self)$(.$field)?, transport, reason);
        }
    };
}

pub(super) use {common_callbacks, forward_common_callbacks};

/// One end of a connection that speaks in lines, driven by a [`LineReceiver`](super::LineReceiver).
///
/// Only [`line_received`](Self::line_received) must be written. The other callbacks are those of a
/// [`Protocol`](sinew_transports::Protocol), and three more that framing brings along:
/// [`framing_failed`](Self::framing_failed), [`unfinished`](Self::unfinished) and [`raw_received`](Self::raw_received).
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
/// use sinew_transports::{Protocol, Transport};
///
/// /// Answers `GET`, and takes the bytes announced by `PUT <length>` raw.
/// #[derive(Default)]
/// struct Store {
///     content: Vec<u8>,
///     missing: usize,
/// }
///
/// impl LineHandler for Store {
///     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
///         if line == b"GET" {
///             transport.write(&self.content);
///         } else if let Some(len) = line.strip_prefix(b"PUT ") {
///             self.missing = str::from_utf8(len).ok().and_then(|len| len.parse().ok()).unwrap_or(0);
///             self.content.clear();
///             transport.set_raw_mode();
///         } else {
///             transport.lose_connection();
///         }
///     }
///
///     fn raw_received(&mut self, transport: &mut LineTransport<'_>, data: &[u8]) {
///         let (content, rest) = data.split_at(self.missing.min(data.len()));
///         self.content.extend_from_slice(content);
///         self.missing -= content.len();
///         if self.missing == 0 {
///             transport.set_line_mode(rest);
///         }
///     }
/// }
///
/// let mut store = LineReceiver::new(Store::default());
/// let (transport, wire) = Transport::memory();
/// store.data_received(&transport, b"PUT 5\r\nhello");
/// store.data_received(&transport, b"GET\r\n");
/// assert_eq!(wire.sent(), b"hello");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of lines",
    label = "not a `LineHandler`",
    note = "implement `LineHandler` for a type; `line_received` is the only method that it must have",
    note = "a `Protocol` gets bytes, and goes into no receiver: the factory returns it as it is"
)]
pub trait LineHandler: 'static {
    /// A line came; `line` is without its delimiter.
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]);

    common_callbacks!(LineTransport<'_>);
}

/// One end of a connection that speaks in frames, driven by [`Framed`](super::Framed) with the decoder `D`.
///
/// The counterpart of [`LineHandler`] for all that is not lines. A handler may be written for one decoder
/// (`impl FrameHandler<Netstring> for …`) or for several.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Decoder, Encoder, FrameHandler, FrameTransport, NetstringReceiver};
/// use sinew_transports::{Protocol, Transport};
///
/// /// Answers each frame with the same frame.
/// struct Echo;
///
/// impl<D: Decoder + Encoder> FrameHandler<D> for Echo {
///     fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
///         if transport.send(frame).is_err() {
///             transport.abort();
///         }
///     }
/// }
///
/// let mut echo = NetstringReceiver::new(Echo);
/// let (transport, wire) = Transport::memory();
/// echo.data_received(&transport, b"5:hello,3:wor");
/// assert_eq!(wire.sent(), b"5:hello,");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of frames that `{D}` finds",
    label = "not a `FrameHandler<{D}>`",
    note = "implement `LineHandler` to receive lines, `FrameHandler<{D}>` to receive other frames"
)]
pub trait FrameHandler<D: Decoder>: 'static {
    /// A frame came; `frame` is its payload.
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]);

    common_callbacks!(FrameTransport<'_, D>);
}

impl<H: LineHandler> FrameHandler<Line> for H {
    fn frame_received(&mut self, transport: &mut LineTransport<'_>, frame: &[u8]) {
        self.line_received(transport, frame);
    }

    forward_common_callbacks!(LineHandler, LineTransport<'_>);
}
