//! Replaces `tls.rs` without the feature `tls`: STLS fails.

use sinew_transports::AsyncStream;

use super::Pop3Error;

#[derive(Clone, Debug, Default)]
pub(super) struct Tls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) async fn start(&self, _: &mut AsyncStream, _: &str) -> Result<(), Pop3Error> {
        Err(Pop3Error::Tls { reason: "sinew-mail was built without the feature `tls`".to_owned() })
    }
}
