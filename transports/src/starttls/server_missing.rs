//! Replaces `server.rs` without the feature `tls`: TLS is not offered.

use std::io;

use crate::{AsyncStream, Transport};

/// Without the feature `tls`, a server that does not offer TLS.
#[derive(Clone, Debug, Default)]
pub struct ServerTls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `server.rs`")]
impl ServerTls {
    /// No.
    #[must_use]
    pub fn is_offered(&self) -> bool {
        false
    }

    /// Lets the connection fail.
    pub fn start(&self, transport: &Transport) {
        transport.fail(MISSING);
    }

    /// Fails.
    ///
    /// # Errors
    ///
    /// The feature `tls` is off.
    pub async fn start_in(&self, _: &mut AsyncStream) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, MISSING))
    }
}

const MISSING: &str = "TLS was started without the feature `tls`";
