//! Redirects (RFC 9110 15.4): [`Redirects`] is what a client allows. Pure: where a redirect leads is decided by the response and the request
//! alone.

use http::{Method, StatusCode};
use url::Url;

use super::{RedirectError, origin::Origin};

/// Which redirects a client follows.
///
/// After 301 and 302 a POST becomes a GET, after 303 anything but a HEAD does; otherwise method and body stay. `Authorization`, `Cookie` and
/// `Proxy-Authorization` that were set on the request go to its own origin only: they are left out when scheme, host or port change.
/// From `https` to `http` is refused.
///
/// # Examples
///
/// ```
/// use sinew_http::client::Redirects;
///
/// let redirects = Redirects::default().max(3);
/// let none = Redirects::none();
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Redirects {
    max: u32,
    same_max: u32,
    downgrade: bool,
}

impl Default for Redirects {
    fn default() -> Self {
        Self { max: 10, same_max: 4, downgrade: false }
    }
}

impl Redirects {
    /// None: a response of 3xx is a response like any other.
    pub fn none() -> Self {
        Self { max: 0, ..Self::default() }
    }

    /// Most redirects of a request. Default 10. 0: none is followed, as with [`none`](Self::none).
    pub const fn max(mut self, redirects: u32) -> Self {
        self.max = redirects;
        self
    }

    /// Most redirects to one URL. Default 4: some servers set a cookie and send the client to where it was.
    pub const fn same_max(mut self, redirects: u32) -> Self {
        self.same_max = redirects;
        self
    }

    /// Whether a redirect may lead from `https` to `http`. Default `false`: what was to be hidden could be read there.
    pub const fn allow_downgrade(mut self, allow: bool) -> Self {
        self.downgrade = allow;
        self
    }
}

/// The next request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) keeps_body: bool,
    /// It leads to another scheme, host or port.
    pub(super) changes_origin: bool,
}

impl Redirects {
    /// Where a response leads; `None` if it is not a redirect that is followed. `before` are the URLs that led here, this one last.
    pub(super) fn next(
        self,
        method: &Method,
        before: &[Url],
        status: StatusCode,
        location: Option<&[u8]>,
    ) -> Result<Option<Hop>, RedirectError> {
        let (Some(location), Some(from)) = (location, before.last()) else { return Ok(None) };
        let becomes_get = match status.as_u16() {
            301 | 302 => *method == Method::POST,
            303 => !matches!(*method, Method::GET | Method::HEAD),
            307 | 308 => false,
            _ => return Ok(None),
        };
        if self.max == 0 {
            return Ok(None);
        }
        let url = resolve(from, location)?;
        let to = url.to_string();
        let Ok(origin) = Origin::of(&url) else { return Err(RedirectError::Scheme { to }) };
        let (Ok(old), Origin::Net { .. }) = (Origin::of(from), &origin) else {
            // No page leads into a socket of this machine.
            return Err(RedirectError::Scheme { to });
        };
        if old.is_tls() && !origin.is_tls() && !self.downgrade {
            return Err(RedirectError::Downgrade { to });
        }
        if before.len() > self.max as usize {
            return Err(RedirectError::TooMany { max: self.max, to });
        }
        if before.iter().filter(|visited| **visited == url).count() > self.same_max as usize {
            return Err(RedirectError::TooMany { max: self.same_max, to });
        }
        Ok(Some(Hop {
            url,
            method: if becomes_get { Method::GET } else { method.clone() },
            keeps_body: !becomes_get,
            changes_origin: old != origin,
        }))
    }
}

