//! The framing engine: [`Framed`]. Drives a decoder, reassembles frames that arrive in pieces, and stops while
//! reading is paused. Knows no format.

#[cfg(test)]
mod tests;

use std::num::NonZeroU8;

use bytes::Bytes;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::{
    Decoded, Decoder, FrameError, FrameHandler, FrameTransport, TurnShare,
    frame_buffer::{Cursor, FrameBuffer},
};

/// A [`Protocol`] that splits the stream into frames with a [`Decoder`] and passes them to a [`FrameHandler`].
///
/// - A frame that lies whole in the data of one read is passed on without a copy. Only an unfinished frame at the end
///   is copied, and later input is appended to it. No buffer is kept while no frame is unfinished, so only a frame
///   that arrives in pieces costs an allocation.
/// - Delivery stops as soon as the handler pauses reading, closes, or has written past the high watermark: the very
///   next frame is held back. After a pause, frames are kept and delivered when reading resumes; after a close, they
///   are dropped.
/// - Undelivered input is handed over with the connection to a relay or to another protocol: a handler may do that at
///   any frame without losing the bytes after it.
/// - A framing error is reported to [`framing_failed`](FrameHandler::framing_failed) after the frames before it, and
///   ends the connection.
/// - At most one unfinished frame, as long as the decoder allows, and the data of one read are buffered.
///
/// # Examples
///
/// The familiar receivers are this type with a particular decoder: [`LineReceiver`](super::LineReceiver),
/// [`NetstringReceiver`](super::NetstringReceiver) and so on. [`new`](Self::new) uses the default decoder,
/// [`with_decoder`](Self::with_decoder) a configured one.
///
/// ```
/// use sinew_protocols::basic::{Framed, Line, LineHandler, LineReceiver, LineTransport};
/// # struct Chat;
/// # impl LineHandler for Chat {
/// #     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {}
/// # }
///
/// let chat: LineReceiver<Chat> = LineReceiver::new(Chat);
/// let chat = Framed::with_decoder(Line::lf_or_crlf().len_max(512), Chat);
/// ```
#[derive(Debug)]
pub struct Framed<D, H> {
    decoder: D,
    handler: H,
    /// Undelivered input. Taken out of its field while frames are delivered from it.
    buffer: Option<Box<FrameBuffer>>,
    mode: Mode,
    /// The peer has half-closed, and `read_closed` has not been called on the handler yet.
    ended: bool,
    /// Frames of a turn, and the most; `None` is without limit.
    share: TurnShare,
    frames_per_turn: Option<NonZeroU8>,
}

/// What the handler has requested.
#[derive(Debug, Default)]
pub(super) struct Mode {
    pub(super) raw: bool,
    /// The decoder was reset or replaced: the unfinished frame must be decoded again.
    pub(super) restarted: bool,
}

impl<D: Default, H> Framed<D, H> {
    /// Frames for `handler`, with the decoder's default settings.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self::with_decoder(D::default(), handler)
    }
}

impl<D, H> Framed<D, H> {
    /// Frames for `handler`, decoded by `decoder`.
    #[must_use]
    pub const fn with_decoder(decoder: D, handler: H) -> Self {
        Self {
            decoder,
            handler,
            buffer: None,
            mode: Mode { raw: false, restarted: false },
            ended: false,
            share: TurnShare::new(),
            frames_per_turn: None,
        }
    }

    /// Most frames that are delivered in one turn of the event loop, at least 1; the others follow in the next turns, so that a peer that
    /// pipelines many small frames leaves other connections their time. Bytes in raw mode are not counted. Default: no limit but that of
    /// the input of a turn, up to 16 reads of 64 KiB.
    ///
    /// # Examples
    ///
    /// ```
    /// # use sinew_protocols::basic::{Framed, Line, LineHandler, LineTransport};
    /// # struct Session;
    /// # impl LineHandler for Session {
    /// #     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {}
    /// # }
    /// let session = Framed::with_decoder(Line::strict_crlf(), Session).frames_per_turn(32);
    /// ```
    #[must_use]
    pub fn frames_per_turn(mut self, frames: u8) -> Self {
        self.frames_per_turn = Some(NonZeroU8::new(frames).unwrap_or(NonZeroU8::MIN));
        self
    }

    /// The decoder.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The handler.
    pub const fn handler(&self) -> &H {
        &self.handler
    }

