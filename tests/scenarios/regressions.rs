//! Regression tests: seeds with which a scenario failed. Not swept.

use sinew::sim::Network;

use super::{chat, forwarding, talking};

/// After a lost reset, the other side waited forever.
#[test]
fn segments_answered_by_a_lost_reset_are_retransmitted() {
    talking::resets_kills_and_power_cuts(&Network::new(523));
}

/// A tunnel stayed open whose origin had half-closed and then reset the connection: after EOF, the stream ignored
/// further errors.
#[test]
fn a_reset_after_the_end_ends_a_tunnel() {
    forwarding::resets(&Network::new(41));
}

/// A system waiting for a window update did not probe, and so did not notice that the other side was gone: its reset
/// was lost.
#[test]
fn a_blocked_sender_is_notified_of_a_closed_peer() {
    chat::partitions(&Network::new(170));
}