/// A location, seen from a URL. Bytes beyond ASCII are taken as they are (some servers do not encode them); the fragment of the old URL
/// stays if there is no new one (RFC 9110 10.2.2); a name and a password in it are left out.
fn resolve(from: &Url, location: &[u8]) -> Result<Url, RedirectError> {
    let text = String::from_utf8_lossy(location);
    let invalid = || RedirectError::Invalid { to: text.to_string() };
    if text.trim().is_empty() {
        return Err(invalid());
    }
    let mut url = from.join(&text).map_err(|_| invalid())?;
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    if url.has_host() {
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn next(
        method: &Method,
        from: &str,
        status: u16,
        to: &str,
    ) -> Result<Option<Hop>, RedirectError> {
        let status = StatusCode::from_u16(status).unwrap();
        Redirects::default().next(method, &[url(from)], status, Some(to.as_bytes()))
    }

    #[test]
    fn methods_and_bodies() {
        let (get, post, put, head) = (&Method::GET, &Method::POST, &Method::PUT, &Method::HEAD);
        for (status, method, expected, keeps_body) in [
            (301, get, get, true),
            (301, post, get, false),
            (301, put, put, true),
            (302, post, get, false),
            (302, head, head, true),
            (303, post, get, false),
            (303, put, get, false),
            (303, head, head, true),
            (307, post, post, true),
            (308, put, put, true),
        ] {
            let hop = next(method, "http://a/", status, "/b").unwrap().unwrap();
            assert_eq!((&hop.method, hop.keeps_body), (expected, keeps_body), "{status} {method}");
        }
        for status in [200, 300, 304, 305, 306, 399, 404] {
            assert_eq!(next(get, "http://a/", status, "/b"), Ok(None), "{status}");
        }
        let status = StatusCode::FOUND;
        assert_eq!(Redirects::default().next(get, &[url("http://a/")], status, None), Ok(None));
        assert_eq!(Redirects::none().next(get, &[url("http://a/")], status, Some(b"/b")), Ok(None));
    }

    #[test]
    fn where_locations_lead() {
        for (from, to, expected, changes) in [
            ("http://a/x/y", "z?q", "http://a/x/z?q", false),
            ("http://a/x", "//b/y", "http://b/y", true),
            ("http://a/x#f", "/y", "http://a/y#f", false),
            ("http://a/x#f", "/y#g", "http://a/y#g", false),
            ("http://a/", "https://a/", "https://a/", true),
            ("http://a/", "http://a:81/", "http://a:81/", true),
            ("http://a/", "http://A:80/", "http://a/", false),
            ("http://a/", "http://u:p@a/x", "http://a/x", false),
            ("http://a/", "/\u{e4} b", "http://a/%C3%A4%20b", false),
        ] {
            let hop = next(&Method::GET, from, 302, to).unwrap().unwrap();
            assert_eq!((hop.url.as_str(), hop.changes_origin), (expected, changes), "{from} {to}");
        }
    }

    #[test]
    fn what_is_not_followed() {
        let to = |to: &str| to.to_owned();
        for (from, location, expected) in [
            ("https://a/", "http://a/", RedirectError::Downgrade { to: to("http://a/") }),
            ("http://a/", "ftp://a/", RedirectError::Scheme { to: to("ftp://a/") }),
            (
                "http://a/",
                "file:///etc/passwd",
                RedirectError::Scheme { to: to("file:///etc/passwd") },
            ),
            (
                "http://a/",
                "http+unix://%2Fx/",
                RedirectError::Scheme { to: to("http+unix://%2Fx/") },
            ),
            ("http://a/", "http://a:99999/", RedirectError::Invalid { to: to("http://a:99999/") }),
            ("http://a/", " ", RedirectError::Invalid { to: to(" ") }),
        ] {
            assert_eq!(next(&Method::GET, from, 302, location), Err(expected), "{location}");
        }
        let downgrade = Redirects::default().allow_downgrade(true);
        let hop = downgrade.next(
            &Method::GET,
            &[url("https://a/")],
            StatusCode::FOUND,
            Some(b"http://a/"),
        );
        assert!(hop.unwrap().unwrap().changes_origin);
    }

    #[test]
    fn there_are_never_too_many() {
        let follow = |before: &[Url], to: &str| {
            let redirects = Redirects::default();
            redirects.next(&Method::GET, before, StatusCode::FOUND, Some(to.as_bytes()))
        };
        let many: Vec<_> = (0..11).map(|number| url(&format!("http://a/{number}"))).collect();
        assert!(follow(&many[..10], "/x").is_ok());
        assert!(matches!(follow(&many, "/x"), Err(RedirectError::TooMany { max: 10, .. })));
        let same = vec![url("http://a/"); 5];
        assert!(follow(&same[..4], "/").is_ok());
        assert!(matches!(follow(&same, "/"), Err(RedirectError::TooMany { max: 4, .. })));
    }
}
