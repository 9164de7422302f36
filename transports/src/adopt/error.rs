//! Why a descriptor was not adopted: [`AdoptError`].

use std::{io, os::fd::OwnedFd};

use sinew_reactor::RegisterError;

use super::DescriptorKind;

/// A descriptor was not adopted.
///
/// One that is not what was wanted is given back, untouched: another use may be found for it. After any other failure it has been
/// closed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The descriptor is something else.
    #[error("{wanted} is wanted, and this is {found}")]
    WrongKind {
        /// What it would have to be.
        wanted: &'static str,
        /// What it is.
        found: DescriptorKind,
        /// The descriptor.
        descriptor: OwnedFd,
    },
    /// The system, or an option that was asked for, refused.
    #[error("the descriptor cannot be used: {0}")]
    System(#[from] io::Error),
    /// The engine cannot watch it.
    #[error("the engine cannot watch it: {0}")]
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
    /// What is given back is closed with it.
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::System(source) => source,
            AdoptError::Register(error) => error.into(),
            wrong @ AdoptError::WrongKind { .. } => Self::new(io::ErrorKind::InvalidInput, wrong),
        }
    }
}
