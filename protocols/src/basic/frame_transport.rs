//! The transport as a frame handler sees it: [`FrameTransport`]. Notes what is asked for; [`Framed`] does it.
//!
//! [`Framed`]: super::Framed

use std::{fmt, ops::Deref};

use sinew_transports::{Transport, WriteStatus};

use super::{Decoder, EncodeError, Encoder, Line, framed::Mode, send_frame};

/// A [`Transport`] that also knows about frames, handed to every callback of a
/// [`FrameHandler`](super::FrameHandler).
///
/// It is a transport wherever one is wanted: call its methods, pass it as `&Transport`, clone it to keep it
/// (`let kept: Transport = transport.clone()`).
///
/// # Raw mode
///
/// [`set_raw_mode`](Self::set_raw_mode) ends framing: every byte after the frame in hand goes to `raw_received`, until
/// [`set_frame_mode`](Self::set_frame_mode) takes framing up again with the bytes that were not wanted. Both only note
/// what is wanted, so they may be called from any callback and any number of times, without recursion.
pub struct FrameTransport<'a, D> {
    transport: &'a Transport,
    decoder: &'a mut D,
    mode: &'a mut Mode,
    /// How many of the last bytes given to `raw_received` were handed back.
    unread: usize,
}

/// The [`FrameTransport`] of lines, as [`LineHandler`](super::LineHandler) is given it.
pub type LineTransport<'a> = FrameTransport<'a, Line>;

impl<'a, D: Decoder> FrameTransport<'a, D> {
    pub(super) fn new(transport: &'a Transport, decoder: &'a mut D, mode: &'a mut Mode) -> Self {
        Self { transport, decoder, mode, unread: 0 }
    }

    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// The decoder in use.
    #[must_use]
    pub fn decoder(&self) -> &D {
        self.decoder
    }

    pub(super) fn decoder_mut(&mut self) -> &mut D {
        self.decoder
    }

    /// Goes on with another decoder, or other limits, after the frame in hand. Called outside of a frame callback, the
    /// new decoder also gets what has come of an unfinished frame.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sinew_protocols::basic::{Line, LineHandler, LineTransport};
    /// # struct Session;
    /// # impl LineHandler for Session {
    /// fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
    ///     if line == b"LOGIN" {
    ///         transport.set_decoder(Line::default().len_max(1 << 20));
    ///     }
    /// }
    /// # }
    /// ```
    pub fn set_decoder(&mut self, decoder: D) {
        *self.decoder = decoder;
        self.restart();
    }

    /// Whether bytes are delivered as they come.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.mode.raw
    }

    /// Delivers all further bytes, from the end of the frame in hand, to `raw_received`. Called outside of a frame
    /// callback, raw mode begins with what has come of an unfinished frame.
    pub fn set_raw_mode(&mut self) {
        self.mode.raw = true;
        self.unread = 0;
        self.restart();
    }

    /// Ends raw mode. `rest` is the end of the data that `raw_received` was just given, the part that was not wanted: it
    /// is decoded next. Outside of `raw_received` there is nothing to hand back, and `rest` is empty.
    ///
    /// # Panics
    ///
    /// Once the callback has returned, if `rest` is longer than the data was, so cannot be a part of it.
    pub fn set_frame_mode(&mut self, rest: &[u8]) {
        self.mode.raw = false;
        self.unread = rest.len();
    }

    /// Sends `frame` by the rules of the decoder in use.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if there is no such frame; then nothing was written.
    pub fn send(&self, frame: impl AsRef<[u8]>) -> Result<WriteStatus, EncodeError>
    where
        D: Encoder,
    {
        send_frame(self.transport, self.decoder, frame)
    }

    /// The next byte to be decoded begins a frame.
    fn restart(&mut self) {
        self.decoder.reset();
        self.mode.restarted = true;
    }
}

impl LineTransport<'_> {
    /// Ends raw mode: [`set_frame_mode`](FrameTransport::set_frame_mode) by its name in Twisted.
    ///
    /// # Panics
    ///
    /// As `set_frame_mode` does.
    pub fn set_line_mode(&mut self, rest: &[u8]) {
        self.set_frame_mode(rest);
    }

    /// Sends `line` and the delimiter in use.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if `line` is longer than the limit of the decoder or holds the delimiter; then nothing was
    /// written.
    pub fn send_line(&self, line: impl AsRef<[u8]>) -> Result<WriteStatus, EncodeError> {
        self.send(line)
    }
}

impl<D> Deref for FrameTransport<'_, D> {
    type Target = Transport;

    fn deref(&self) -> &Transport {
        self.transport
    }
}

impl<D> fmt::Debug for FrameTransport<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameTransport").field("raw", &self.mode.raw).finish_non_exhaustive()
    }
}
