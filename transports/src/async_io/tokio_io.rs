//! `AsyncRead` and `AsyncWrite` of tokio, for the stream and its halves. Only the traits: nothing of tokio's runtime is compiled.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{
    AsyncStream, ReadHalf, WriteHalf,
    foreign::{impl_buf_read, impl_write},
};

macro_rules! impl_read {
    ($($reads:ty),*) => {$(
        impl AsyncRead for $reads {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let (reader, room) = (&mut self.get_mut().reader, buffer.remaining());
                reader.poll_take(context, room, |bytes| buffer.put_slice(bytes))
            }
        }
    )*};
}

impl_read!(AsyncStream, ReadHalf);
impl_buf_read!(AsyncBufRead: AsyncStream, ReadHalf);
impl_write!(
    AsyncWrite,
    AsyncStream,
    poll_shutdown,
    fn is_write_vectored(&self) -> bool {
        true
    }
);
impl_write!(
    AsyncWrite,
    WriteHalf,
    poll_shutdown,
    fn is_write_vectored(&self) -> bool {
        true
    }
);
