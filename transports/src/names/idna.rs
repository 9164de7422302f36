//! Internationalised host names, by the crate `idna` (UTS 46).

use sinew_reactor::Excerpt;

use super::ResolveError;

pub(super) fn to_ascii(host: &str) -> Result<String, ResolveError> {
    idna::domain_to_ascii(host).map_err(|_| {
        ResolveError::BadName(format!("{:?} has no ASCII form (UTS 46)", Excerpt::new(host)))
    })
}
