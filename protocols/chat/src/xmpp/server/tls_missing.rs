//! Replaces `tls.rs` without the feature `tls`: TLS is not offered.

use sinew_transports::Transport;

#[derive(Clone, Debug, Default)]
pub(super) struct Tls(());

#[allow(clippy::unused_self, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) fn is_offered(&self) -> bool {
        false
    }

    pub(super) fn start(&self, transport: &Transport) {
        transport.fail("TLS was started without the feature `tls`");
    }
}
