//! What checks credentials: the trait [`Checker`], and what it is given. Declarations only; checkers are in `checkers/`.

use std::rc::Rc;

use sinew_transports::reactor::{Deferred, Reactor};

use crate::{AuthError, Identity, ScramHash, ScramKeys, Secret};

/// What a client has shown of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password, as it was sent. At most 1,024 bytes.
        password: Secret,
    },
    /// A bearer token of OAuth 2 (RFC 6750).
    Token {
        /// The name that came with it, if any.
        user: Option<String>,
        /// The token.
        token: Secret,
    },
    /// What the layer below has established, such as the owner of a certificate of TLS.
    External {
        /// The name that the connection stands for: [`Channel::external`](crate::Channel::external).
        name: String,
    },
}

impl Credentials {
    /// A name and a password.
    pub fn password(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Password { user: user.into(), password: password.into() }
    }

    /// The name of the user, if it is known before the check.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Password { user, .. } => Some(user),
            Self::Token { user, .. } => user.as_deref(),
            Self::External { name } => Some(name),
        }
    }
}

/// What a [`Checker`] can do. Mechanisms are offered accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ability {
    /// Check [`Credentials::Password`].
    CheckPassword,
    /// Check [`Credentials::Token`].
    CheckToken,
    /// Check [`Credentials::External`].
    CheckExternal,
    /// Tell the [keys of SCRAM](Stored::ScramKeys) with this hash, for some users at least.
    TellScramKeys(ScramHash),
    /// Tell the [password](Stored::Password) itself.
    TellPassword,
}

/// Which form of a user's secret a mechanism needs, when the password itself is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// [`Stored::Password`].
    Password,
    /// [`Stored::ScramKeys`], for this hash.
    ScramKeys(ScramHash),
    /// [`Stored::DigestSecret`], of HTTP's Digest.
    DigestSecret {
        /// The realm.
        realm: String,
        /// The algorithm, by its name in RFC 7616: `MD5` or `SHA-256`.
        algorithm: &'static str,
    },
}

/// What is stored of a user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Stored {
    /// The password itself. It answers for every other form, which is derived from it.
    Password(Secret),
    /// The keys of SCRAM.
    ScramKeys(ScramKeys),
    /// The hash of user, realm and password of HTTP's Digest (RFC 7616 3.4.2), in hexadecimal.
    DigestSecret(Secret),
}

/// Checks credentials. Called by the event loop, but for [`can`](Self::can). It may answer later: a slow hash belongs on a thread ([`Reactor::defer_to_thread`]), a question to a server
/// into a connection.
///
/// Checkers are given to an [`Authenticator`](crate::Authenticator), which delays and bounds failures. Neither the answer nor its
/// time should tell whether a user exists. It has to answer at some time: until then, the check
/// [counts as a failure](crate::FailureLimiter).
///
/// # Examples
///
/// ```
/// use sinew_auth::{AuthError, Checker, Credentials, Identity};
/// use sinew_transports::reactor::{Deferred, Reactor};
///
/// /// One user, whose password is in a slow database.
/// struct Database;
///
/// impl Checker for Database {
///     fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
///         let found = reactor.defer_to_thread(move || match credentials {
///             Credentials::Password { user, password } => user == "ann" && password.is(b"secret"),
///             _ => false,
///         });
///         found.map(|is_right| if is_right? { Ok(Identity::new("ann")) } else { Err(AuthError::Refused) })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not check credentials",
    label = "not a `Checker`",
    note = "use `Users`, `PasswordFile` or `Program`, a closure through `check_by`, or implement `Checker`"
)]
pub trait Checker: 'static {
    /// Checks credentials. [`AuthError::Refused`] for wrong ones, and for those of a kind that it does not know.
    fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError>;

    /// Whether it can do this. By default it checks passwords, and nothing else. Asked for each connection, within the call of
    /// [`Authenticator::mechanisms`](crate::Authenticator::mechanisms) or [`SaslServer::start`](crate::SaslServer::start).
    fn can(&self, ability: Ability) -> bool {
        ability == Ability::CheckPassword
    }

    /// What is stored of a user in this form, or the password in its place; `None` if there is no such user, or nothing in this
    /// form. By default always `None`.
    fn stored(
        &self,
        reactor: &Reactor,
        user: &str,
        form: Form,
    ) -> Deferred<Option<Stored>, AuthError> {
        let _ = (user, form);
        Deferred::ready_on(reactor, None)
    }
}

macro_rules! forward_checker {
    ($($pointer:ty),+) => {$(
        impl<C: Checker + ?Sized> Checker for $pointer {
            fn check(&self, reactor: &Reactor, credentials: Credentials) -> Deferred<Identity, AuthError> {
                (**self).check(reactor, credentials)
            }

            fn can(&self, ability: Ability) -> bool {
                (**self).can(ability)
            }

            fn stored(
                &self,
                reactor: &Reactor,
                user: &str,
                form: Form,
            ) -> Deferred<Option<Stored>, AuthError> {
                (**self).stored(reactor, user, form)
            }
        }
    )+};
}

forward_checker!(Rc<C>, Box<C>);
