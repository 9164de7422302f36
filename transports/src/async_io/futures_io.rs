//! The traits of `futures-io`, for the stream and its halves.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::{AsyncStream, ReadHalf, WriteHalf};

macro_rules! impl_read {
    ($($reads:ty),*) => {$(
        impl AsyncRead for $reads {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().reader.poll_read(context, buffer)
            }
        }

        impl AsyncBufRead for $reads {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                let reader = &mut self.get_mut().reader;
                ready!(reader.poll_fill(context))?;
                Poll::Ready(Ok(reader.buffered()))
            }

            fn consume(self: Pin<&mut Self>, len: usize) {
                self.get_mut().reader.consume(len);
            }
        }
    )*};
}

macro_rules! impl_write {
    ($($writes:ty),*) => {$(
        impl AsyncWrite for $writes {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.writer.poll_write(context, data)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.writer.poll_write_vectored(context, slices)
            }

            fn poll_flush(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_flush(context)
            }

            /// Half-close, as [`AsyncStream::shutdown`].
            fn poll_close(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_shutdown(context)
            }
        }
    )*};
}

impl_read!(AsyncStream, ReadHalf);
impl_write!(AsyncStream, WriteHalf);
