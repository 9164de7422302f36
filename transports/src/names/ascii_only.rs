//! Names in other scripts than ASCII, where the feature `idna` is not there: they are refused.

use super::ResolveError;

pub(super) fn to_ascii(host: &str) -> Result<String, ResolveError> {
    let why = format!("{host:?} is not in ASCII, and the feature `idna` is not compiled in");
    Err(ResolveError::BadName(why))
}
