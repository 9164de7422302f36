//! Nonces of both ends: random numbers that nobody has seen before.

use data_encoding::HEXLOWER;

use crate::AuthError;

/// 144 random bits, in hexadecimal.
pub(crate) fn nonce() -> Result<String, AuthError> {
    let mut random = [0; 18];
    getrandom::fill(&mut random).map_err(|error| AuthError::Unavailable(error.into()))?;
    Ok(HEXLOWER.encode(&random))
}
