//! Replaces `tls.rs` without the feature `tls`: STARTTLS fails.

use sinew_transports::AsyncStream;

use super::NewsError;

#[derive(Clone, Debug, Default)]
pub(super) struct Tls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) async fn start(&self, _: &mut AsyncStream, _: &str) -> Result<(), NewsError> {
        Err(NewsError::Tls { reason: "sinew-news was built without the feature `tls`".to_owned() })
    }
}
