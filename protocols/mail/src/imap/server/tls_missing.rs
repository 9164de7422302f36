//! Replaces `tls.rs` without the feature `tls`: STARTTLS is not offered.

use sinew_transports::Transport;

#[derive(Clone, Debug, Default)]
pub(super) struct StartTls(());

#[allow(clippy::unused_self, reason = "as in `tls.rs`")]
impl StartTls {
    pub(super) fn is_offered(&self) -> bool {
        false
    }

    pub(super) fn start(&self, transport: &Transport) {
        transport.fail("TLS was started without the feature `tls`");
    }
}
