//! Client authentication: [`Passwords`] has logins by place, [`Sessions`] responds to challenges of servers and proxies (RFC 7617,
//! RFC 7616), and remembers them.

mod digest;

use std::{collections::BTreeMap, fmt};

use http::Method;
use url::Url;

use crate::codec::{Challenge, FieldError, base64_encode};
use digest::Digest;

/// Most servers whose challenges are remembered. Above it, one is forgotten and will send a challenge again.
const SESSIONS_MAX: usize = 256;

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    user: String,
    password: String,
}

/// Logins, by the place that they are for: a URL with everything below it, and a realm, if it is known.
///
/// They are used after a challenge (401), by Digest (SHA-256 or MD5) if the server offers it, else by Basic; from then on they are
/// sent without waiting for a challenge.
///
/// # Examples
///
/// ```
/// use sinew_http::client::{Passwords, Url};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let passwords = Passwords::new()
///     .add(None, &Url::parse("https://example.org/")?, "ann", "secret")?
///     .add(Some("staff"), &Url::parse("https://example.org/staff")?, "bob", "hunter2")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Passwords {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    realm: Option<String>,
    below: Url,
    login: Login,
}

impl Login {
    /// # Errors
    ///
    /// [`FieldError`] for control characters, and for a colon in the name, where it would end (RFC 7617 2).
    pub(crate) fn new(user: &str, password: &str) -> Result<Self, FieldError> {
        let both = [user, password].concat();
        let bad =
            both.bytes().find(u8::is_ascii_control).or_else(|| user.bytes().find(|b| *b == b':'));
        match bad {
            Some(byte) => Err(FieldError::Value { name: "Authorization".to_owned(), byte }),
            None => Ok(Self { user: user.to_owned(), password: password.to_owned() }),
        }
    }

    /// The field value for Basic.
    pub(crate) fn basic(&self) -> String {
        format!("Basic {}", base64_encode(format!("{}:{}", self.user, self.password).as_bytes()))
    }
}

impl fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Passwords {
    /// No logins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a login for a URL and everything below it: same scheme, host and port, and a path with this prefix, by whole
    /// segments. With a realm, for that realm only.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if they contain a control character, or the name a colon.
    pub fn add(
        mut self,
        realm: Option<&str>,
        below: &Url,
        user: &str,
        password: &str,
    ) -> Result<Self, FieldError> {
        let login = Login::new(user, password)?;
        self.entries.push(Entry { realm: realm.map(str::to_owned), below: below.clone(), login });
        Ok(self)
    }

    pub(crate) fn extend(&mut self, more: &Self) {
        self.entries.extend(more.entries.iter().cloned());
    }

    /// The login for the realm and the URL. The most specific one counts.
    pub(crate) fn find(&self, realm: &str, url: &Url) -> Option<&Login> {
        let is_for = |entry: &&Entry| {
            let (of_realm, of_url) = (entry.realm.as_deref(), &entry.below);
            let rest = url.path().strip_prefix(of_url.path().trim_end_matches('/'));
            of_realm.is_none_or(|of_realm| of_realm == realm)
                && of_url.origin() == url.origin()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = self.entries.iter().filter(is_for);
        found
            .max_by_key(|entry| (entry.below.path().len(), entry.realm.is_some()))
            .map(|entry| &entry.login)
    }
}

/// Challenges of servers and proxies, by origin.
#[derive(Debug, Default)]
pub(crate) struct Sessions(BTreeMap<String, Session>);

#[derive(Debug)]
struct Session {
    realm: String,
    login: Login,
    scheme: Scheme,
}

#[derive(Debug)]
enum Scheme {
    Basic,
    Digest(Digest),
}

/// A request to be authenticated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a Method,
    /// The request target, as Digest hashes it.
    pub(crate) target: &'a str,
}

/// The result of the credentials of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// The request had none, or known ones: new ones are worth a try.
    Try,
    /// They are valid, but the nonce is too old.
    Stale,
}

impl Sessions {
    /// The field value for a request to an origin that has sent a challenge before, if its login is still the same.
    pub(crate) fn known(
        &mut self,
        request: For<'_>,
        login: impl Fn(&str) -> Option<Login>,
    ) -> Option<String> {
        let session = self.0.get_mut(request.origin)?;
        let is_same = login(&session.realm).is_some_and(|login| login == session.login);
        is_same.then(|| session.value(request))
    }

