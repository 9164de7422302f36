//! The traits of `futures-io`, for the stream and its halves.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

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
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().reader.poll_read(context, buffer)
            }
        }
    )*};
}

impl_read!(AsyncStream, ReadHalf);
impl_buf_read!(AsyncBufRead: AsyncStream, ReadHalf);
impl_write!(AsyncWrite, AsyncStream, poll_close);
impl_write!(AsyncWrite, WriteHalf, poll_close);
