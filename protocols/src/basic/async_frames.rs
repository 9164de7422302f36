//! Frames for tasks: [`AsyncFrames`] reads them as a stream and sends them, with any decoder. Knows no format.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;
use futures_io::{AsyncBufRead, AsyncWrite};
use futures_sink::Sink;
use sinew_transports::{AsyncStream, Connection, Protocol, ReadHalf, SetProtocolError, WriteHalf};

use super::{Decoder, EncodeError, Encoder, FrameError, Frames, Line};

/// A connection whose bytes are frames, for tasks: the frames of any [`Decoder`], with its limits.
///
/// `S` is an [`AsyncStream`], one of its halves, or for reading anything else that implements [`AsyncBufRead`].
///
/// - [`next`](Self::next) returns the frames in order, then `None` at the end of the input. It is also a [`Stream`] of them.
/// - [`send`](Self::send) sends a frame. It is also a [`Sink`].
/// - After an error of the framing nothing more is read: the frame boundaries are lost. Drop it to close the connection.
/// - At most one unfinished frame is buffered, as long as the decoder allows, beside what the stream itself holds.
///
/// # Cancel safety
///
/// A future of [`next`](Self::next) that is dropped has taken no frame, and what it has received of the next one is kept. A future of
/// [`send`](Self::send) that is dropped has sent nothing, and never a part of a frame.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{AsyncFrames, FramesError};
/// use sinew_transports::AsyncStream;
///
/// /// Answers each line with the same line in upper case.
/// async fn upper(stream: AsyncStream) -> Result<(), FramesError> {
///     let mut lines = AsyncFrames::lines(stream);
///     while let Some(line) = lines.next().await {
///         lines.send(line?.to_ascii_uppercase()).await?;
///     }
///     Ok(())
/// }
/// ```
pub struct AsyncFrames<D, S = AsyncStream> {
    stream: S,
    frames: Frames<D>,
    /// A framing error, or the end of the input, was returned.
    is_over: bool,
}

/// Reading or sending frames has failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FramesError {
    /// The input cannot be split into frames, or ended inside of one.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The payload cannot be sent as one frame. The connection is unchanged.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The connection has failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

sinew_transports::reactor::error_debug!(FramesError);

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_transports::AsyncStream {}
    impl Sealed for sinew_transports::WriteHalf {}
}

/// What frames can be sent on: [`AsyncStream`] and [`WriteHalf`]. It queues a frame whole or not at all.
pub trait QueuesFrames: AsyncWrite + Unpin + sealed::Sealed {
    /// Ready when there is room for output.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Queues the pieces.
    ///
    /// # Errors
    ///
    /// The connection cannot be written.
    fn queue(&mut self, pieces: &[&[u8]]) -> io::Result<()>;
}

macro_rules! queues_frames {
    ($($stream:ty),*) => {$(
        impl QueuesFrames for $stream {
            fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
                self.poll_writable(context)
            }

            fn queue(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
                self.write_now(pieces)
            }
        }
    )*};
}

queues_frames!(AsyncStream, WriteHalf);

impl<S> AsyncFrames<Line, S> {
    /// Lines: received with LF or CRLF at their end, sent with CRLF. Other lines: [`new`](Self::new) with a [`Line`].
    pub fn lines(stream: S) -> Self {
        Self::new(stream, Line::lf_or_crlf())
    }
}

impl<D, S> AsyncFrames<D, S> {
    /// Frames found by `decoder`.
    pub const fn new(stream: S, decoder: D) -> Self {
        Self { stream, frames: Frames::new(decoder), is_over: false }
    }

    /// The stream.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream. Reading from it takes bytes between the frames.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The decoder.
    pub const fn decoder(&self) -> &D {
        self.frames.decoder()
    }
}

