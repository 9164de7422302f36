//! Digest authentication (RFC 7616) with `qop=auth`: [`Presented`] is what a client has sent; [`Digest`] checks it and makes
//! challenges. Does not offer `-sess` algorithms, `auth-int` or hashed user names.

use std::{borrow::Cow, cell::RefCell, time::Duration};

use sinew_auth::is_equal;
use sinew_transports::reactor::Reactor;

use super::nonces::Nonces;
use crate::{
    codec::{DigestAlgorithm, percent_decode, split_outside_quotes, unquoted},
    server::Request,
};

/// Longest credentials. Longer ones are rejected unparsed.
const CREDENTIALS_MAX: usize = 4 * 1024;

/// How long a nonce may be used.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Makes challenges, and checks responses to them.
pub(super) struct Digest {
    /// The best one first, which is the order of preference (RFC 7616 3.7).
    pub(super) algorithms: Vec<DigestAlgorithm>,
    pub(super) nonce_lifetime: Duration,
    /// Created with the first challenge, with a random key.
    nonces: RefCell<Option<Nonces>>,
}

/// The credentials that a client has sent.
#[derive(Debug)]
pub(super) struct Presented {
    pub(super) user: String,
    pub(super) algorithm: DigestAlgorithm,
    nonce: String,
    /// The count of the nonce as it was sent: its eight digits are hashed.
    count_text: String,
    count: u32,
    cnonce: String,
    response: String,
    uri: String,
}

/// The result of checking credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// The secret is right, but the nonce must not be used any more.
    Stale,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self {
            algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
            nonce_lifetime: NONCE_LIFETIME,
            nonces: RefCell::default(),
        }
    }

    /// The challenges, one for each algorithm.
    pub(super) fn challenges(
        &self,
        reactor: &Reactor,
        realm: &str,
        is_stale: bool,
    ) -> Result<Vec<String>, getrandom::Error> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let mut nonces = self.nonces.borrow_mut();
        let nonces = match &mut *nonces {
            Some(nonces) => nonces,
            none => {
                let mut key = [0; 32];
                getrandom::fill(&mut key)?;
                none.insert(Nonces::new(key, self.nonce_lifetime))
            }
        };
        let nonce = nonces.issue(reactor.age(), u64::from_ne_bytes(random));
        let stale = if is_stale { ", stale=true" } else { "" };
        let challenge = |algorithm: &DigestAlgorithm| {
            let name = algorithm.name();
            format!(
                "Digest realm=\"{realm}\", qop=\"auth\", algorithm={name}, nonce=\"{nonce}\", charset=UTF-8{stale}"
            )
        };
        Ok(self.algorithms.iter().map(challenge).collect())
    }

    /// Checks credentials with the secret of their user. Takes as long without one.
    pub(super) fn judge(
        &self,
        reactor: &Reactor,
        request: &Request,
        presented: &Presented,
        secret: Option<&str>,
    ) -> Verdict {
        let algorithm = presented.algorithm;
        let method = request.method().as_str().as_bytes();
        let a2 = algorithm.hash(&[method, b":", presented.uri.as_bytes()]);
        let parts = [
            secret.unwrap_or("no user has this secret"),
            &presented.nonce,
            &presented.count_text,
            &presented.cnonce,
            "auth",
            &a2,
        ];
        let expected = algorithm.hash(&[parts.join(":").as_bytes()]);
        let is_right = is_equal(expected.as_bytes(), presented.response.as_bytes());
        if !(is_right & secret.is_some()) {
            return Verdict::Refused;
        }
        let mut nonces = self.nonces.borrow_mut();
        let is_fresh = nonces
            .as_mut()
            .is_some_and(|nonces| nonces.accept(&presented.nonce, presented.count, reactor.age()));
        if is_fresh { Verdict::Accepted } else { Verdict::Stale }
    }
}

impl Presented {
    /// Parses the part after the name of the scheme. `None` if it does not answer a challenge of this realm, or is for another
    /// request.
    pub(super) fn parse(text: &str, realm: &str, request: &Request) -> Option<Self> {
        if text.len() > CREDENTIALS_MAX {
            return None;
        }
        let parameters = parameters(text)?;
        let find = |name: &str| {
            let mut found = parameters.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            // No parameter may be present twice (RFC 7616 3.4).
            found.next().filter(|_| found.next().is_none()).map(|(_, value)| &**value)
        };
        let algorithm = match find("algorithm") {
            None => DigestAlgorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("MD5") => DigestAlgorithm::Md5,
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => DigestAlgorithm::Sha256,
            Some(_) => return None,
        };
        let user = match (find("username"), find("username*")) {
            (Some(user), None) => user.to_owned(),
            (None, Some(user)) => extended(user)?,
            _ => return None,
        };
        let count_text = find("nc")?;
        let is_count = count_text.len() == 8 && count_text.bytes().all(|d| d.is_ascii_hexdigit());
        let count = u32::from_str_radix(count_text, 16).ok().filter(|_| is_count)?;
        let uri = find("uri")?;
        let is_good = find("realm")? == realm
            && find("qop")?.eq_ignore_ascii_case("auth")
            && is_target(uri, request)
            && !user.chars().any(char::is_control);
        is_good.then_some(())?;
        Some(Self {
            user,
            algorithm,
            nonce: find("nonce")?.to_owned(),
            count_text: count_text.to_owned(),
            count,
            cnonce: find("cnonce")?.to_owned(),
            response: find("response")?.to_ascii_lowercase(),
            uri: uri.to_owned(),
        })
    }
}

/// Whether it is the target of the request, with or without the authority.
fn is_target(uri: &str, request: &Request) -> bool {
    let path_and_query = || {
        let (path, query) =
            uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
        path == request.path() && query == request.query()
    };
    uri == request.head().target() || path_and_query()
}

/// The parameters of a challenge or of credentials: names, and unquoted values.
fn parameters(text: &str) -> Option<Vec<(&str, Cow<'_, str>)>> {
    let pairs = split_outside_quotes(text, b',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = value.trim();
            let value = match value.strip_prefix('"') {
                None => Cow::Borrowed(value),
                Some(quoted) => unquoted(quoted.strip_suffix('"')?),
            };
            Some((name.trim(), value))
        })
        .collect()
}

/// A value in the extended notation, `UTF-8''J%C3%BCrgen` (RFC 8187 3.2).
fn extended(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    String::from_utf8(percent_decode(encoded)?.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_lists() {
        let found = parameters(r#"a="x, \"y\\", b=c,, D = "e" "#).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(found, [("a", r#"x, "y\"#), ("b", "c"), ("D", "e")]);
        for bad in ["a", "a=\"b", "=\"", "a=b, c"] {
            assert!(parameters(bad).is_none(), "{bad}");
        }
        assert_eq!(extended("UTF-8''J%C3%BCrgen").as_deref(), Some("J\u{fc}rgen"));
        assert_eq!(extended("latin1''a"), None);
    }

    /// The examples of RFC 7616 3.9.1.
    #[test]
    fn hashes_of_the_rfc() {
        for (algorithm, expected) in [
            (DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                DigestAlgorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let secret = algorithm.secret("Mufasa", "http-auth@example.org", b"Circle of Life");
            let a2 = algorithm.hash(&[b"GET:/dir/index.html"]);
            let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let all = [&secret, nonce, "00000001", cnonce, "auth", &a2].join(":");
            assert_eq!(algorithm.hash(&[all.as_bytes()]), expected);
        }
    }
}
