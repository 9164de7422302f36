//! Replaces `client.rs` without the feature `tls`: TLS cannot be started.

use sinew_transports::AsyncStream;

#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls(());

#[allow(clippy::unused_self, clippy::unused_async, reason = "as in `client.rs`")]
impl ClientTls {
    pub(crate) async fn start(&self, _: &mut AsyncStream, _: &str) -> Result<(), String> {
        Err("sinew-mail was built without the feature `tls`".to_owned())
    }
}
