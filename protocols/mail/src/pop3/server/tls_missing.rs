//! Replaces `tls.rs` without the feature `tls`: STLS is not offered.

use sinew_transports::Transport;

#[derive(Clone, Debug, Default)]
pub(super) struct Stls(());

#[allow(clippy::unused_self, reason = "as in `tls.rs`")]
impl Stls {
    pub(super) fn is_offered(&self) -> bool {
        false
    }

    pub(super) fn start(&self, transport: &Transport) {
        transport.fail("TLS was started without the feature `tls`");
    }
}