impl<D: Decoder, S: AsyncBufRead + Unpin> AsyncFrames<D, S> {
    /// The next frame; `None` once the input has ended, or after an error.
    ///
    /// # Errors
    ///
    /// [`FramesError::Frame`], as the decoder reports it, and [`FrameError::Truncated`] if the input ends inside of a frame;
    /// [`FramesError::Io`] if the connection was lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, FramesError>> {
        poll_fn(|context| self.poll_frame(context)).await
    }

    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, FramesError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        loop {
            let data = match ready!(Pin::new(&mut self.stream).poll_fill_buf(context)) {
                Ok(data) => data,
                Err(error) => return self.over(error.into()),
            };
            let len = data.len();
            if len == 0 {
                let received = self.frames.unfinished().len();
                self.frames.reset();
                self.is_over = true;
                let error = FramesError::Frame(FrameError::Truncated { received });
                return Poll::Ready((received > 0).then_some(Err(error)));
            }
            let mut rest = data;
            let next = self.frames.next(&mut rest);
            let frame = match next {
                Ok(frame) => frame.map(Bytes::copy_from_slice),
                Err(error) => return self.over(error.into()),
            };
            let used = len - rest.len();
            Pin::new(&mut self.stream).consume(used);
            if let Some(frame) = frame {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
    }

    fn over(&mut self, error: FramesError) -> Poll<Option<Result<Bytes, FramesError>>> {
        self.is_over = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl<D: Encoder, S: QueuesFrames> AsyncFrames<D, S> {
    /// Sends a frame, encoded as the decoder receives it. Waits while there is no room for output, then queues the frame: the event
    /// loop sends it.
    ///
    /// # Errors
    ///
    /// [`FramesError::Encode`] if the payload cannot be encoded; the connection goes on. [`FramesError::Io`] if it was lost.
    pub async fn send(&mut self, payload: impl AsRef<[u8]>) -> Result<(), FramesError> {
        poll_fn(|context| self.stream.poll_room(context)).await;
        self.queue(payload.as_ref())
    }

    fn queue(&mut self, payload: &[u8]) -> Result<(), FramesError> {
        let stream = &mut self.stream;
        self.frames.decoder().encode(payload, |pieces| stream.queue(pieces))??;
        Ok(())
    }
}

impl<D: Decoder> AsyncFrames<D> {
    /// Gives the stream back. What was received of an unfinished frame is read first from it.
    pub fn into_stream(mut self) -> AsyncStream {
        self.stream.put_back(self.frames.unfinished());
        self.stream
    }

    /// Gives the connection to a protocol, with what was received and is not part of a frame that was returned. See
    /// [`AsyncStream::into_protocol`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn into_protocol<P: Protocol>(
        self,
        protocol: P,
    ) -> Result<Connection<P>, SetProtocolError<P>> {
        self.into_stream().into_protocol(protocol)
    }

    /// Splits it into a reading and a writing half, for two tasks.
    #[must_use]
    pub fn split(self) -> (AsyncFrames<D, ReadHalf>, AsyncFrames<D, WriteHalf>)
    where
        D: Clone,
    {
        let decoder = self.frames.decoder().clone();
        let (read, write) = self.stream.split();
        (
            AsyncFrames { stream: read, frames: self.frames, is_over: self.is_over },
            AsyncFrames::new(write, decoder),
        )
    }
}

impl<D: Decoder + Unpin, S: AsyncBufRead + Unpin> Stream for AsyncFrames<D, S> {
    type Item = Result<Bytes, FramesError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_frame(context)
    }
}

impl<D: Encoder + Unpin, S: QueuesFrames, T: AsRef<[u8]>> Sink<T> for AsyncFrames<D, S> {
    type Error = FramesError;

    fn poll_ready(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), FramesError>> {
        self.get_mut().stream.poll_room(context).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, payload: T) -> Result<(), FramesError> {
        self.get_mut().queue(payload.as_ref())
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), FramesError>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context).map_err(FramesError::Io)
    }

    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), FramesError>> {
        Pin::new(&mut self.get_mut().stream).poll_close(context).map_err(FramesError::Io)
    }
}

impl<D: fmt::Debug, S: fmt::Debug> fmt::Debug for AsyncFrames<D, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFrames")
            .field("stream", &self.stream)
            .field("decoder", self.decoder())
            .finish()
    }
}
