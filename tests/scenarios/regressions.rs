//! Seeds with which a scenario has failed. Not swept.

use sinew::transports::sim::Network;

use super::talking::resets_kills_and_power_cuts;

/// A reset that was lost left the other side waiting for ever.
#[test]
fn what_is_answered_by_a_lost_reset_comes_again() {
    resets_kills_and_power_cuts(&Network::new(523));
}
