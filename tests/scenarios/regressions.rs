//! Seeds with which a scenario has failed. Not swept.

use sinew::sim::Network;

use super::{chat, forwarding, talking};

/// A reset that was lost left the other side waiting for ever.
#[test]
fn what_is_answered_by_a_lost_reset_comes_again() {
    talking::resets_kills_and_power_cuts(&Network::new(523));
}

/// A tunnel stayed for ever whose origin had ended its side, and then reset the connection: after the end of its input, a stream
/// did not look at what the system told it.
#[test]
fn a_reset_after_the_end_ends_a_tunnel() {
    forwarding::resets(&Network::new(41));
}

/// A system that waited for room did not ask again, and so never heard that the other side was gone: its reset was lost.
#[test]
fn who_waits_for_room_hears_that_nobody_is_there() {
    chat::partitions(&Network::new(170));
}
