//! [`Wrapper`] for [`Tls`]: how the stream calls the TLS layer. Plaintext in, ciphertext to the socket below.

use std::io::{self, IoSlice};
#[cfg(unix)]
use std::os::fd::BorrowedFd;

use sinew_reactor::SHORT_WRITE_FILLS;

use super::Tls;
use crate::stream::{layer::Layer, socket::Socket, wrapper::Wrapper};

impl Wrapper for Tls {
    fn inner(&self) -> &Socket {
        &self.socket
    }

    /// Unsupported: input is read by [`receive`](Layer::receive), since a read cannot report that plaintext is left.
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether plaintext or the end of the input is buffered, or the socket has bytes.
    fn peek(&self) -> io::Result<usize> {
        if self.pending.has_input() { Ok(1) } else { self.socket.peek() }
    }

    /// Reports bytes as written when all of their ciphertext is. So the stream's queue holds exactly what the system has not
    /// accepted, and watermarks, ends and timeouts need not know of this layer.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.plaintext_len() {
            0 if self.handshake_pending() => return Err(io::ErrorKind::WouldBlock.into()),
            0 => {}
            clear => return self.write_clear(slices, clear),
        }
        let mut taken = 0;
        let blocked = |taken| match taken {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        };
        if !self.flush()? {
            return blocked(taken);
        }
        taken += self.pending.take_covered();
        loop {
            match self.write_chunk(slices, taken)? {
                (0, _) => return Ok(taken),
                (len, true) => taken += len,
                (len, false) => {
                    if SHORT_WRITE_FILLS || !self.flush()? {
                        return blocked(taken);
                    }
                    self.pending.take_covered();
                    taken += len;
                }
            }
        }
    }

    /// Descriptors can only be sent in the clear, before the handshake.
    #[cfg(unix)]
    fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        let Some(first) = slices.iter().find(|slice| !slice.is_empty()) else { return Ok(0) };
        let clear = IoSlice::new(&first[..first.len().min(self.plaintext_len())]);
        if clear.is_empty() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let sent = self.socket.write_with_descriptors(&[clear], descriptors)?;
        self.sent_clear(sent);
        Ok(sent)
    }

    fn close_write(&self) -> io::Result<()> {
        self.send_close_notify()?;
        self.socket.close_write()
    }

    fn finish_output(&self) -> io::Result<()> {
        self.send_close_notify()
    }

    fn is_held(&self) -> bool {
        let awaits_peer =
            self.handshake_pending() && self.plaintext_len() == 0 && !self.has_unsent();
        awaits_peer || self.socket.is_held()
    }

    fn has_unsent(&self) -> bool {
        self.pending.has_unsent()
    }

    /// What the socket below has received is told to it where it is decrypted.
    fn completed(&self, _: Result<&[u8], &io::Error>) {}

    fn layer(&self) -> Option<&dyn Layer> {
        Some(self)
    }
}
