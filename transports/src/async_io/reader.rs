//! The reading side of a stream of tasks: [`ReadHalf`], and the calls that [`AsyncStream`](super::AsyncStream) shares with it.

use std::{
    cmp, fmt,
    future::{Future, poll_fn},
    io, mem,
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::{
    Unread,
    core::{Core, ENDED, READING},
};

/// Takes received bytes out of the [`Core`]. Dropping it drops the reading half.
pub(super) struct Reader {
    pub(super) core: Rc<Core>,
    /// Bytes that the task has looked at and not consumed.
    current: Option<Box<Unread>>,
}

/// The reading half of an [`AsyncStream`](super::AsyncStream), for a task of its own.
///
/// Dropping it stops reading; when both halves have been dropped, the connection is closed.
pub struct ReadHalf {
    pub(super) reader: Reader,
}

impl Reader {
    pub(super) const fn new(core: Rc<Core>) -> Self {
        Self { core, current: None }
    }

    /// Received bytes that are not consumed, as far as they have been taken out of the core.
    #[inline]
    pub(super) fn buffered(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], |current| current.as_slice())
    }

    /// Ready when there are bytes, or at the end of the input, where there are none.
    #[inline]
    pub(super) fn poll_fill(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if self.fill() { Poll::Ready(Ok(())) } else { self.poll_end(context) }
    }

    /// Takes what has been received out of the core. Whether there are bytes.
    #[inline]
    fn fill(&mut self) -> bool {
        if self.current.is_none() {
            self.current = self.core.take_unread();
            self.core.clear(READING);
        }
        self.current.is_some()
    }

    /// There are no bytes.
    fn poll_end(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if self.core.has(ENDED) {
            return Poll::Ready(Ok(()));
        }
        match self.core.end() {
            Some(end) if end.is_clean() => Poll::Ready(Ok(())),
            Some(end) => Poll::Ready(Err(end.error())),
            None => {
                self.core.wait_for_input(context);
                Poll::Pending
            }
        }
    }

    /// Ready when there are at least this many bytes.
    pub(super) fn poll_fill_to(
        &mut self,
        context: &Context<'_>,
        len: usize,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.buffered().len() >= len {
                return Poll::Ready(Ok(()));
            }
            let Some(mut before) = self.current.take() else {
                ready!(self.poll_fill(context))?;
                if self.current.is_none() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
                continue;
            };
            let filled = self.poll_fill(context);
            match self.current.take() {
                Some(more) => {
                    before.compact();
                    before.push(more.as_slice());
                    more.recycle(self.core.transport.inner().buffers());
                    self.current = Some(before);
                }
                None => {
                    self.current = Some(before);
                    ready!(filled)?;
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }

    #[inline]
    pub(super) fn consume(&mut self, len: usize) {
        let Some(current) = &mut self.current else {
            return assert_eq!(len, 0, "more bytes consumed than there are");
        };
        current.consume(len);
        if current.is_empty()
            && let Some(current) = self.current.take()
        {
            current.recycle(self.core.transport.inner().buffers());
        }
    }

    #[inline]
    pub(super) fn poll_read(
        &mut self,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_fill(context))?;
        Poll::Ready(Ok(self.copy_to(buffer)))
    }

    /// Gives `take` at most `room` bytes, once there are any or the input has ended, and consumes them. Ready at once without room.
    #[cfg(any(feature = "hyper", feature = "tokio-io"))]
    #[inline]
    pub(super) fn poll_take(
        &mut self,
        context: &Context<'_>,
        room: usize,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        if room > 0 {
            ready!(self.poll_fill(context))?;
            let len = cmp::min(self.buffered().len(), room);
            take(&self.buffered()[..len]);
            self.consume(len);
        }
        Poll::Ready(Ok(()))
    }

    /// Copies bytes to the buffer and consumes them.
    #[inline]
    fn copy_to(&mut self, buffer: &mut [u8]) -> usize {
        let buffered = self.buffered();
        let len = cmp::min(buffered.len(), buffer.len());
        buffer[..len].copy_from_slice(&buffered[..len]);
        self.consume(len);
        len
    }

    pub(super) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.fill() {
            return Ok(self.copy_to(buffer));
        }
        match self.core.end() {
            Some(end) if !end.is_clean() && !self.core.has(ENDED) => Err(end.error()),
            None if !self.core.has(ENDED) => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(0),
        }
    }

    /// Puts bytes back before all others.
    pub(super) fn put_back(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let buffers = self.core.transport.inner().buffers();
        self.current.get_or_insert_with(|| buffers.take_unread()).put_back(data);
    }

    /// Takes all received bytes.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only start_tls needs them"))]
    pub(super) fn take_all(&mut self) -> Vec<u8> {
        let mut all = self.current.take().map(|current| current.into_vec()).unwrap_or_default();
        if let Some(unread) = self.core.take_unread() {
            all.extend_from_slice(unread.as_slice());
            unread.recycle(self.core.transport.inner().buffers());
        }
        all
    }

    /// Puts all bytes back into the core, for the protocol that takes over.
    pub(super) fn return_to_core(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        if let Some(unread) = self.core.take_unread() {
            current.push(unread.as_slice());
            unread.recycle(self.core.transport.inner().buffers());
        }
        self.core.put_unread(Some(current));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(current) = mem::take(&mut self.current) {
            current.recycle(self.core.transport.inner().buffers());
        }
        self.core.reader_dropped();
    }
}

