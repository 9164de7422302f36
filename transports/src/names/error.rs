//! Why a name could not be looked up: [`ResolveError`], and the check that is made before anybody is asked.

use std::{io, sync::Arc};

use sinew_reactor::{Excerpt, Failure};

/// A name could not be looked up.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// There is such a name, but it has no address.
    #[error("the name has no address")]
    NoAddress,
    /// No name can look like that.
    #[error("this can be no name: {0}")]
    BadName(String),
    /// The system said no, or has no such interface. It seldom tells an unknown name from a failure.
    #[error("{0}")]
    System(#[source] Arc<io::Error>),
    /// It was cancelled, or the reactor ended first.
    #[error("the lookup was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(ResolveError);

/// The longest name, without the dot that may end it: 255 bytes on the wire (RFC 1035, section 2.3.4).
pub(super) const NAME_LEN_MAX: usize = 253;

/// No resolver is asked for what is longer than a name can be.
pub(super) fn check_len(host: &str) -> Result<(), ResolveError> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if name.len() > NAME_LEN_MAX { Err(too_long(host)) } else { Ok(()) }
}

pub(super) fn too_long(host: &str) -> ResolveError {
    ResolveError::BadName(format!("{:?} is longer than {NAME_LEN_MAX} bytes", Excerpt::new(host)))
}
