//! Basic authentication (RFC 7617): [`BasicAuth`], and its users: [`Credentials`].

use std::{collections::HashMap, fmt, hint::black_box, rc::Rc};

use http::StatusCode;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{Handler, Reply, Request, Response};
use crate::codec::FieldError;

/// Longest credentials that are decoded. Longer ones are rejected undecoded.
const CREDENTIALS_MAX: usize = 1_024;

/// Checks passwords. May respond later: a slow hash belongs in a thread
/// ([`Reactor::defer_to_thread`]).
pub trait Credentials: 'static {
    /// Whether this is the user's password.
    fn check(&self, reactor: &Reactor, user: &str, password: &[u8]) -> Deferred<bool>;
}

/// Users and passwords in memory. Passwords are compared in constant time.
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
            None => (false, &b"nobody has this one"[..]),
        };
        Deferred::ready_on(reactor, is_known & equal(known, password))
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("users", &self.passwords.len()).finish_non_exhaustive()
    }
}

/// The authenticated user. [`Request::find`] returns it behind a [`BasicAuth`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticatedUser(pub String);

/// A layer that rejects requests without a valid user name and password. Without TLS, everything on the path can read both.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{AuthenticatedUser, BasicAuth, Request, Users, answer};
///
/// let hello = answer(|request: &Request| match request.find::<AuthenticatedUser>() {
///     Some(user) => format!("hello {}\n", user.0),
///     None => "hello\n".to_owned(),
/// });
/// let private = BasicAuth::new("the vault", Users::new().user("ann", "secret"), hello)?;
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct BasicAuth<C, H> {
    challenge: String,
    credentials: C,
    inner: Rc<H>,
}

impl<C: Credentials, H: Handler> BasicAuth<C, H> {
    /// Wraps a handler. Browsers show the realm when they ask for a password.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the realm contains a quotation mark, a backslash, or a character that is not allowed in fields.
    pub fn new(realm: &str, credentials: C, inner: H) -> Result<Self, FieldError> {
        if let Some(byte) = realm.bytes().find(|byte| matches!(byte, b'"' | b'\\')) {
            return Err(FieldError::Value { name: "WWW-Authenticate".to_owned(), byte });
        }
        let challenge = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        Response::new(StatusCode::UNAUTHORIZED).append("WWW-Authenticate", &challenge)?;
        Ok(Self { challenge, credentials, inner: Rc::new(inner) })
    }
}

impl<C: Credentials, H: Handler> Handler for BasicAuth<C, H> {
    fn handle(&self, request: Request, reply: Reply) {
        let challenge = self.challenge.clone();
        let refuse = move |reply: Reply| {
            reply.send(Response::new(StatusCode::UNAUTHORIZED).with("WWW-Authenticate", challenge));
        };
        let given = request.field("authorization").and_then(given);
        let Some((user, password)) = given else { return refuse(reply) };
        let inner = Rc::clone(&self.inner);
        let verdict = self.credentials.check(&request.reactor(), &user, &password);
        verdict.then(move |_, verdict| match verdict {
            Ok(true) => {
                request.put(AuthenticatedUser(user));
                inner.handle(request, reply);
            }
            Ok(false) => refuse(reply),
            Err(error) => {
                tracing::error!(%error, "a password could not be checked");
                reply.send(StatusCode::INTERNAL_SERVER_ERROR);
            }
        });
    }
}

/// The user name and the password of an `Authorization` field.
fn given(field: &str) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = field.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > CREDENTIALS_MAX {
        return None;
    }
    let mut decoded = base64(encoded.trim())?;
    let colon = memchr::memchr(b':', &decoded)?;
    let password = decoded.split_off(colon + 1);
    decoded.truncate(colon);
    Some((String::from_utf8(decoded).ok()?, password))
}

/// Decodes base64 with padding (RFC 4648 4), strictly.
fn base64(text: &str) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let (mut decoded, mut bits, mut have) = (Vec::with_capacity(digits.len() * 3 / 4), 0_u32, 0);
    for byte in digits.bytes() {
        let digit = ALPHABET.iter().position(|digit| *digit == byte)?;
        bits = bits << 6 | u32::try_from(digit).ok()?;
        have += 6;
        if have >= 8 {
            have -= 8;
            decoded.push((bits >> have & 0xff) as u8);
        }
    }
    (bits & ((1 << have) - 1) == 0).then_some(decoded)
}

/// Compares in constant time.
fn equal(known: &[u8], given: &[u8]) -> bool {
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
    fn base64_strictly() {
        let cases: [(&str, Option<&[u8]>); 11] = [
            ("", Some(b"")),
            ("YQ==", Some(b"a")),
            ("YWI=", Some(b"ab")),
            ("YWJj", Some(b"abc")),
            ("+/+/", Some(b"\xfb\xff\xbf")),
            ("YQ", None),
            ("YQ=", None),
            ("YR==", None),
            ("Y===", None),
            ("YQ==YQ==", None),
            ("YW J", None),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text).as_deref(), expected, "{text}");
        }
    }

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
            assert_eq!(equal(known.as_bytes(), given.as_bytes()), expected, "{known} {given}");
        }
    }
}
