//! Cookies of clients (RFC 6265): [`CookieJar`]. Reads no clock: the time is an argument.

mod domain;
mod file;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use url::Url;

use crate::codec::SetCookie;
use domain::{default_path, domain_matches, is_address, is_public_suffix, path_matches};
pub use file::CookieFileError;

/// Most cookies of a domain. Above it, the oldest is removed.
const PER_DOMAIN_MAX: usize = 180;

/// Most cookies in total. Above it, the oldest is removed.
const COOKIES_MAX: usize = 3_000;

/// The longest time a cookie is kept (RFC 6265bis 5.5).
const LIFETIME_MAX: Duration = Duration::from_secs(400 * 86_400);

/// A cookie jar. Cheap to clone: clones share the cookies.
///
/// Keeps at most 180 cookies of a domain and 3,000 in total, each for at most 400 days. A cookie for a public suffix, such as
/// `co.uk`, is rejected, with the list of the feature `public-suffix`; without it, only single labels, such as `com`, are known as
/// suffixes. A `Secure` cookie is accepted from `https` only, sent over `https` only, and not overwritten over `http`.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use sinew_http::client::{CookieJar, Url};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let now = SystemTime::UNIX_EPOCH; // a program asks its reactor: `reactor.wall_clock()`
/// let jar = CookieJar::new();
/// let login = Url::parse("https://example.org/login")?;
/// assert!(jar.store(&login, b"id=7; Path=/; Secure", now));
/// assert_eq!(jar.header(&Url::parse("https://example.org/a")?, now).as_deref(), Some("id=7"));
/// assert_eq!(jar.header(&Url::parse("http://example.org/a")?, now), None);
/// assert_eq!(jar.header(&Url::parse("https://example.com/a")?, now), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct CookieJar(Rc<RefCell<Cookies>>);

#[derive(Default)]
struct Cookies {
    /// By domain.
    domains: BTreeMap<String, Vec<Cookie>>,
    len: usize,
    /// The number of the next cookie, in the order of their creation.
    next: u64,
}

/// A cookie in a [`CookieJar`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cookie {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The domain.
    pub domain: String,
    /// Only for exactly that host, not for its subdomains.
    pub is_host_only: bool,
    /// The path.
    pub path: String,
    /// Only for `https`.
    pub is_secure: bool,
    /// Hidden from scripts.
    pub is_http_only: bool,
    /// When it expires; `None` for a session cookie.
    pub expires: Option<SystemTime>,
    number: u64,
}

impl CookieJar {
    /// An empty jar.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Processes a `Set-Cookie` field of a response to a request for this URL. Returns whether it was accepted: not if it is
    /// malformed, for another domain or a public suffix, or not as secure as it claims. An expired cookie removes the one with its
    /// name.
    pub fn store(&self, url: &Url, set_cookie: &[u8], now: SystemTime) -> bool {
        let Some(parsed) = SetCookie::parse(set_cookie) else { return false };
        let Some(cookie) = accept(url, &parsed, now) else { return false };
        let mut cookies = self.0.borrow_mut();
        if !is_encrypted(url) && cookies.hides_secure(&cookie) {
            return false;
        }
        let is_over = cookie.expires.is_some_and(|expires| expires <= now);
        cookies.put((!is_over).then_some(cookie.clone()), &cookie, now);
        true
    }

    /// The value of the `Cookie` field for a request, if there are cookies for it: those with longer paths first (RFC 6265 5.4).
    #[must_use]
    pub fn header(&self, url: &Url, now: SystemTime) -> Option<String> {
        let cookies = self.0.borrow();
        let found = cookies.matching(url, now);
        let pairs: Vec<_> =
            found.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The cookies for a request, in the order of [`header`](Self::header).
    #[must_use]
    pub fn matching(&self, url: &Url, now: SystemTime) -> Vec<Cookie> {
        self.0.borrow().matching(url, now).into_iter().cloned().collect()
    }

    /// All cookies, including expired ones, in the order of their creation.
    #[must_use]
    pub fn all(&self) -> Vec<Cookie> {
        let cookies = self.0.borrow();
        let mut all: Vec<_> = cookies.domains.values().flatten().cloned().collect();
        all.sort_by_key(|cookie| cookie.number);
        all
    }

    /// Removes the cookies of a domain, but not those of its parents and subdomains.
    pub fn remove_domain(&self, domain: &str) {
        let mut cookies = self.0.borrow_mut();
        let removed = cookies.domains.remove(domain).map_or(0, |removed| removed.len());
        cookies.len -= removed;
    }

    /// Removes the session cookies, as at the end of a session.
    pub fn end_session(&self) {
        self.0.borrow_mut().retain(|cookie| cookie.expires.is_some());
    }

    /// Removes all cookies.
    pub fn clear(&self) {
        self.0.borrow_mut().retain(|_| false);
    }

    /// The number of cookies, including expired ones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().len
    }

    /// Whether there are no cookies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a cookie that was stored elsewhere.
    fn put_back(&self, cookie: Cookie) {
        let like = cookie.clone();
        self.0.borrow_mut().put(Some(cookie), &like, SystemTime::UNIX_EPOCH);
    }
}

impl fmt::Debug for CookieJar {
    /// Without the values, which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieJar").field("cookies", &self.len()).finish()
    }
}

impl Cookie {
    fn is_like(&self, other: &Self) -> bool {
        self.name == other.name
            && self.path == other.path
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
    }

