//! The traits that users implement: [`LineHandler`] for lines, [`FrameHandler`] for all other frames. No logic here.

use sinew_transports::{ConnectionLost, TimerId};

use super::{Decoder, FrameError, FrameTransport, Line, LineTransport};

/// The callbacks that both traits share, with their defaults.
macro_rules! common_callbacks {
    ($transport:ty) => {
        /// Bytes were received in raw mode, split anywhere. Without an override, the first raw bytes end the
        /// connection: implement this before calling [`set_raw_mode`](FrameTransport::set_raw_mode).
        fn raw_received(&mut self, transport: &mut $transport, data: &[u8]) {
            let _ = data;
            transport.fail(FrameError::Invalid("raw bytes received, but `raw_received` is not implemented"));
        }

        /// The input cannot be split into frames; everything before the fault has been delivered. A reply to the peer
        /// may be written here. Afterwards the connection is closed with `error` as its reason once the reply has
        /// been sent, unless this callback has closed it. By default the fault is only logged, at debug level.
        fn framing_failed(&mut self, transport: &mut $transport, error: &FrameError) {
            tracing::debug!(peer = %transport.peer(), %error, "framing failed");
        }

        /// The input ended in the middle of a frame; `rest` is what was received of it, prefix included.
        /// [`read_closed`](Self::read_closed) follows.
        ///
        /// # Errors
        ///
        /// By default [`FrameError::Truncated`], since half a message is not a message. It is treated like any other
        /// framing error, and `read_closed` is not called.
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

        /// The connection is established; writing is allowed from here on.
        fn connection_made(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// The peer has half-closed (sent its last byte), and all frames have been delivered. By default the
        /// connection is closed once everything written has been sent.
        fn read_closed(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// The send queue has exceeded the high watermark (backpressure): stop producing.
        fn writing_paused(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// The send queue has drained to the low watermark: produce again.
        fn writing_resumed(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// Reading has resumed after a pause; held-back frames have been delivered already.
        fn reading_resumed(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// A timer started with `transport.call_later` has fired.
        fn timer_fired(&mut self, transport: &mut $transport, timer: TimerId) {
            let _ = (transport, timer);
        }

        /// No bytes were received or sent for the time set by `transport.set_idle_timeout`, or none were received for
        /// the time set by `transport.set_read_timeout`. Closes by default.
        fn idle_timeout(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// The TLS handshake started by `transport.start_tls` has completed. Plaintext received after the frame in
        /// which it was started would have ended the connection with [`FrameError::BehindStartTls`].
        fn tls_started(&mut self, transport: &mut $transport) {
            let _ = transport;
        }

        /// The server is draining: finish the current work, then close. By default closes gracefully at once:
        /// everything written is sent first.
        fn drain_requested(&mut self, transport: &mut $transport) {
            transport.lose_connection();
        }

        /// The connection may go over to another process: returns what the next handler has to know, as bytes, if it can go now
        /// ([`Protocol::saved_state`](sinew_transports::Protocol::saved_state)). An unfinished frame follows by itself. `None`,
        /// the default, says that it stays.
        fn saved_state(&self) -> Option<Vec<u8>> {
            None
        }

        /// The connection has ended; no other callback follows. An unfinished frame has been dropped.
        fn connection_lost(&mut self, transport: &mut $transport, reason: &ConnectionLost) {
            let _ = (transport, reason);
        }
    };
}

/// Forwards the common callbacks to the trait of that name, on `self` or on a field.
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

        fn saved_state(&self) -> Option<Vec<u8>> {
            $to::saved_state(&(*self)$(.$field)?)
        }

        fn connection_lost(&mut self, transport: &mut $transport, reason: &ConnectionLost) {
            $to::connection_lost(&mut (*self)$(.$field)?, transport, reason);
        }
    };
}

pub(super) use {common_callbacks, forward_common_callbacks};

/// The handler of a line-based connection, driven by a [`LineReceiver`](super::LineReceiver).
///
/// Only [`line_received`](Self::line_received) is required. The other callbacks are those of a
/// [`Protocol`](sinew_transports::Protocol), and three that framing adds: [`framing_failed`](Self::framing_failed),
/// [`unfinished`](Self::unfinished) and [`raw_received`](Self::raw_received).
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{LineHandler, LineReceiver, LineTransport};
/// use sinew_transports::{Protocol, Transport};
///
/// /// Answers `GET`, and reads the bytes announced by `PUT <length>` in raw mode.
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
    /// A line was received; `line` excludes its delimiter.
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]);

    common_callbacks!(LineTransport<'_>);
}

/// The handler of a framed connection, driven by [`Framed`](super::Framed) with the decoder `D`.
///
/// The counterpart of [`LineHandler`] for all other framings. A handler may be written for one decoder (`impl
/// FrameHandler<Netstring> for …`) or for several.
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
    /// A frame was received; `frame` is its payload.
    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]);

    common_callbacks!(FrameTransport<'_, D>);
}

impl<H: LineHandler> FrameHandler<Line> for H {
    fn frame_received(&mut self, transport: &mut LineTransport<'_>, frame: &[u8]) {
        self.line_received(transport, frame);
    }

    forward_common_callbacks!(LineHandler, LineTransport<'_>);
}
