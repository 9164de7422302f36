//! Responses to challenges of Digest authentication (RFC 7616), for clients: [`Digest`]. With `qop=auth`, or none (RFC 2069); not
//! `auth-int`, which would need the whole body before the head is sent.

use std::fmt::Write as _;

use http::Method;

use crate::codec::{Challenge, DigestAlgorithm};

/// A challenge, and how often its nonce was used.
#[derive(Debug)]
pub(super) struct Digest {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: DigestAlgorithm,
    is_session: bool,
    /// Whether `qop=auth` is offered.
    has_qop: bool,
    /// The user name is sent as a hash.
    has_user_hash: bool,
    cnonce: String,
    count: u32,
}

impl Digest {
    /// `None` if the challenge is malformed, or requires something unsupported.
    pub(super) fn new(challenge: &Challenge<'_>, random: u128) -> Option<Self> {
        let name = challenge.parameter("algorithm").unwrap_or("MD5").to_ascii_lowercase();
        let (algorithm, is_session) = match &*name {
            "md5" => (DigestAlgorithm::Md5, false),
            "md5-sess" => (DigestAlgorithm::Md5, true),
            "sha-256" => (DigestAlgorithm::Sha256, false),
            "sha-256-sess" => (DigestAlgorithm::Sha256, true),
            _ => return None,
        };
        let has_qop = match challenge.parameter("qop") {
            None => false,
            Some(offered) => {
                let mut offered = offered.split(',').map(str::trim);
                offered.any(|qop| qop.eq_ignore_ascii_case("auth")).then_some(true)?
            }
        };
        let own = |name: &str| challenge.parameter(name).map(str::to_owned);
        let is_true = |value: &str| value.eq_ignore_ascii_case("true");
        let has_user_hash = challenge.parameter("userhash").is_some_and(is_true);
        let cnonce = format!("{random:032x}");
        let (realm, nonce, opaque) = (own("realm")?, own("nonce")?, own("opaque"));
        let is_clean = [&realm, &nonce, opaque.as_ref().unwrap_or(&realm)]
            .iter()
            .all(|text| !text.bytes().any(|byte| byte.is_ascii_control()));
        is_clean.then_some(Self {
            realm,
            nonce,
            opaque,
            algorithm,
            is_session,
            has_qop,
            has_user_hash,
            cnonce,
            count: 0,
        })
    }

    /// Ranks offers: the better one has the higher number.
    pub(super) const fn strength(&self) -> u8 {
        match self.algorithm {
            DigestAlgorithm::Md5 => 0,
            DigestAlgorithm::Sha256 => 1,
        }
    }

    /// The value of the `Authorization` field, for the next request.
    pub(super) fn value(
        &mut self,
        user: &str,
        password: &str,
        method: &Method,
        target: &str,
    ) -> String {
        self.count = self.count.saturating_add(1);
        let count = format!("{:08x}", self.count);
        let hash = |parts: &[&str]| self.algorithm.hash(&[parts.join(":").as_bytes()]);
        let mut secret = self.algorithm.secret(user, &self.realm, password.as_bytes());
        if self.is_session {
            secret = hash(&[&secret, &self.nonce, &self.cnonce]);
        }
        let what = hash(&[method.as_str(), target]);
        let response = match self.has_qop {
            true => hash(&[&secret, &self.nonce, &count, &self.cnonce, "auth", &what]),
            false => hash(&[&secret, &self.nonce, &what]),
        };
        let user = match self.has_user_hash {
            true => hash(&[user, &self.realm]),
            false => quoted(user),
        };
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", algorithm={}{}, response=\"{response}\"",
            quoted(&self.realm),
            quoted(&self.nonce),
            quoted(target),
            self.algorithm.name(),
            if self.is_session { "-sess" } else { "" },
        );
        // Writing to a string cannot fail.
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{}\"", quoted(opaque));
        }
        if self.has_qop {
            let _ = write!(value, ", qop=auth, nc={count}, cnonce=\"{}\"", self.cnonce);
        } else if self.is_session {
            let _ = write!(value, ", cnonce=\"{}\"", self.cnonce);
        }
        if self.has_user_hash {
            value.push_str(", userhash=true");
        }
        value
    }
}

/// Escapes for a quoted string (RFC 9110 5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::challenges;

    fn digest(field: &str) -> Digest {
        Digest::new(&challenges(field)[0], 0x1234).unwrap()
    }

    /// The examples of RFC 7616 3.9.1, with their client nonce.
    #[test]
    fn the_examples_of_the_rfc() {
        for (algorithm, expected) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut digest = digest(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ));
            digest.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ".to_owned();
            let value = digest.value("Mufasa", "Circle of Life", &Method::GET, "/dir/index.html");
            assert!(value.contains(&format!("response=\"{expected}\"")), "{value}");
            assert!(value.contains("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
        }
    }

    /// The example of RFC 2069 2.4, with the response from its erratum.
    #[test]
    fn without_quality_of_protection() {
        let mut digest = digest(
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let value = digest.value("Mufasa", "CircleOfLife", &Method::GET, "/dir/index.html");
        assert!(value.contains("response=\"1949323746fe6a43ef61f9606e7febea\""), "{value}");
        assert!(!value.contains("nc=") && !value.contains("cnonce="));
    }

    #[test]
    fn names_with_quotes_and_hashed_names() {
        let value =
            digest("Digest realm=\"a\\\"b\", nonce=n").value("u\"\\", "p", &Method::GET, "/");
        assert!(value.contains(r#"username="u\"\\", realm="a\"b""#), "{value}");
        let value = digest("Digest realm=a, nonce=n, qop=auth, userhash=true").value(
            "user",
            "p",
            &Method::GET,
            "/",
        );
        assert!(value.contains("userhash=true") && !value.contains("\"user\""), "{value}");
    }

    #[test]
    fn sessions_keep_their_client_nonce() {
        let mut digest = digest("Digest realm=a, nonce=n, qop=auth, algorithm=SHA-256-sess");
        let (first, second) =
            (digest.value("u", "p", &Method::GET, "/"), digest.value("u", "p", &Method::GET, "/"));
        let cnonce = "cnonce=\"00000000000000000000000000001234\"";
        assert!(
            first.contains(cnonce) && second.contains(cnonce) && second.contains("nc=00000002")
        );
    }
}