    /// Mutable access to the handler.
    pub const fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Unwraps the handler. Undelivered input is dropped; call [`take_unread`](Protocol::take_unread) first to keep
    /// it.
    pub fn into_handler(self) -> H {
        self.handler
    }
}

impl<D: Decoder, H: FrameHandler<D>> Framed<D, H> {
    /// Delivers frames from `input`, starting at `cursor`, until the input is used up or delivery is stopped.
    fn take_frames(&mut self, transport: &Transport, input: &[u8], mut cursor: Cursor) -> Cursor {
        while transport.is_reading() {
            if self.mode.raw {
                if cursor.start == input.len() {
                    break;
                }
                cursor = self.take_raw(transport, input, cursor);
                continue;
            }
            if cursor.scanned == input.len() || self.has_no_share(transport) {
                break;
            }
            match self.decoder.decode(&input[cursor.scanned..]) {
                Ok(Decoded::Incomplete) => cursor.scanned = input.len(),
                Ok(Decoded::Frame { consumed, payload }) => {
                    assert!(
                        consumed > 0,
                        "a decoder returned an empty frame, which would loop forever"
                    );
                    let frame = &input[cursor.start..][payload];
                    cursor = Cursor::boundary(cursor.scanned + consumed);
                    self.deliver(transport, frame, &input[cursor.start..]);
                }
                Err(error) => {
                    self.fail(transport, &error);
                    break;
                }
            }
        }
        cursor
    }

    /// Whether no more frames may be delivered in this turn. Has the event loop come back in a later one if so.
    #[inline]
    fn has_no_share(&mut self, transport: &Transport) -> bool {
        let Some(max) = self.frames_per_turn else { return false };
        let Some(reactor) = transport.reactor() else { return false };
        let is_used = !self.share.is_left(&reactor, max.get());
        if is_used {
            transport.yield_turn();
        }
        is_used
    }

    fn deliver(&mut self, transport: &Transport, frame: &[u8], following: &[u8]) {
        if let Some(max) = self.frames_per_turn
            && let Some(reactor) = transport.reactor()
        {
            let _ = self.share.take(&reactor, max.get());
        }
        let mut framed = FrameTransport::new(transport, &mut self.decoder, &mut self.mode);
        framed.set_following(following);
        self.handler.frame_received(&mut framed, frame);
        // A new decoder starts after this frame, where decoding continues anyway.
        self.mode.restarted = false;
    }

    fn take_raw(&mut self, transport: &Transport, input: &[u8], cursor: Cursor) -> Cursor {
        let data = &input[cursor.start..];
        let unread = self.call(transport, |handler, transport| {
            handler.raw_received(transport, data);
            transport.unread()
        });
        assert!(unread <= data.len(), "more bytes handed back than were given");
        self.mode.restarted = false;
        Cursor::boundary(input.len() - unread)
    }

    /// Appends to the unfinished frame only the part of `data` that it needs, and continues with the rest.
    fn finish_frame(&mut self, transport: &Transport, mut buffer: Box<FrameBuffer>, data: &[u8]) {
        match self.decoder.decode(data) {
            Ok(Decoded::Incomplete) => {
                buffer.push_scanned(data);
                self.buffer = Some(buffer);
            }
            Ok(Decoded::Frame { consumed, payload }) => {
                buffer.push_scanned(&data[..consumed]);
                self.deliver(transport, &buffer.rest()[payload], &data[consumed..]);
                let left = self.take_frames(transport, data, Cursor::boundary(consumed));
                self.keep(transport, data, left, Some(buffer));
            }
            Err(error) => self.fail(transport, &error),
        }
    }

    /// Buffers the rest of `data`. Reuses `storage`, or frees it if nothing is left.
    fn keep(
        &mut self,
        transport: &Transport,
        data: &[u8],
        left: Cursor,
        storage: Option<Box<FrameBuffer>>,
    ) {
        if left.start < data.len() && !transport.is_closing() {
            if transport.is_starting_tls() {
                return self.reject_plaintext(transport, data.len() - left.start);
            }
            let mut buffer = storage.unwrap_or_default();
            buffer.replace(data, left);
            self.buffer = Some(buffer);
        }
    }

    /// Delivers buffered input.
    fn take_kept(&mut self, transport: &Transport) {
        let Some(mut buffer) = self.buffer.take() else {
            return;
        };
        let left = self.take_frames(transport, buffer.bytes(), buffer.cursor());
        buffer.advance(left);
        if !buffer.rest().is_empty() && !transport.is_closing() {
            if transport.is_starting_tls() {
                return self.reject_plaintext(transport, buffer.rest().len());
            }
            self.buffer = Some(buffer);
        }
    }

