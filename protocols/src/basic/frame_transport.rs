//! The transport passed to frame handlers: [`FrameTransport`]. It records requests; [`Framed`] carries them out.
//!
//! [`Framed`]: super::Framed

use std::{fmt, ops::Deref};

use sinew_transports::{Transport, WriteStatus};

use super::{Decoder, EncodeError, Encoder, Line, framed::Mode, send_frame};

/// A [`Transport`] with framing operations, passed to every callback of a [`FrameHandler`](super::FrameHandler).
///
/// It dereferences to [`Transport`]: call its methods, pass it as `&Transport`, or clone it to keep it (`let kept:
/// Transport = transport.clone()`).
///
/// # Raw mode
///
/// [`set_raw_mode`](Self::set_raw_mode) ends framing: every byte after the current frame goes to `raw_received`,
/// until [`set_frame_mode`](Self::set_frame_mode) resumes framing with the bytes that were not consumed. Both only
/// record the request, so they may be called from any callback, any number of times, without recursion.
pub struct FrameTransport<'a, D> {
    transport: &'a Transport,
    decoder: &'a mut D,
    mode: &'a mut Mode,
    /// How many of the last bytes passed to `raw_received` were handed back.
    unread: usize,
    /// Input behind the frame that is delivered.
    following: &'a [u8],
}

/// The [`FrameTransport`] of lines, passed to a [`LineHandler`](super::LineHandler).
pub type LineTransport<'a> = FrameTransport<'a, Line>;

impl<'a, D: Decoder> FrameTransport<'a, D> {
    pub(super) fn new(transport: &'a Transport, decoder: &'a mut D, mode: &'a mut Mode) -> Self {
        Self { transport, decoder, mode, unread: 0, following: &[] }
    }

    pub(super) fn set_following(&mut self, following: &'a [u8]) {
        self.following = following;
    }

    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// What was received behind the frame that is delivered, and is not decoded yet: frames that follow, and perhaps the beginning of one.
    /// Empty outside of the callback of a frame, and at the end of what was received. A protocol with pipelining can see here what is
    /// asked for next; each frame is delivered in its turn all the same, unless framing ends before it.
    #[must_use]
    pub fn following(&self) -> &[u8] {
        self.following
    }

    /// The decoder in use.
    #[must_use]
    pub fn decoder(&self) -> &D {
        self.decoder
    }

    pub(super) fn decoder_mut(&mut self) -> &mut D {
        self.decoder
    }

    /// Switches to another decoder, or other limits, after the current frame. Outside of a frame callback, the new
    /// decoder also gets the bytes of an unfinished frame received so far.
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

    /// Whether raw mode is on: bytes are delivered without framing.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.mode.raw
    }

    /// Delivers all further bytes, from the end of the current frame, to `raw_received`. Outside of a frame callback,
    /// raw mode starts with the bytes of an unfinished frame received so far.
    pub fn set_raw_mode(&mut self) {
        self.mode.raw = true;
        self.unread = 0;
        self.restart();
    }

    /// Ends raw mode. `rest` is the unconsumed end of the data that `raw_received` was just called with; it is
    /// decoded next. Outside of `raw_received`, `rest` must be empty.
    ///
    /// # Panics
    ///
    /// After the callback has returned, if `rest` is longer than the data was and so cannot be a part of it.
    pub fn set_frame_mode(&mut self, rest: &[u8]) {
        self.mode.raw = false;
        self.unread = rest.len();
    }

    /// Stays in raw mode, and keeps `rest`: the end of the data that `raw_received` was just called with, which is delivered again, with
    /// what follows it. Pause reading as well, or it is delivered again at once.
    ///
    /// # Panics
    ///
    /// As [`set_frame_mode`](Self::set_frame_mode) does.
    pub fn keep_raw(&mut self, rest: &[u8]) {
        self.unread = rest.len();
    }

    /// Sends `frame`, encoded by the current decoder.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the payload cannot be encoded; nothing is then written.
    pub fn send(&self, frame: impl AsRef<[u8]>) -> Result<WriteStatus, EncodeError>
    where
        D: Encoder,
    {
        send_frame(self.transport, self.decoder, frame)
    }

    /// The next byte to be decoded starts a frame.
    fn restart(&mut self) {
        self.decoder.reset();
        self.mode.restarted = true;
    }
}

impl LineTransport<'_> {
    /// Ends raw mode. This is [`set_frame_mode`](FrameTransport::set_frame_mode) under its Twisted name.
    ///
    /// # Panics
    ///
    /// As `set_frame_mode` does.
    pub fn set_line_mode(&mut self, rest: &[u8]) {
        self.set_frame_mode(rest);
    }

    /// Sends `line` and the current delimiter.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if `line` is longer than the decoder's limit or contains the delimiter; nothing is then
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
