//! The request target: which of the four forms of RFC 9112 3.2 it has, and the positions of its parts. Does not decode percent
//! signs, see `percent.rs`.

use std::{ops::Range, str};

use http::Method;

use super::{
    HeadError,
    byte_set::{ByteSet, alphanumeric_and, skip},
};

/// The form of a request target (RFC 9112 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetForm {
    /// `/path?query`, in nearly every request.
    #[default]
    Origin,
    /// `http://host/path?query`, in requests to a proxy.
    Absolute,
    /// `host:port`, for `CONNECT`.
    Authority,
    /// `*`, for `OPTIONS`.
    Asterisk,
}

/// The positions of the parts of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) form: TargetForm,
    /// The authority.
    pub(super) authority: Option<Range<usize>>,
    pub(super) path: Range<usize>,
    /// Without the question mark.
    pub(super) query: Option<Range<usize>>,
}

impl Target {
    pub(super) fn parse(method: &Method, target: &[u8]) -> Result<Self, HeadError> {
        // RFC 3986 2 allows fewer characters, but browsers send |, {, }, ^, ` and " unencoded. Dangerous ones are not allowed:
        // whitespace, control characters, bytes beyond ASCII, and fragments, which clients must not send.
        let is_good = |byte: &u8| byte.is_ascii_graphic() & (*byte != b'#');
        // No early exit, so that the compiler can vectorise the loop.
        if target.is_empty() || !target.iter().fold(true, |all, byte| all & is_good(byte)) {
            return Err(HeadError::Target);
        }
        if *method == Method::CONNECT {
            return Self::authority(target);
        }
        match target {
            b"*" if *method == Method::OPTIONS => {
                Ok(Self { form: TargetForm::Asterisk, path: 0..1, ..Self::default() })
            }
            [b'/', ..] => Ok(Self::from_path(target, 0, TargetForm::Origin)),
            _ => Self::absolute(target),
        }
    }

    fn authority(target: &[u8]) -> Result<Self, HeadError> {
        let has_port = target.iter().rposition(|byte| *byte == b':').is_some_and(|colon| {
            let port = str::from_utf8(&target[colon + 1..]).unwrap_or_default();
            port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !has_port || !is_host(target) {
            return Err(HeadError::Target);
        }
        let authority = Some(0..target.len());
        Ok(Self { form: TargetForm::Authority, authority, path: 0..0, query: None })
    }

    fn absolute(target: &[u8]) -> Result<Self, HeadError> {
        let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| {
            target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let start = scheme.ok_or(HeadError::Target)?.len();
        let rest = &target[start..];
        let len = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
        if !is_host(&rest[..len]) {
            return Err(HeadError::Target);
        }
        let mut parsed = Self::from_path(target, start + len, TargetForm::Absolute);
        parsed.authority = Some(start..start + len);
        Ok(parsed)
    }

    fn from_path(target: &[u8], start: usize, form: TargetForm) -> Self {
        let question = memchr::memchr(b'?', &target[start..]).map(|at| start + at);
        let end = question.unwrap_or(target.len());
        let query = question.map(|at| at + 1..target.len());
        Self { form, authority: None, path: start..end, query }
    }
}

/// Whether it is `host` or `host:port` (RFC 3986 3.2), without user information and not empty.
pub(crate) fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else { return false };
            let address = str::from_utf8(&rest[..end]).unwrap_or_default();
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (&text[..end + 2], &rest[end + 1..])
        }
        _ => text.split_at(skip(text, 0, &IN_NAMES)),
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    !host.is_empty() && is_port
}

/// Bytes that are allowed in a host name (RFC 3986 3.2.2).
const IN_NAMES: ByteSet = alphanumeric_and(b"-._~%!$&'()*+,;=");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_forms_and_nothing_else() {
        use TargetForm::{Absolute, Asterisk, Authority, Origin};
        let get = Method::GET;
        type Parts = (TargetForm, &'static str, Option<&'static str>, Option<&'static str>);
        let cases: [(&Method, &str, Option<Parts>); 24] = [
            (&get, "/", Some((Origin, "/", None, None))),
            (&get, "/a/b?c=d&e", Some((Origin, "/a/b", Some("c=d&e"), None))),
            (&get, "/?", Some((Origin, "/", Some(""), None))),
            (&get, "//a?b?c", Some((Origin, "//a", Some("b?c"), None))),
            (&get, "/{\"a\"}|^`", Some((Origin, "/{\"a\"}|^`", None, None))),
            (&get, "http://a/b?c", Some((Absolute, "/b", Some("c"), Some("a")))),
            (&get, "HTTPS://[::1]:80?c", Some((Absolute, "", Some("c"), Some("[::1]:80")))),
            (&get, "http://a", Some((Absolute, "", None, Some("a")))),
            (&get, "http://u@a/", None),
            (&get, "http:///b", None),
            (&get, "ftp://a/", None),
            (&get, "*", None),
            (&get, "a", None),
            (&get, "", None),
            (&get, "/a#b", None),
            (&get, "/a b", None),
            (&get, "/\u{e4}", None),
            (&get, "/\u{7f}", None),
            (&Method::OPTIONS, "*", Some((Asterisk, "*", None, None))),
            (&Method::CONNECT, "a:443", Some((Authority, "", None, Some("a:443")))),
            (&Method::CONNECT, "a", None),
            (&Method::CONNECT, "a:0", None),
            (&Method::CONNECT, "a:65536", None),
            (&Method::CONNECT, "/a:1", None),
        ];
        for (method, text, expected) in cases {
            let parsed = Target::parse(method, text.as_bytes()).ok();
            let parsed = parsed.as_ref().map(|target| {
                let part = |range: &Option<Range<usize>>| range.clone().map(|range| &text[range]);
                (
                    target.form,
                    &text[target.path.clone()],
                    part(&target.query),
                    part(&target.authority),
                )
            });
            assert_eq!(parsed, expected, "{method} {text}");
        }
    }

    #[test]
    fn hosts() {
        for good in ["a", "a.b:80", "127.0.0.1", "[::1]", "[::1]:8080", "a:", "xn--a_b", "a%20b"] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "a b",
            "a/b",
            "u@a",
            "a:b",
            "a:123456",
            "[::1",
            "[x]",
            "[::1]x",
            "a,\r",
            "\u{e4}",
            "a?b",
            "[::1]:80:",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
