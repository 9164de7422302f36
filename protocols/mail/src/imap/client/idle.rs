//! As long as it lives, the connection idles: [`Idle`].

use std::fmt;

use super::ImapClient;

/// From [`ImapClient::idle`]. Dropping it ends IDLE, if it is the last one.
#[must_use = "dropping it ends IDLE"]
pub struct Idle {
    client: ImapClient,
    /// How often IDLE had been refused when it was made.
    refusals: u64,
}

impl Idle {
    pub(super) fn new(client: ImapClient) -> Self {
        let wanted = &client.shared().idle_wanted;
        wanted.set(wanted.get() + 1);
        client.shared().wake_writer();
        let refusals = client.shared().idle_refusals.get();
        Self { client, refusals }
    }

    /// Whether the server has accepted it, and nothing else is being done.
    #[must_use]
    pub fn is_idling(&self) -> bool {
        self.client.shared().is_idling.get()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if self.refusals != self.client.shared().idle_refusals.get() {
            // It does not count any more, and others that do may be there.
            return;
        }
        let wanted = &self.client.shared().idle_wanted;
        wanted.set(wanted.get().saturating_sub(1));
        self.client.shared().wake_writer();
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("is_idling", &self.is_idling()).finish_non_exhaustive()
    }
}
