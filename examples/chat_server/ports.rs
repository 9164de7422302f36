//! The limits of all ports.

use sinew::prelude::*;

/// Guests of a port.
const GUESTS_MAX: usize = 500;

/// What may be queued for a guest. Sending never blocks, so messages pile up for a guest who does not read. Past this limit the guest is
/// disconnected; the others are not affected.
pub(crate) const UNREAD_MAX: usize = 256 * 1024;

pub(crate) fn config() -> ListenConfig {
    let stream = StreamConfig::default().write_limit(UNREAD_MAX);
    ListenConfig::default().max_connections(GUESTS_MAX).stream(stream)
}
