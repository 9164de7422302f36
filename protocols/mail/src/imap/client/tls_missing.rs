//! Replaces `tls.rs` without the feature `tls`: STARTTLS fails.

use sinew_transports::AsyncStream;

use super::ImapError;

#[derive(Clone, Debug, Default)]
pub(super) struct Tls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) async fn start(&self, _: &mut AsyncStream, _: &str) -> Result<(), ImapError> {
        Err(ImapError::Tls { reason: "sinew-mail was built without the feature `tls`".to_owned() })
    }
}
