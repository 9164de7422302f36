//! Errors of adopting a descriptor: [`AdoptError`].

use std::{io, os::fd::OwnedFd};

use sinew_reactor::RegisterError;

use super::DescriptorKind;

/// A descriptor was not adopted.
///
/// A descriptor of the wrong kind is given back unchanged, for another use. After any other failure it has been
/// closed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The descriptor is of another kind.
    #[error("expected {wanted}, but the descriptor is {found}")]
    WrongKind {
        /// The kind that is needed.
        wanted: &'static str,
        /// The kind that it is.
        found: DescriptorKind,
        /// The descriptor.
        descriptor: OwnedFd,
    },
    /// The system, or a configured option, refused.
    #[error("could not use the descriptor: {0}")]
    System(#[from] io::Error),
    /// The engine could not register it.
    #[error("could not register with the engine: {0}")]
    Register(#[from] RegisterError),
}

sinew_reactor::error_debug!(AdoptError);

impl AdoptError {
    /// The descriptor, if it is given back.
    #[must_use]
    pub fn into_descriptor(self) -> Option<OwnedFd> {
        match self {
            Self::WrongKind { descriptor, .. } => Some(descriptor),
            Self::System(_) | Self::Register(_) => None,
        }
    }
}

impl From<AdoptError> for io::Error {
    /// A descriptor that is given back is closed.
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::System(source) => source,
            AdoptError::Register(error) => error.into(),
            wrong @ AdoptError::WrongKind { .. } => Self::new(io::ErrorKind::InvalidInput, wrong),
        }
    }
}
