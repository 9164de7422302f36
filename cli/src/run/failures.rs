//! From errors of services and reactors to failures with an exit code.

use std::{error::Error, io};

use sinew::{
    application::StartError,
    transports::reactors::{ShardError, ShardFailure},
};

use crate::exit::{Code, Failure};

/// A service did not start.
pub(super) fn start_failure(error: &StartError) -> Failure {
    Failure::new(code_of(error), error.to_string())
}

/// A reactor did not start, or failed.
pub(super) fn shard_failure(failure: &ShardFailure) -> Failure {
    match &failure.error {
        // The closure that made the services says enough.
        ShardError::Setup(error) => Failure::new(code_of(&**error), error.to_string()),
        ShardError::Build(error) => Failure::new(Code::System, error.to_string()),
        ShardError::Panicked(_) => Failure::new(Code::Software, failure.to_string()),
        _ => Failure::new(Code::System, failure.to_string()),
    }
}

/// The code for an error, by the error of the system that caused it.
fn code_of(error: &(dyn Error + 'static)) -> Code {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::PermissionDenied => Code::Permission,
                io::ErrorKind::OutOfMemory => Code::System,
                _ => Code::Unavailable,
            };
        }
        cause = error.source();
    }
    Code::Unavailable
}