/// The calls of everything that reads.
macro_rules! read_methods {
    () => {
        /// Reads what has been received, at most as much as the buffer takes. Waits until there is something. `Ok(0)` says that
        /// the peer has ended its side, or that the buffer is empty.
        ///
        /// Cancel safe: a future that is dropped has read nothing.
        ///
        /// # Errors
        ///
        /// The reason for which the connection was lost, once all received bytes are read.
        pub fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            poll_fn(|context| self.reader.poll_read(context, buffer))
        }

        /// Fills the buffer. Until all of its bytes are there, they wait in the stream, which grows by as many.
        ///
        /// Cancel safe: a future that is dropped has read nothing.
        ///
        /// # Errors
        ///
        /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the input ends before; else as [`read`](Self::read). What has been
        /// received can be read then.
        pub fn read_exact(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<()>> {
            poll_fn(|context| {
                ready!(self.reader.poll_fill_to(context, buffer.len()))?;
                // They are there, so this takes all of them.
                Poll::Ready(self.reader.try_read(buffer).map(drop))
            })
        }

        /// Waits until there is something to read and returns it, without a copy. It stays there until it is
        /// [consumed](Self::consume). Empty at the end of the input.
        ///
        /// Cancel safe.
        ///
        /// # Examples
        ///
        /// An echo without a buffer of its own. While the task waits, there is none at all.
        ///
        /// ```
        /// # async fn echo(stream: sinew_transports::AsyncStream) -> std::io::Result<()> {
        /// let (mut read, mut write) = stream.split();
        /// loop {
        ///     let data = read.fill_buf().await?;
        ///     if data.is_empty() {
        ///         return Ok(());
        ///     }
        ///     write.write_all(data).await?;
        ///     let len = data.len();
        ///     read.consume(len);
        /// }
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// As [`read`](Self::read).
        pub async fn fill_buf(&mut self) -> io::Result<&[u8]> {
            poll_fn(|context| self.reader.poll_fill(context)).await?;
            Ok(self.reader.buffered())
        }

        /// Removes bytes that [`fill_buf`](Self::fill_buf) has returned.
        ///
        /// # Panics
        ///
        /// If there are not as many.
        pub fn consume(&mut self, len: usize) {
            self.reader.consume(len);
        }

        /// Waits until [`try_read`](Self::try_read) would return something: bytes, the end of the input, or an error. So a task
        /// that waits needs no buffer.
        ///
        /// Cancel safe.
        pub fn readable(&mut self) -> impl Future<Output = ()> {
            // `try_read` returns the error.
            poll_fn(|context| self.reader.poll_fill(context).map(drop))
        }

        /// Reads what has been received, without waiting.
        ///
        /// # Errors
        ///
        /// [`WouldBlock`](io::ErrorKind::WouldBlock) if nothing has been received; else as [`read`](Self::read).
        pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reader.try_read(buffer)
        }

        /// Puts bytes back, to be read before all others.
        pub fn put_back(&mut self, data: &[u8]) {
            self.reader.put_back(data);
        }
    };
}

pub(super) use read_methods;

impl ReadHalf {
    read_methods!();
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadHalf").field(&self.reader.core).finish()
    }
}
