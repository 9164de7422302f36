//! Host names outside ASCII, without the feature `idna`: they are refused.

use sinew_reactor::Excerpt;

use super::ResolveError;

pub(super) fn to_ascii(host: &str) -> Result<String, ResolveError> {
    let shown = Excerpt::new(host);
    let why = format!("{shown:?} is not ASCII, and the feature `idna` is not enabled");
    Err(ResolveError::BadName(why))
}
