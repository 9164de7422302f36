//! A closure as a checker: [`check_by`].

use std::fmt;

use sinew_transports::reactor::{Deferred, Reactor};

use crate::{Ability, AuthError, Checker, Credentials, Identity};

/// A closure that checks credentials; from [`check_by`].
#[derive(Clone)]
pub struct CheckBy<F> {
    check: F,
    abilities: Vec<Ability>,
}

/// A checker of a closure. It checks passwords, unless [`CheckBy::can`] says otherwise.
///
/// # Examples
///
/// ```
/// use sinew_auth::{Ability, AuthError, Credentials, Identity, check_by};
/// use sinew_transports::reactor::{Deferred, Reactor};
///
/// let tokens = check_by(|reactor: &Reactor, credentials| match credentials {
///     Credentials::Token { token, .. } if token.is(b"dGhlIHRva2Vu") => {
///         Deferred::ready_on(reactor, Identity::new("ann"))
///     }
///     _ => Deferred::failed_on(reactor, AuthError::Refused),
/// })
/// .can([Ability::CheckToken]);
/// # drop(tokens);
/// ```
pub fn check_by<F>(check: F) -> CheckBy<F>
where
    F: Fn(&Reactor, Credentials) -> Deferred<Identity, AuthError> + 'static,
{
    CheckBy { check, abilities: vec![Ability::CheckPassword] }
}

impl<F> CheckBy<F> {
    /// What the closure can check. Default: passwords.
    #[must_use]
    pub fn can(self, abilities: impl IntoIterator<Item = Ability>) -> Self {
        Self { abilities: abilities.into_iter().collect(), ..self }
    }
}

impl<F> Checker for CheckBy<F>
where
    F: Fn(&Reactor, Credentials) -> Deferred<Identity, AuthError> + 'static,
{
    fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
        (self.check)(reactor, credentials)
    }

    fn can(&self, ability: Ability) -> bool {
        self.abilities.contains(&ability)
    }
}

impl<F> fmt::Debug for CheckBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckBy").field("abilities", &self.abilities).finish_non_exhaustive()
    }
}