    /// Responds to challenges; `None` if there is no login, or no supported scheme. `random` is used for the client nonce.
    pub(crate) fn answer(
        &mut self,
        challenges: &[Challenge<'_>],
        request: For<'_>,
        login: impl Fn(&str) -> Option<Login>,
        random: u128,
    ) -> Option<(String, Again)> {
        let mut again = Again::Try;
        let mut best: Option<(u8, Session)> = None;
        for challenge in challenges {
            let realm = challenge.parameter("realm").unwrap_or_default();
            let Some(login) = login(realm) else { continue };
            let (rank, scheme) = match () {
                () if challenge.is("Basic") => (0, Scheme::Basic),
                () if challenge.is("Digest") => {
                    let Some(digest) = Digest::new(challenge, random) else { continue };
                    if challenge.parameter("stale").is_some_and(|s| s.eq_ignore_ascii_case("true"))
                    {
                        again = Again::Stale;
                    }
                    (1 + digest.strength(), Scheme::Digest(digest))
                }
                () => continue,
            };
            if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                best = Some((rank, Session { realm: realm.to_owned(), login, scheme }));
            }
        }
        let (_, mut session) = best?;
        let value = session.value(request);
        if self.0.len() >= SESSIONS_MAX && !self.0.contains_key(request.origin) {
            self.0.pop_first();
        }
        self.0.insert(request.origin.to_owned(), session);
        Some((value, again))
    }

    /// The credentials were rejected.
    pub(crate) fn forget(&mut self, origin: &str) {
        self.0.remove(origin);
    }
}

impl Session {
    fn value(&mut self, request: For<'_>) -> String {
        match &mut self.scheme {
            Scheme::Basic => self.login.basic(),
            Scheme::Digest(digest) => {
                digest.value(&self.login.user, &self.login.password, request.method, request.target)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::challenges;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn request<'a>() -> For<'a> {
        For { origin: "https://a:443", method: &Method::GET, target: "/x" }
    }

    #[test]
    fn the_most_specific_password_counts() {
        let passwords = Passwords::new()
            .add(None, &url("https://a/"), "any", "")
            .and_then(|all| all.add(Some("staff"), &url("https://a/"), "staff", ""))
            .and_then(|all| all.add(None, &url("https://a/deep"), "deep", ""))
            .unwrap();
        for (realm, to, expected) in [
            ("x", "https://a/", Some("any")),
            ("staff", "https://a/", Some("staff")),
            ("x", "https://a/deep/er", Some("deep")),
            ("x", "https://a/deeper", Some("any")),
            ("x", "https://a:444/", None),
            ("x", "http://a/", None),
            ("x", "https://b/", None),
        ] {
            let found = passwords.find(realm, &url(to)).map(|login| login.user.as_str());
            assert_eq!(found, expected, "{realm} {to}");
        }
    }

    #[test]
    fn logins_stay_in_their_line() {
        for (user, password) in [("a:b", "c"), ("a\r\n", "c"), ("a", "c\n"), ("a\0", "")] {
            assert!(Login::new(user, password).is_err(), "{user:?} {password:?}");
        }
        let login = Login::new("Aladdin", "open sesame").unwrap();
        assert_eq!(login.basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{login:?}").contains("sesame"));
    }

    #[test]
    fn the_strongest_scheme_is_chosen_and_remembered() {
        let login = |_: &str| Login::new("u", "p").ok();
        let mut sessions = Sessions::default();
        assert_eq!(sessions.known(request(), login), None);
        let field = "Negotiate, Basic realm=a, Digest realm=b, nonce=n, qop=auth, algorithm=MD5, \
                     Digest realm=c, nonce=n, qop=auth, algorithm=SHA-256";
        let (value, again) = sessions.answer(&challenges(field), request(), login, 1).unwrap();
        assert!(value.contains("realm=\"c\"") && value.contains("algorithm=SHA-256"), "{value}");
        assert!(value.contains("nc=00000001") && again == Again::Try);
        assert!(sessions.known(request(), login).unwrap().contains("nc=00000002"));
        let other = |_: &str| Login::new("somebody", "else").ok();
        assert_eq!(sessions.known(request(), other), None);
        sessions.forget("https://a:443");
        assert_eq!(sessions.known(request(), login), None);
        for field in ["Negotiate", "Digest realm=a, nonce=n, qop=auth-int", "Digest realm=a", ""] {
            assert!(sessions.answer(&challenges(field), request(), login, 1).is_none(), "{field}");
        }
        let basic = challenges("Basic realm=x");
        assert!(sessions.answer(&basic, request(), |_| None, 1).is_none());
        let stale = challenges("Digest realm=a, nonce=n, qop=auth, stale=TRUE");
        let (_, again) = sessions.answer(&stale, request(), login, 1).unwrap();
        assert_eq!(again, Again::Stale);
    }

    #[test]
    fn sessions_are_bounded() {
        let mut sessions = Sessions::default();
        for number in 0..300 {
            let origin = format!("http://{number}:80");
            let request = For { origin: &origin, ..request() };
            let login = |_: &str| Login::new("u", "p").ok();
            sessions.answer(&challenges("Basic realm=x"), request, login, 1).unwrap();
        }
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
    }
}
