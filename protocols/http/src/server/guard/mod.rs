//! Authentication: [`Guard`], a layer that requires a login by Basic (RFC 7617) or Digest (RFC 7616). Passwords are checked
//! in `sinew-auth`.

mod basic;
mod digest;
mod nonces;

use std::{fmt, rc::Rc, time::Duration};

use http::StatusCode;
use sinew_auth::{AuthError, Authenticator, Channel, Credentials, Form, Stored};
use sinew_transports::reactor::{Failure, Reactor};

use self::{
    basic::Basic,
    digest::{Digest, Presented, Verdict},
};
use super::{Handler, Reply, Request, Response};
use crate::codec::{DigestAlgorithm, FieldError};

/// The authenticated user. [`Request::find`] returns it behind a [`Guard`], and the access log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedUser(pub String);

/// A layer that rejects requests without a valid login, according to a [`Checker`](sinew_auth::Checker) or an [`Authenticator`].
/// Wrong passwords are answered late, and after too many with 429 ([`FailureLimiter`](sinew_auth::FailureLimiter)).
///
/// With Basic, everything on the path can read the password unless the connection is encrypted: use it over TLS only. With Digest
/// it cannot, but Digest needs a checker with the password or a [secret](DigestAlgorithm::secret) made of it, not a slow hash.
///
/// A nonce of Digest is used for five minutes, and each of its counts once, so a recorded request cannot be replayed. A client
/// whose nonce is too old gets another (`stale=true`), and does not ask its user again.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_http::server::{AuthenticatedUser, Guard, Request, answer};
///
/// let hello = answer(|request: &Request| match request.find::<AuthenticatedUser>() {
///     Some(user) => format!("hello {}\n", user.0),
///     None => "hello\n".to_owned(),
/// });
/// let private = Guard::digest("the vault", Users::new().user("ann", "secret"), hello)?;
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[must_use]
pub struct Guard<H> {
    policy: Rc<Policy>,
    inner: Rc<H>,
}

struct Policy {
    realm: String,
    users: Authenticator,
    is_basic: bool,
    digest: Option<Digest>,
    is_proxy: bool,
}

impl<H: Handler> Guard<H> {
    /// Basic authentication. Browsers show the realm when they ask for a password.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the realm contains a quotation mark, a backslash or a byte that is not allowed in fields.
    pub fn basic(
        realm: &str,
        users: impl Into<Authenticator>,
        inner: H,
    ) -> Result<Self, FieldError> {
        Self::new(realm, users.into(), inner, true, None)
    }

    /// Digest authentication, with SHA-256 for clients that support it, and MD5 for others. Python's urllib fails unless MD5 is the
    /// first of the [algorithms](Self::algorithms).
    ///
    /// # Errors
    ///
    /// As [`basic`](Self::basic).
    pub fn digest(
        realm: &str,
        users: impl Into<Authenticator>,
        inner: H,
    ) -> Result<Self, FieldError> {
        Self::new(realm, users.into(), inner, false, Some(Digest::new()))
    }

    fn new(
        realm: &str,
        users: Authenticator,
        inner: H,
        is_basic: bool,
        digest: Option<Digest>,
    ) -> Result<Self, FieldError> {
        let name = || "WWW-Authenticate".to_owned();
        if let Some(byte) = realm.bytes().find(|byte| matches!(byte, b'"' | b'\\')) {
            return Err(FieldError::Value { name: name(), byte });
        }
        Response::new(StatusCode::UNAUTHORIZED).append(&name(), realm)?;
        let policy = Policy { realm: realm.to_owned(), users, is_basic, digest, is_proxy: false };
        Ok(Self { policy: Rc::new(policy), inner: Rc::new(inner) })
    }

    fn change(mut self, change: impl FnOnce(&mut Policy)) -> Self {
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

impl<H: Handler> Handler for Guard<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (policy, inner) = (Rc::clone(&self.policy), Rc::clone(&self.inner));
        let (reactor, channel) = (request.reactor(), channel(&request));
        match self.policy.presented(&request) {
            Some(Credential::Basic(basic)) => {
                let channel = channel.mechanism("Basic");
                let credentials = Credentials::password(basic.user, basic.password);
                let checked = policy.users.check(&reactor, &channel, credentials);
                checked.then(move |reactor, checked| match checked {
                    Ok(identity) => let_in(&*inner, identity.name(), request, reply),
                    Err(error) => policy.failed(reactor, reply, &error),
                });
            }
            Some(Credential::Digest(digest)) => {
                let channel = channel.mechanism("Digest");
                let (realm, algorithm) = (policy.realm.clone(), digest.algorithm.name());
                let form = Form::DigestSecret { realm, algorithm };
                let stored = policy.users.stored(&reactor, &channel, &digest.user, form);
                stored.then(move |reactor, stored| {
                    let secret = match stored {
                        Ok(stored) => stored.and_then(|stored| policy.secret(&digest, &stored)),
                        Err(error) => return policy.failed(reactor, reply, &error),
                    };
                    let verdict = policy.judge(reactor, &request, &digest, secret.as_deref());
                    let is_right = verdict != Verdict::Refused;
                    let judged = policy.users.judge(reactor, &channel, &digest.user, is_right);
                    judged.then(move |reactor, judged| match judged {
                        Ok(_) if verdict == Verdict::Stale => policy.refuse(reactor, reply, true),
                        Ok(identity) => let_in(&*inner, identity.name(), request, reply),
                        Err(error) => policy.failed(reactor, reply, &error),
                    });
                });
            }
            None => policy.refuse(&reactor, reply, false),
        }
    }
}

/// The connection of a request. Whether a password is asked for on one that is not encrypted is the choice of who uses Basic.
fn channel(request: &Request) -> Channel {
    let channel = Channel::new().service("http");
    match request.peer() {
        Some(peer) => channel.peer(&peer),
        None => channel,
    }
}

/// The credentials of a request, by scheme.
enum Credential {
    Basic(Basic),
    Digest(Presented),
}

impl Policy {
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

    /// The secret of Digest.
    fn secret(&self, presented: &Presented, stored: &Stored) -> Option<String> {
        match stored {
            Stored::Password(password) => {
                Some(presented.algorithm.secret(&presented.user, &self.realm, password.bytes()))
            }
            Stored::DigestSecret(secret) => String::from_utf8(secret.bytes().to_vec()).ok(),
            _ => None,
        }
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

    fn failed(&self, reactor: &Reactor, reply: Reply, error: &AuthError) {
        let status = match error {
            AuthError::Refused => return self.refuse(reactor, reply, false),
            AuthError::TooManyFailures { retry_after } => {
                let seconds = retry_after.as_secs() + 1;
                let response = Response::new(StatusCode::TOO_MANY_REQUESTS);
                return reply.send(response.with("Retry-After", seconds.to_string()));
            }
            AuthError::Unavailable(cause)
                if matches!(cause.downcast_ref(), Some(Failure::Overloaded { .. })) =>
            {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::error!(%error, "a password could not be checked");
        reply.send(status);
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

fn let_in(inner: &impl Handler, user: &str, request: Request, reply: Reply) {
    if !reply.is_gone() {
        request.put(AuthenticatedUser(user.to_owned()));
        inner.handle(request, reply);
    }
}

impl<H> fmt::Debug for Guard<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("realm", &self.policy.realm)
            .field("users", &self.policy.users)
            .finish_non_exhaustive()
    }
}
