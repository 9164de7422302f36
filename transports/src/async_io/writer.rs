//! The writing side of a stream of tasks: [`WriteHalf`], and the calls that [`AsyncStream`](super::AsyncStream) shares with it.

use std::{
    cmp, fmt,
    future::{Future, poll_fn},
    io::{self, IoSlice},
    rc::Rc,
    task::{Context, Poll, ready},
};

use super::core::Core;
use crate::{WriteStatus, stream::Awaited};

/// Most bytes that one `write` accepts.
pub const WRITE_MAX: usize = 64 * 1024;

/// Writes through the transport. Dropping it drops the writing half.
pub(super) struct Writer {
    pub(super) core: Rc<Core>,
}

/// The writing half of an [`AsyncStream`](super::AsyncStream), for a task of its own.
///
/// Dropping it ends the output (half-close) once all of it is sent; when both halves have been dropped, the connection is closed.
pub struct WriteHalf {
    pub(super) writer: Writer,
}

impl Writer {
    /// Ready when there is room for output.
    #[inline]
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        match self.core.transport.inner().is_above_high() {
            false => Poll::Ready(()),
            true => self.core.poll_output(Awaited::Room, context),
        }
    }

    fn checked(&self, status: WriteStatus) -> io::Result<()> {
        if status == WriteStatus::Closed { Err(self.core.output_error()) } else { Ok(()) }
    }

    #[inline]
    pub(super) fn poll_write(&self, context: &Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(context));
        let len = cmp::min(data.len(), WRITE_MAX);
        self.checked(self.core.transport.write(&data[..len]))?;
        Poll::Ready(Ok(len))
    }

    pub(super) fn poll_write_vectored(
        &self,
        context: &Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(context));
        let mut taken = 0;
        let status = self.core.transport.enqueue(|queue| {
            for slice in slices {
                let len = cmp::min(slice.len(), WRITE_MAX - taken);
                queue.push_slice(&slice[..len]);
                taken += len;
            }
        });
        self.checked(status)?;
        Poll::Ready(Ok(taken))
    }

    /// Queues everything, whatever is queued already.
    pub(super) fn write_now(&self, pieces: &[&[u8]]) -> io::Result<()> {
        self.checked(self.core.transport.write_vectored(pieces))
    }

    pub(super) fn poll_flush(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.core.transport.flush_directly();
        ready!(self.core.poll_output(Awaited::Sent, context));
        self.outcome()
    }

    pub(super) fn poll_shutdown(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.core.transport.close_write();
        ready!(self.core.poll_output(Awaited::End, context));
        self.outcome()
    }

    fn outcome(&self) -> Poll<io::Result<()>> {
        Poll::Ready(self.core.output_failure().map_or(Ok(()), Err))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.core.writer_dropped();
    }
}

/// The calls of everything that writes.
macro_rules! write_methods {
    () => {
        /// Writes as much of the data as one call accepts, which is all of it up to 64 KiB, and returns how much. Waits while more
        /// than the high watermark is queued. What is written is sent by the event loop, in one system call for all that a task
        /// writes until it waits.
        ///
        /// Cancel safe: a future that is dropped has written nothing.
        ///
        /// # Errors
        ///
        /// The reason for which the output has failed or the connection was lost;
        /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) after it was closed.
        pub fn write(&mut self, data: &[u8]) -> impl Future<Output = io::Result<usize>> {
            poll_fn(|context| self.writer.poll_write(context, data))
        }

        /// Writes all of the data, in pieces of 64 KiB.
        ///
        /// Cancel safe up to 64 KiB: a future that is dropped has written nothing. Of more data, a first part may be written.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write).
        pub fn write_all(&mut self, mut data: &[u8]) -> impl Future<Output = io::Result<()>> {
            poll_fn(move |context| {
                while !data.is_empty() {
                    let written = ready!(self.writer.poll_write(context, data))?;
                    data = &data[written..];
                }
                Poll::Ready(Ok(()))
            })
        }

        /// Waits until all written data has been handed to the kernel, which need not have sent it. Data is sent without this
        /// call, too.
        ///
        /// Cancel safe.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write).
        pub fn flush(&mut self) -> impl Future<Output = io::Result<()>> {
            poll_fn(|context| self.writer.poll_flush(context))
        }

        /// Half-close: ends the output, and waits until all of it and its end (FIN) have been handed to the kernel. Reading
        /// continues. Called again, it does nothing.
        ///
        /// Cancel safe: the output ends even if the future is dropped once it has been polled.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write), if not all could be sent.
        pub fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
            poll_fn(|context| self.writer.poll_shutdown(context))
        }

        /// Waits until there is room for output: no more than the high watermark is queued.
        ///
        /// Cancel safe.
        pub fn writable(&mut self) -> impl Future<Output = ()> {
            poll_fn(|context| self.writer.poll_room(context))
        }

        /// The form of [`writable`](Self::writable) for hand-written futures.
        pub fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<()> {
            self.writer.poll_room(context)
        }

        /// Queues all of the pieces at once, whether there is room or not: none or all of them are sent. Wait for
        /// [`writable`](Self::writable) before, so that what is queued stays bounded.
        ///
        /// # Errors
        ///
        /// As [`write`](Self::write).
        pub fn write_now(&mut self, pieces: &[&[u8]]) -> io::Result<()> {
            self.writer.write_now(pieces)
        }
    };
}

pub(super) use write_methods;

impl WriteHalf {
    write_methods!();
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(&self.writer.core).finish()
    }
}
