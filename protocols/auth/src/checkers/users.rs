//! Users and passwords in memory: [`Users`].

use std::{collections::HashMap, fmt};

use sinew_transports::reactor::{Deferred, Reactor};

use crate::{Ability, AuthError, Checker, Credentials, Form, Identity, Secret, Stored};

/// Users and passwords in memory, for every mechanism but tokens. Passwords are compared in constant time.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
///
/// let users = Users::new().user("ann", "secret").user("bob", "hunter2");
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Users {
    passwords: HashMap<String, Secret>,
}

impl Users {
    /// No users.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.passwords.insert(name.into(), password.into());
        self
    }
}

impl Checker for Users {
    fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
        let (user, is_right) = match credentials {
            Credentials::Password { user, password } => {
                // An unknown user takes as long as a known one.
                let unknown = Secret::from("no user has this password");
                let known = self.passwords.get(&user);
                let is_right = known.unwrap_or(&unknown).is(password.bytes()) & known.is_some();
                (user, is_right)
            }
            Credentials::External { name } => {
                let is_known = self.passwords.contains_key(&name);
                (name, is_known)
            }
            Credentials::Token { .. } => (String::new(), false),
        };
        match is_right {
            true => Deferred::ready_on(reactor, Identity::new(user)),
            false => Deferred::failed_on(reactor, AuthError::Refused),
        }
    }

    fn can(&self, ability: Ability) -> bool {
        ability != Ability::CheckToken
    }

    fn stored(
        &self,
        reactor: &Reactor,
        user: &str,
        _: Form,
    ) -> Deferred<Option<Stored>, AuthError> {
        Deferred::ready_on(reactor, self.passwords.get(user).cloned().map(Stored::Password))
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("users", &self.passwords.len()).finish_non_exhaustive()
    }
}
