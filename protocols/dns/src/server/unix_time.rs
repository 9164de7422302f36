//! The time of signatures, cookies and stored zones: [`unix_time`].

use std::time::UNIX_EPOCH;

use sinew_transports::reactor::Reactor;

/// Seconds since 1970.
pub(super) fn unix_time(reactor: &Reactor) -> u64 {
    reactor.wall_clock().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
