//! Replaces `tls.rs` without the feature `tls`: STARTTLS fails.

use sinew_transports::Transport;

use super::XmppError;

#[derive(Clone, Debug, Default)]
pub(super) struct Tls(());

#[allow(clippy::unused_self, reason = "as in `tls.rs`")]
impl Tls {
    pub(super) fn start(&self, _: &Transport, _: &str) -> Result<(), XmppError> {
        let reason = "sinew-chat was built without the feature `tls`".to_owned();
        Err(XmppError::Tls { reason })
    }
}
