//! Why a name could not be looked up: [`ResolveError`], and the check of its length.

use std::{io, sync::Arc};

use sinew_reactor::{Excerpt, Failure};

/// A name could not be looked up.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name does not exist.
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists, but has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The text cannot be a host name.
    #[error("invalid host name: {0}")]
    BadName(String),
    /// The system's resolver failed, or there is no such interface. Systems rarely distinguish unknown names from failures.
    #[error("{0}")]
    System(#[source] Arc<io::Error>),
    /// The lookup was cancelled, or the reactor ended first.
    #[error("the lookup was cancelled: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(ResolveError);

/// Longest name, without a trailing dot: 255 bytes on the wire (RFC 1035, section 2.3.4).
pub(super) const NAME_LEN_MAX: usize = 253;

/// Rejects names that are too long before any resolver is called.
pub(super) fn check_len(host: &str) -> Result<(), ResolveError> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > NAME_LEN_MAX { Err(too_long(host)) } else { Ok(()) }
}

pub(super) fn too_long(host: &str) -> ResolveError {
    ResolveError::BadName(format!("{:?} is longer than {NAME_LEN_MAX} bytes", Excerpt::new(host)))
}
