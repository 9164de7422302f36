//! `AsyncRead` and `AsyncWrite` of tokio, for the stream and its halves. Only the traits: nothing of tokio's runtime is compiled.

use std::{
    cmp,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{AsyncStream, ReadHalf, WriteHalf};

macro_rules! impl_read {
    ($($reads:ty),*) => {$(
        impl AsyncRead for $reads {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let reader = &mut self.get_mut().reader;
                if buffer.remaining() > 0 {
                    ready!(reader.poll_fill(context))?;
                    let len = cmp::min(reader.buffered().len(), buffer.remaining());
                    buffer.put_slice(&reader.buffered()[..len]);
                    reader.consume(len);
                }
                Poll::Ready(Ok(()))
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

            fn poll_flush(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_flush(context)
            }

            fn poll_shutdown(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_shutdown(context)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                slices: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.writer.poll_write_vectored(context, slices)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }
        }
    )*};
}

impl_read!(AsyncStream, ReadHalf);
impl_write!(AsyncStream, WriteHalf);
