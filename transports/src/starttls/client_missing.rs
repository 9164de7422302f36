//! Replaces `client.rs` without the feature `tls`: TLS cannot be started.

use std::io;

use crate::{AsyncStream, Transport};

/// Without the feature `tls`, a client that cannot start TLS.
#[derive(Clone, Debug, Default)]
pub struct ClientTls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `client.rs`")]
impl ClientTls {
    /// Fails.
    ///
    /// # Errors
    ///
    /// The feature `tls` is off.
    pub fn start(&self, _: &Transport, _: &str) -> io::Result<()> {
        Err(missing())
    }

    /// Fails.
    ///
    /// # Errors
    ///
    /// The feature `tls` is off.
    pub async fn start_in(&self, _: &mut AsyncStream, _: &str) -> io::Result<()> {
        Err(missing())
    }
}

fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "sinew was built without the feature `tls`")
}
