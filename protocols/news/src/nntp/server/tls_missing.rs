//! Replaces `tls.rs` without the feature `tls`: STARTTLS is not offered.

use std::io;

use sinew_transports::AsyncStream;

#[derive(Clone, Debug, Default)]
pub(super) struct StartTls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `tls.rs`")]
impl StartTls {
    pub(super) fn is_offered(&self) -> bool {
        false
    }

    pub(super) async fn start(&self, _: &mut AsyncStream) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
