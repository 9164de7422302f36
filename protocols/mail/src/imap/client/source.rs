//! A message that is appended: [`MessageSource`].

use std::{
    fmt,
    io::Read,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

/// A message that is appended: bytes, or a stream of a length that is known. Lines have to end in CRLF; nothing is changed.
pub struct MessageSource {
    pub(super) len: u64,
    pub(super) is_binary: bool,
    pub(super) pieces: Pieces,
}

pub(super) enum Pieces {
    Bytes(Bytes),
    Stream(NextPiece),
}

/// Returns the next piece.
type NextPiece = Box<dyn FnMut(&Reactor) -> Deferred<Option<Bytes>>>;

/// Bytes that are read from a file at a time.
const PIECE: usize = 64 * 1024;

impl MessageSource {
    /// A message that is in memory.
    #[must_use]
    pub fn new(message: impl Into<Bytes>) -> Self {
        let message = message.into();
        Self { len: message.len() as u64, is_binary: false, pieces: Pieces::Bytes(message) }
    }

    /// A message of this length that is read as it is sent: the next piece, or `None` at its end. If it has another length, or fails,
    /// the connection ends, since the server waits for the rest.
    #[must_use]
    pub fn stream(
        len: u64,
        next: impl FnMut(&Reactor) -> Deferred<Option<Bytes>> + 'static,
    ) -> Self {
        Self { len, is_binary: false, pieces: Pieces::Stream(Box::new(next)) }
    }

    /// A message of this length from a file or something like it, which is read on the thread pool.
    #[must_use]
    pub fn reader(len: u64, reader: impl Read + Send + 'static) -> Self {
        let reader = Arc::new(Mutex::new(reader));
        Self::stream(len, move |reactor| {
            let reader = Arc::clone(&reader);
            let read = reactor.defer_to_thread(move || {
                let mut piece = vec![0; PIECE];
                let mut reader =
                    reader.lock().map_err(|_| std::io::Error::other("the reader has panicked"))?;
                let len = reader.read(&mut piece)?;
                piece.truncate(len);
                Ok::<_, std::io::Error>(piece)
            });
            read.map(|read| match read {
                Ok(Ok(piece)) => Ok((!piece.is_empty()).then(|| piece.into())),
                // A message that is too short ends the connection.
                Ok(Err(_)) => Ok(None),
                Err(failure) => Err(failure),
            })
        })
    }

    /// Sends it as a binary literal: with NULs (RFC 3516). The server must have BINARY.
    #[must_use]
    pub fn binary(mut self) -> Self {
        self.is_binary = true;
        self
    }
}

impl fmt::Debug for MessageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSource").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T: Into<Bytes>> From<T> for MessageSource {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}
