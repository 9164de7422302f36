//! Replaces `server.rs` without the feature `tls`: TLS is not offered.

use sinew_transports::Transport;

#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTls(());

#[allow(clippy::unused_self, reason = "as in `server.rs`")]
impl ServerTls {
    pub(crate) fn is_offered(&self) -> bool {
        false
    }

    pub(crate) fn start(&self, transport: &Transport) {
        transport.fail("TLS was started without the feature `tls`");
    }
}
