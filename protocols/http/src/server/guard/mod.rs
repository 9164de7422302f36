//! Authentication: [`Guard`], a layer that requires a login by Basic (RFC 7617) or Digest (RFC 7616). Passwords are checked
//! in `credentials.rs` and `htpasswd.rs`.

mod basic;
mod credentials;
mod digest;
mod htpasswd;
mod nonces;
mod password_hash;

use std::{fmt, rc::Rc, time::Duration};

use http::StatusCode;
use sinew_transports::reactor::{Failure, Reactor};

use self::{
    basic::Basic,
    digest::{Digest, Presented, Verdict},
};
pub use self::{
    credentials::{Credentials, Users},
    htpasswd::{Htpasswd, HtpasswdError},
};
use super::{Handler, Reply, Request, Response};
use crate::codec::{DigestAlgorithm, FieldError};

/// The authenticated user. [`Request::find`] returns it behind a [`Guard`], and the access log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedUser(pub String);

/// A layer that rejects requests without a valid login, according to its [`Credentials`].
///
/// With Basic, everything on the path can read the password unless the connection is encrypted: use it over TLS only. With Digest
/// it cannot, but Digest needs credentials with the password or a [secret](DigestAlgorithm::secret) made of it, not a slow hash.
///
/// A nonce of Digest is used for five minutes, and each of its counts once, so a recorded request cannot be replayed. A client
/// whose nonce is too old gets another (`stale=true`), and does not ask its user again.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{AuthenticatedUser, Guard, Request, Users, answer};
///
/// let hello = answer(|request: &Request| match request.find::<AuthenticatedUser>() {
///     Some(user) => format!("hello {}\n", user.0),
///     None => "hello\n".to_owned(),
/// });
/// let private = Guard::digest("the vault", Users::new().user("ann", "secret"), hello)?;
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[must_use]
pub struct Guard<C, H> {
    policy: Rc<Policy<C>>,
    inner: Rc<H>,
}

struct Policy<C> {
    realm: String,
    credentials: C,
    is_basic: bool,
    digest: Option<Digest>,
    is_proxy: bool,
}

impl<C: Credentials, H: Handler> Guard<C, H> {
    /// Basic authentication. Browsers show the realm when they ask for a password.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the realm contains a quotation mark, a backslash or a byte that is not allowed in fields.
    pub fn basic(realm: &str, credentials: C, inner: H) -> Result<Self, FieldError> {
        Self::new(realm, credentials, inner, true, None)
    }

    /// Digest authentication, with SHA-256 for clients that support it, and MD5 for others. Python's urllib fails unless MD5 is the
    /// first of the [algorithms](Self::algorithms).
    ///
    /// # Errors
    ///
    /// As [`basic`](Self::basic).
    pub fn digest(realm: &str, credentials: C, inner: H) -> Result<Self, FieldError> {
        Self::new(realm, credentials, inner, false, Some(Digest::new()))
    }

    fn new(
        realm: &str,
        credentials: C,
        inner: H,
        is_basic: bool,
        digest: Option<Digest>,
    ) -> Result<Self, FieldError> {
        let name = || "WWW-Authenticate".to_owned();
        if let Some(byte) = realm.bytes().find(|byte| matches!(byte, b'"' | b'\\')) {
            return Err(FieldError::Value { name: name(), byte });
        }
        Response::new(StatusCode::UNAUTHORIZED).append(&name(), realm)?;
        let policy =
            Policy { realm: realm.to_owned(), credentials, is_basic, digest, is_proxy: false };
        Ok(Self { policy: Rc::new(policy), inner: Rc::new(inner) })
    }

    fn change(mut self, change: impl FnOnce(&mut Policy<C>)) -> Self {
        // There is no other handle to it before the first request.
        if let Some(policy) = Rc::get_mut(&mut self.policy) {
            change(policy);
        }
        self
    }

    /// Offers Basic too, for clients without Digest. An attacker who can change traffic can learn passwords then.
    pub fn and_basic(self) -> Self {
        self.change(|policy| policy.is_basic = true)
    }

    /// Responds like a proxy: with 407 and the fields `Proxy-Authenticate` and `Proxy-Authorization` (RFC 9110 11.7).
    pub fn for_proxy(self) -> Self {
        self.change(|policy| policy.is_proxy = true)
    }