    fn has_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Cookies {
    fn matching(&self, url: &Url, now: SystemTime) -> Vec<&Cookie> {
        let Some(host) = host(url) else { return Vec::new() };
        let is_for = |cookie: &&Cookie| {
            (!cookie.is_host_only || cookie.domain == host)
                && (!cookie.is_secure || is_encrypted(url))
                && path_matches(url.path(), &cookie.path)
                && !cookie.has_expired(now)
        };
        let mut found: Vec<_> = domains(&host)
            .filter_map(|domain| self.domains.get(domain))
            .flatten()
            .filter(is_for)
            .collect();
        found.sort_by_key(|cookie| (usize::MAX - cookie.path.len(), cookie.number));
        found
    }

    /// Whether this cookie, set over `http`, would replace one that was set over `https` (RFC 6265bis 5.7).
    fn hides_secure(&self, new: &Cookie) -> bool {
        self.domains.values().flatten().any(|old| {
            let is_related = domain_matches(&old.domain, &new.domain)
                || domain_matches(&new.domain, &old.domain);
            old.is_secure
                && old.name == new.name
                && is_related
                && path_matches(&new.path, &old.path)
        })
    }

    /// Replaces the cookie with the same name, domain and path, or removes it.
    fn put(&mut self, cookie: Option<Cookie>, like: &Cookie, now: SystemTime) {
        let of_domain = self.domains.entry(like.domain.clone()).or_default();
        let old = of_domain.iter().position(|old| old.is_like(like));
        let old = old.map(|at| of_domain.remove(at));
        self.len -= usize::from(old.is_some());
        if let Some(mut cookie) = cookie {
            // The new one keeps the creation time of the old one (RFC 6265 5.3 11.3).
            cookie.number = old.map_or(self.next, |old| old.number);
            self.next += 1;
            if of_domain.len() >= PER_DOMAIN_MAX {
                self.len -= of_domain.len();
                of_domain.retain(|cookie| !cookie.has_expired(now));
                of_domain.sort_by_key(|cookie| cookie.number);
                let excess = (of_domain.len() + 1).saturating_sub(PER_DOMAIN_MAX);
                of_domain.drain(..excess);
                self.len += of_domain.len();
            }
            of_domain.push(cookie);
            self.len += 1;
        }
        if of_domain.is_empty() {
            self.domains.remove(&like.domain);
        }
        if self.len > COOKIES_MAX {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let oldest = self.domains.values().flatten().map(|cookie| cookie.number).min();
        self.retain(|cookie| Some(cookie.number) != oldest);
    }

    fn retain(&mut self, keep: impl Fn(&Cookie) -> bool) {
        self.domains.values_mut().for_each(|cookies| cookies.retain(&keep));
        self.domains.retain(|_, cookies| !cookies.is_empty());
        self.len = self.domains.values().map(Vec::len).sum();
    }
}

/// The cookie, if a server with this URL may set it (RFC 6265 5.3).
fn accept(url: &Url, parsed: &SetCookie<'_>, now: SystemTime) -> Option<Cookie> {
    let host = host(url)?;
    let domain = match parsed.domain {
        Some(domain) => Some(canonical(domain)?),
        None => None,
    };
    let (domain, is_host_only) = match domain {
        Some(domain) if domain == host && (is_address(&host) || is_public_suffix(&domain)) => {
            (host, true)
        }
        Some(domain) if is_public_suffix(&domain) || !domain_matches(&host, &domain) => {
            return None;
        }
        Some(domain) => (domain, false),
        None => (host, true),
    };
    let path = parsed.path.unwrap_or_else(|| default_path(url.path())).to_owned();
    let begins = |prefix: &str| {
        parsed.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_promised = parsed.is_secure && is_encrypted(url);
    let is_bad = parsed.is_secure && !is_encrypted(url)
        || begins("__Secure-") && !is_promised
        || begins("__Host-")
            && !(is_promised && is_host_only && parsed.domain.is_none() && path == "/");
    if is_bad {
        return None;
    }
    let latest = now + LIFETIME_MAX;
    let expires = match (parsed.max_age, parsed.expires) {
        (Some(seconds), _) => Some(match u64::try_from(seconds) {
            Ok(seconds @ 1..) => {
                now.checked_add(Duration::from_secs(seconds)).map_or(latest, |at| at.min(latest))
            }
            _ => SystemTime::UNIX_EPOCH,
        }),
        (None, Some(expires)) => Some(expires.min(latest)),
        (None, None) => None,
    };
    Some(Cookie {
        name: parsed.name.to_owned(),
        value: parsed.value.to_owned(),
        domain,
        is_host_only,
        path,
        is_secure: parsed.is_secure,
        is_http_only: parsed.is_http_only,
        expires,
        number: 0,
    })
}

/// The host of a URL, without the dot that ends an absolute name.
fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
}

/// A domain in the form of URL hosts: lower case, and ASCII for other scripts.
fn canonical(domain: &str) -> Option<String> {
    Some(url::Host::parse(domain).ok()?.to_string())
}

/// Whether the URL counts as secure: `https`, or this machine.
fn is_encrypted(url: &Url) -> bool {
    matches!(url.scheme(), "https" | "wss")
}

/// The host and all domains above it.
fn domains(host: &str) -> impl Iterator<Item = &str> {
    let above = host.match_indices('.').map(|(at, _)| &host[at + 1..]);
    std::iter::once(host).chain(above.filter(|_| !is_address(host)))
}

#[cfg(test)]
mod tests;
