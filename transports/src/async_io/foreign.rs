//! What the traits of other crates have in common, for the stream and its halves: [`impl_buf_read`] and [`impl_write`] implement those
//! that differ in little but their path. The traits are in `futures_io.rs`, `tokio_io.rs` and `hyper.rs`.

/// Implements an `AsyncBufRead`.
macro_rules! impl_buf_read {
    ($trait:path: $($reads:ty),*) => {$(
        impl $trait for $reads {
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

/// Implements an `AsyncWrite`. `$shutdown` is its name of the half-close, as [`AsyncStream::shutdown`](super::AsyncStream); `$more` is a
/// further method.
macro_rules! impl_write {
    ($trait:path, $writes:ty, $shutdown:ident $(, $more:item)?) => {
        impl $trait for $writes {
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

            fn $shutdown(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.writer.poll_shutdown(context)
            }

            $($more)?
        }
    };
}

pub(super) use {impl_buf_read, impl_write};
