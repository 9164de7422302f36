//! The limit on open descriptors, which limits the connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors reserved for everything that is not a connection.
const SPARE: u64 = 100;

/// Raises the soft limit to the hard one, for this process and its children, and returns how many
/// connections fit under it.
#[must_use]
pub fn connections_allowed() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    // `None` means unlimited.
    limit.map_or(usize::MAX, |limit| limit.saturating_sub(SPARE) as usize)
}
