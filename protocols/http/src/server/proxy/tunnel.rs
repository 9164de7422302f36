//! Two connections joined by a relay: [`Tunnel`], after an upgrade or CONNECT.

use std::time::Duration;

use sinew_transports::{Protocol, Transport, reactor::Excerpt};

/// Default idle timeout of a tunnel.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// The protocol of the client's connection, which starts the relay at once.
pub(super) struct Tunnel<F, K> {
    /// The other connection, and what lives as long as the tunnel.
    other: Option<(F, K)>,
    idle_timeout: Duration,
}

impl<F: FnOnce() -> Transport + 'static, K: 'static> Tunnel<F, K> {
    pub(super) const fn new(other: F, keep: K, idle_timeout: Duration) -> Self {
        Self { other: Some((other, keep)), idle_timeout }
    }
}

impl<F: FnOnce() -> Transport + 'static, K: 'static> Protocol for Tunnel<F, K> {
    fn connection_made(&mut self, transport: &Transport) {
        let Some((other, keep)) = self.other.take() else { return };
        let other = other();
        let peer = transport.peer();
        match transport.relay(&other) {
            Ok(relayed) => {
                // Bytes in either direction count for both.
                transport.set_idle_timeout(self.idle_timeout);
                relayed.then(move |_, relayed| {
                    drop(keep);
                    if let Ok(bytes) = relayed {
                        let (sent, received) = (bytes.to_other, bytes.from_other);
                        tracing::debug!(%peer, sent, received, "a tunnel is closed");
                    }
                });
            }
            Err(error) => {
                let peer = peer.to_string();
                tracing::debug!(peer = %Excerpt::new(&peer), %error, "a tunnel could not be made");
                other.abort();
                transport.lose_connection();
            }
        }
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        // The relay delivers it.
    }
}