    /// Rejects plaintext received after TLS was started: an attacker could have injected it.
    fn reject_plaintext(&mut self, transport: &Transport, received: usize) {
        self.fail(transport, &FrameError::BehindStartTls { received });
    }

    /// Calls `read_closed` once all frames before the end of the input have been delivered.
    fn deliver_end(&mut self, transport: &Transport) {
        if self.buffer.as_ref().is_some_and(|buffer| !buffer.is_scanned()) {
            return; // Frames are held back until reading resumes.
        }
        self.ended = false;
        if let Some(buffer) = self.buffer.take() {
            let accepted = self
                .call(transport, |handler, transport| handler.unfinished(transport, buffer.rest()));
            if let Err(error) = accepted {
                return self.fail(transport, &error);
            }
        }
        if !transport.is_closing() {
            self.notify(transport, |handler, transport| handler.read_closed(transport));
        }
    }

    fn fail(&mut self, transport: &Transport, error: &FrameError) {
        self.call(transport, |handler, transport| handler.framing_failed(transport, error));
        if !transport.is_closing() {
            transport.fail(*error);
        }
    }

    /// Makes a callback that is not about the current input, then applies a decoder change that it requested.
    fn notify(
        &mut self,
        transport: &Transport,
        callback: impl FnOnce(&mut H, &mut FrameTransport<'_, D>),
    ) {
        self.call(transport, callback);
        if std::mem::take(&mut self.mode.restarted) {
            if let Some(buffer) = &mut self.buffer {
                buffer.rewind();
            }
            self.take_kept(transport);
        }
    }

    fn call<R>(
        &mut self,
        transport: &Transport,
        callback: impl FnOnce(&mut H, &mut FrameTransport<'_, D>) -> R,
    ) -> R {
        let mut transport = FrameTransport::new(transport, &mut self.decoder, &mut self.mode);
        callback(&mut self.handler, &mut transport)
    }
}

impl<D: Decoder, H: FrameHandler<D>> Protocol for Framed<D, H> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        match self.buffer.take() {
            None => {
                let left = self.take_frames(transport, data, Cursor::default());
                self.keep(transport, data, left, None);
            }
            Some(buffer)
                if buffer.is_scanned()
                    && transport.is_reading()
                    && !self.has_no_share(transport) =>
            {
                self.finish_frame(transport, buffer, data);
            }
            Some(mut buffer) => {
                buffer.push(data);
                self.buffer = Some(buffer);
                self.take_kept(transport);
            }
        }
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.take_kept(transport);
        if transport.is_reading() {
            self.notify(transport, |handler, transport| handler.reading_resumed(transport));
        }
        if self.ended {
            self.deliver_end(transport);
        }
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.ended = true;
        self.deliver_end(transport);
    }

    fn connection_made(&mut self, transport: &Transport) {
        self.notify(transport, |handler, transport| handler.connection_made(transport));
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.notify(transport, |handler, transport| handler.writing_paused(transport));
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.notify(transport, |handler, transport| handler.writing_resumed(transport));
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        self.notify(transport, |handler, transport| handler.timer_fired(transport, timer));
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        self.notify(transport, |handler, transport| handler.idle_timeout(transport));
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.notify(transport, |handler, transport| handler.drain_requested(transport));
    }

    fn tls_started(&mut self, transport: &Transport) {
        match self.buffer.take() {
            None => self.notify(transport, |handler, transport| handler.tls_started(transport)),
            Some(buffer) => self.reject_plaintext(transport, buffer.rest().len()),
        }
    }

    /// Returns all undelivered bytes, from the start of the unfinished or held-back frame.
    fn take_unread(&mut self, _: &Transport) -> Bytes {
        self.ended = false;
        self.decoder.reset();
        self.buffer.take().map(|buffer| buffer.into_rest().into()).unwrap_or_default()
    }

    /// The state of the handler. An unfinished frame follows as unread input; raw mode does not, so such a connection stays.
    fn saved_state(&self) -> Option<Vec<u8>> {
        if self.mode.raw || self.ended { None } else { self.handler.saved_state() }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.buffer = None;
        self.call(transport, |handler, transport| handler.connection_lost(transport, reason));
    }
}