    /// The hash functions of Digest, the best one first. Default: SHA-256, then MD5.
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = DigestAlgorithm>) -> Self {
        let algorithms = algorithms.into_iter().collect();
        self.change(|policy| {
            if let Some(digest) = &mut policy.digest {
                digest.algorithms = algorithms;
            }
        })
    }

    /// Lifetime of a Digest nonce. Default 5 minutes.
    pub fn nonce_lifetime(self, lifetime: Duration) -> Self {
        self.change(|policy| {
            if let Some(digest) = &mut policy.digest {
                digest.nonce_lifetime = lifetime;
            }
        })
    }
}

impl<C: Credentials, H: Handler> Handler for Guard<C, H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (policy, inner) = (Rc::clone(&self.policy), Rc::clone(&self.inner));
        match self.policy.presented(&request) {
            Some(Credential::Basic(basic)) => {
                let reactor = request.reactor();
                let checked = policy.credentials.check(&reactor, &basic.user, &basic.password);
                checked.then(move |reactor, checked| match checked {
                    Ok(true) => let_in(&*inner, basic.user, request, reply),
                    Ok(false) => policy.refuse(reactor, reply, false),
                    Err(error) => failed(reply, &error),
                });
            }
            Some(Credential::Digest(digest)) => {
                let reactor = request.reactor();
                let secret = policy.credentials.digest_secret(
                    &reactor,
                    &digest.user,
                    &policy.realm,
                    digest.algorithm,
                );
                secret.then(move |reactor, secret| match secret {
                    Ok(secret) => match policy.judge(reactor, &request, &digest, secret.as_deref())
                    {
                        Verdict::Accepted => let_in(&*inner, digest.user, request, reply),
                        Verdict::Refused => policy.refuse(reactor, reply, false),
                        Verdict::Stale => policy.refuse(reactor, reply, true),
                    },
                    Err(error) => failed(reply, &error),
                });
            }
            None => policy.refuse(&request.reactor(), reply, false),
        }
    }
}

/// The credentials of a request, by scheme.
enum Credential {
    Basic(Basic),
    Digest(Presented),
}

impl<C> Policy<C> {
    /// The credentials, if their scheme is offered.
    fn presented(&self, request: &Request) -> Option<Credential> {
        let name = if self.is_proxy { "proxy-authorization" } else { "authorization" };
        let mut fields = request.fields().all(name);
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        let (scheme, rest) = std::str::from_utf8(field).ok()?.split_once(' ')?;
        let rest = rest.trim();
        if self.is_basic && scheme.eq_ignore_ascii_case("basic") {
            return Basic::parse(rest).map(Credential::Basic);
        }
        let digest = self.digest.as_ref().filter(|_| scheme.eq_ignore_ascii_case("digest"))?;
        let presented = Presented::parse(rest, &self.realm, request)?;
        digest.algorithms.contains(&presented.algorithm).then_some(Credential::Digest(presented))
    }

    fn judge(
        &self,
        reactor: &Reactor,
        request: &Request,
        presented: &Presented,
        secret: Option<&str>,
    ) -> Verdict {
        match &self.digest {
            Some(digest) => digest.judge(reactor, request, presented, secret),
            None => Verdict::Refused,
        }
    }

    fn refuse(&self, reactor: &Reactor, reply: Reply, is_stale: bool) {
        reply.send(self.challenge(reactor, is_stale));
    }

    fn challenge(&self, reactor: &Reactor, is_stale: bool) -> Result<Response, FieldError> {
        let (status, field) = match self.is_proxy {
            false => (StatusCode::UNAUTHORIZED, "WWW-Authenticate"),
            true => (StatusCode::PROXY_AUTHENTICATION_REQUIRED, "Proxy-Authenticate"),
        };
        let mut response = Response::new(status);
        if let Some(digest) = &self.digest {
            match digest.challenges(reactor, &self.realm, is_stale) {
                Ok(challenges) => {
                    for challenge in challenges {
                        response.append(field, challenge)?;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the system gives no random bytes");
                    return Ok(Response::new(StatusCode::INTERNAL_SERVER_ERROR));
                }
            }
        }
        if self.is_basic {
            let basic = format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.realm);
            response.append(field, basic)?;
        }
        Ok(response)
    }
}

fn let_in(inner: &impl Handler, user: String, request: Request, reply: Reply) {
    if !reply.is_gone() {
        request.put(AuthenticatedUser(user));
        inner.handle(request, reply);
    }
}

fn failed(reply: Reply, error: &Failure) {
    tracing::error!(%error, "a password could not be checked");
    reply.send(match error {
        Failure::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    });
}

impl<C: fmt::Debug, H> fmt::Debug for Guard<C, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("realm", &self.policy.realm)
            .field("credentials", &self.policy.credentials)
            .finish_non_exhaustive()
    }
}
