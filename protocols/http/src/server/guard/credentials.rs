//! Password checks: the trait [`Credentials`], and [`Users`], which keeps users in memory. The fields of requests are parsed in
//! `basic.rs` and `digest.rs`.

use std::{collections::HashMap, fmt, hint::black_box};

use sinew_transports::reactor::{Deferred, Reactor};

use crate::codec::DigestAlgorithm;

/// Checks passwords, for a [`Guard`](super::Guard). It may answer later: a slow hash belongs on a thread
/// ([`Reactor::defer_to_thread`]).
///
/// # Examples
///
/// ```
/// use sinew_http::server::Credentials;
/// use sinew_transports::reactor::{Deferred, Reactor};
///
/// /// One user, whose password is in a slow database.
/// struct Database;
///
/// impl Credentials for Database {
///     fn check(&self, reactor: &Reactor, user: &str, password: &[u8]) -> Deferred<bool> {
///         let (user, password) = (user.to_owned(), password.to_owned());
///         reactor.defer_to_thread(move || user == "ann" && password == b"secret")
///     }
/// }
/// ```
pub trait Credentials: 'static {
    /// Whether this is the user's password. For Basic.
    fn check(&self, reactor: &Reactor, user: &str, password: &[u8]) -> Deferred<bool>;

    /// The [secret](DigestAlgorithm::secret) of a user, for Digest; `None` if there is no such user. By default there is none: a
    /// password that is stored as a hash of another kind cannot be used with Digest.
    fn digest_secret(
        &self,
        reactor: &Reactor,
        user: &str,
        realm: &str,
        algorithm: DigestAlgorithm,
    ) -> Deferred<Option<String>> {
        let _ = (user, realm, algorithm);
        Deferred::ready_on(reactor, None)
    }
}

/// Users and passwords in memory, for Basic and Digest. Passwords are compared in constant time.
///
/// # Examples
///
/// ```
/// use sinew_http::server::Users;
///
/// let users = Users::new().user("ann", "secret").user("bob", "hunter2");
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Users {
    passwords: HashMap<String, Vec<u8>>,
}

impl Users {
    /// No users.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.passwords.insert(name.into(), password.into());
        self
    }
}

impl Credentials for Users {
    fn check(&self, reactor: &Reactor, user: &str, password: &[u8]) -> Deferred<bool> {
        // An unknown user takes as long as a known one.
        let (is_known, known) = match self.passwords.get(user) {
            Some(known) => (true, known.as_slice()),
            None => (false, &b"no user has this password"[..]),
        };
        Deferred::ready_on(reactor, is_known & is_equal(known, password))
    }

    fn digest_secret(
        &self,
        reactor: &Reactor,
        user: &str,
        realm: &str,
        algorithm: DigestAlgorithm,
    ) -> Deferred<Option<String>> {
        let password = self.passwords.get(user);
        let secret = password.map(|password| algorithm.secret(user, realm, password));
        Deferred::ready_on(reactor, secret)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("users", &self.passwords.len()).finish_non_exhaustive()
    }
}

/// Compares in a time that depends on the length of `given` only.
pub(super) fn is_equal(known: &[u8], given: &[u8]) -> bool {
    let mut differs = u8::from(known.len() != given.len());
    for (at, byte) in given.iter().enumerate() {
        differs |= byte ^ known[at % known.len().max(1)..].first().copied().unwrap_or(0);
    }
    black_box(differs) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_compared_whole() {
        for (known, given, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "", false),
            ("", "a", false),
            ("ab", "abab", false),
            ("abc", "abd", false),
        ] {
            assert_eq!(is_equal(known.as_bytes(), given.as_bytes()), expected, "{known} {given}");
        }
    }
}
