//! Names in other scripts than ASCII, where the feature `idna` is not there: they are refused.

use sinew_reactor::Excerpt;

use super::ResolveError;

pub(super) fn to_ascii(host: &str) -> Result<String, ResolveError> {
    let shown = Excerpt::new(host);
    let why = format!("{shown:?} is not in ASCII, and the feature `idna` is not compiled in");
    Err(ResolveError::BadName(why))
}
