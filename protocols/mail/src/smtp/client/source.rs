//! A message that is read as it is sent: [`MessageSource`].

use std::io;

use bytes::Bytes;

use crate::smtp::codec::MessageFacts;

/// A message of known length that is somewhere else than in memory, for [`SmtpClient::send_stream`](super::SmtpClient::send_stream).
///
/// What is known of it in advance is a promise: a message that turns out to be longer or shorter is not sent to its end.
#[allow(async_fn_in_trait, reason = "everything is on the thread of the reactor")]
pub trait MessageSource {
    /// Its length, and what it needs.
    fn facts(&self) -> MessageFacts;

    /// The next piece, `None` behind the last.
    ///
    /// # Errors
    ///
    /// The message cannot be read.
    async fn next(&mut self) -> io::Result<Option<Bytes>>;
}
