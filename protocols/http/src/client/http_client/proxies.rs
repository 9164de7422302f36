//! Selection of proxies by URL: [`Proxies`], also from the environment. `connecting.rs` speaks with them.

use std::{env, fmt, net::IpAddr, rc::Rc};

use url::{Host, Url};

use super::{UrlError, auth::Login};

/// Which proxy a request uses, by its URL. Default: none.
///
/// An `http` request is sent to the proxy with its whole URL, an `https` request through a tunnel (CONNECT), so that the proxy
/// sees neither request nor response. The URL of a proxy may contain a login.
///
/// # Examples
///
/// ```
/// use sinew_http::client::{Proxies, Url};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxies = Proxies::all("http://ann:secret@proxy.example:3128")?.except("localhost, .example.org, 10.0.0.0/8");
/// assert!(proxies.is_for(&Url::parse("https://example.com/")?));
/// assert!(!proxies.is_for(&Url::parse("http://www.example.org/")?));
/// assert!(!proxies.is_for(&Url::parse("http://10.1.2.3/")?));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Proxies {
    http: Option<Rc<Proxy>>,
    https: Option<Rc<Proxy>>,
    exceptions: Vec<Exception>,
}

/// One proxy.
pub(super) struct Proxy {
    /// Whether the proxy itself uses TLS.
    pub(super) is_tls: bool,
    pub(super) host: Host<String>,
    pub(super) port: u16,
    pub(super) login: Option<Login>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// A name and all subdomains, in lower case and without a leading dot; with a port, that one only.
    Name(String, Option<u16>),
    /// Addresses with a common prefix.
    Network(IpAddr, u8),
}

impl Proxies {
    /// No proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// This proxy for all URLs.
    ///
    /// # Errors
    ///
    /// [`UrlError`]: it is not an `http` or `https` URL. A host with a port is accepted too.
    pub fn all(proxy: &str) -> Result<Self, UrlError> {
        let proxy = Some(Rc::new(Proxy::parse(proxy)?));
        Ok(Self { http: proxy.clone(), https: proxy, exceptions: Vec::new() })
    }

    /// This proxy for URLs of `http`.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub fn http(mut self, proxy: &str) -> Result<Self, UrlError> {
        self.http = Some(Rc::new(Proxy::parse(proxy)?));
        Ok(self)
    }

    /// This proxy for URLs of `https`.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub fn https(mut self, proxy: &str) -> Result<Self, UrlError> {
        self.https = Some(Rc::new(Proxy::parse(proxy)?));
        Ok(self)
    }

    /// Adds hosts that are reached without a proxy, in a list separated by commas or spaces, as in the variable `no_proxy`: a
    /// name, for itself and all subdomains, with or without a leading dot or a port; an address; a network, such as `10.0.0.0/8`;
    /// or `*` for all.
    pub fn except(mut self, list: &str) -> Self {
        let elements = list.split([',', ' ', '\t']).filter(|element| !element.is_empty());
        self.exceptions.extend(elements.map(Exception::parse));
        self
    }

    /// The proxies of the environment: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case; lower case
    /// has precedence. `HTTP_PROXY` is ignored if `REQUEST_METHOD` is set: there it is a request field of a CGI program, which a
    /// client may have set (httpoxy, CVE-2016-5385). Empty variables count as not set.
    ///
    /// # Errors
    ///
    /// [`UrlError`]: a variable is not the URL of a supported proxy.
    pub fn from_env() -> Result<Self, UrlError> {
        Self::from_variables(|name| env::var(name).ok())
    }

    /// The same from other variables than those of the environment.
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        let get =
            |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let either = |name: &str| get(name).or_else(|| get(&name.to_ascii_uppercase()));
        let is_cgi = get("REQUEST_METHOD").is_some();
        let http = get("http_proxy").or_else(|| get("HTTP_PROXY").filter(|_| !is_cgi));
        let all = either("all_proxy");
        let parse = |text: Option<String>| {
            text.or_else(|| all.clone()).map(|text| Proxy::parse(&text).map(Rc::new)).transpose()
        };
        let proxies = Self {
            http: parse(http)?,
            https: parse(either("https_proxy"))?,
            exceptions: Vec::new(),
        };
        Ok(proxies.except(&either("no_proxy").unwrap_or_default()))
    }

    /// Whether requests for this URL use a proxy.
    #[must_use]
    pub fn is_for(&self, url: &Url) -> bool {
        self.find(url).is_some()
    }

    pub(super) fn find(&self, url: &Url) -> Option<&Rc<Proxy>> {
        let proxy = match url.scheme() {
            "http" | "ws" => self.http.as_ref(),
            "https" | "wss" => self.https.as_ref(),
            _ => None,
        };
        proxy.filter(|_| !self.exceptions.iter().any(|exception| exception.is_for(url)))
    }

    /// The same proxies with this login, where they have none.
    pub(super) fn with_login(mut self, login: &Login) -> Self {
        for proxy in [&mut self.http, &mut self.https].into_iter().flatten() {
            let Proxy { is_tls, host, port, login: old } = &**proxy;
            let login = Some(old.clone().unwrap_or_else(|| login.clone()));
            *proxy = Rc::new(Proxy { is_tls: *is_tls, host: host.clone(), port: *port, login });
        }
        self
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, UrlError> {
        let url = match text.contains("://") {
            true => text.to_owned(),
            false => format!("http://{text}"),
        };
        let url = Url::parse(&url).map_err(|source| UrlError::invalid(text, source))?;
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            scheme => return Err(UrlError::Scheme { scheme: scheme.to_owned() }),
        };
        let host = url.host().ok_or_else(|| UrlError::NoHost { url: text.to_owned() })?.to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        Ok(Self { is_tls, host, port, login: super::request::login_of(&url)? })
    }

    /// Its name as a key of connections.
    pub(super) fn key(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.key()).finish()
    }
}

impl Exception {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(addr) = bare.parse::<IpAddr>() {
            return Self::Network(addr, if addr.is_ipv4() { 32 } else { 128 });
        }
        if let Some((addr, bits)) = text.split_once('/')
            && let (Ok(addr), Ok(bits)) = (addr.parse::<IpAddr>(), bits.parse())
        {
            return Self::Network(addr, bits);
        }
        let (name, port) = match text.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
            Some((name, Ok(port))) => (name, Some(port)),
            _ => (text, None),
        };
        let name = name.strip_prefix("*.").unwrap_or(name);
        let name = name.trim_start_matches('.').trim_end_matches('.');
        Self::Name(name.to_ascii_lowercase(), port)
    }

    fn is_for(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::All, _) => true,
            (Self::Name(name, port), Some(Host::Domain(host))) => {
                let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                let above = host.strip_suffix(name.as_str());
                let is_named = above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_named && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
            (Self::Network(network, bits), Some(Host::Ipv4(addr))) => {
                shares_bits(IpAddr::V4(addr), *network, *bits)
            }
            (Self::Network(network, bits), Some(Host::Ipv6(addr))) => {
                shares_bits(IpAddr::V6(addr), *network, *bits)
            }
            _ => false,
        }
    }
}

/// Whether two addresses of one family have the same first bits.
fn shares_bits(a: IpAddr, b: IpAddr, bits: u8) -> bool {
    let (a, b, len) = match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128_u32),
        _ => return false,
    };
    let ignored = len.saturating_sub(u32::from(bits));
    (a ^ b).checked_shr(ignored).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn from(variables: &[(&str, &str)]) -> Proxies {
        let get = |name: &str| {
            let found = variables.iter().find(|(found, _)| *found == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Proxies::from_variables(get).unwrap()
    }

    fn key(proxies: &Proxies, to: &str) -> Option<String> {
        proxies.find(&url(to)).map(|proxy| proxy.key())
    }

    #[test]
    fn the_environment() {
        let proxy = |name| Some(format!("http://{name}:80"));
        let both = from(&[("http_proxy", "a"), ("HTTPS_PROXY", "http://b/"), ("https_proxy", "")]);
        assert_eq!(key(&both, "http://x/"), proxy("a"));
        assert_eq!(key(&both, "https://x/"), proxy("b"));
        assert_eq!(key(&both, "ftp://x/"), None);
        let lower = from(&[("http_proxy", "a"), ("HTTP_PROXY", "b")]);
        assert_eq!(key(&lower, "http://x/"), proxy("a"));
        let all = from(&[("ALL_PROXY", "c"), ("https_proxy", "d")]);
        assert_eq!((key(&all, "http://x/"), key(&all, "https://x/")), (proxy("c"), proxy("d")));
        let cgi = from(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(key(&cgi, "http://x/"), None);
        assert_eq!(key(&from(&[]), "http://x/"), None);
    }

    #[test]
    fn exceptions() {
        let list =
            "localhost, .example.org *.example.net,host:8080,10.0.0.0/8,[::1],fe80::/10,1.2.3.4";
        let proxies = from(&[("http_proxy", "p:3128"), ("no_proxy", list)]);
        for (to, expected) in [
            ("http://localhost/", false),
            ("http://LOCALHOST./", false),
            ("http://a.localhost/", false),
            ("http://notlocalhost/", true),
            ("http://example.org/", false),
            ("http://a.example.org/", false),
            ("http://a.example.net/", false),
            ("http://host/", true),
            ("http://host:8080/", false),
            ("http://10.255.0.1/", false),
            ("http://11.0.0.1/", true),
            ("http://[::1]/", false),
            ("http://[::2]/", true),
            ("http://[fe80::1]/", false),
            ("http://1.2.3.4/", false),
            ("http://1.2.3.5/", true),
        ] {
            assert_eq!(proxies.is_for(&url(to)), expected, "{to}");
        }
        let none = from(&[("http_proxy", "p"), ("no_proxy", "*")]);
        assert!(!none.is_for(&url("http://x/")));
    }

    #[test]
    fn proxies_that_are_none() {
        for bad in ["socks5://a", "http://", "http://a:99999", "://", "http://a b"] {
            assert!(Proxies::all(bad).is_err(), "{bad}");
        }
        let secure = Proxies::all("https://u:p%40@[::1]:8443").unwrap();
        let proxy = secure.find(&url("http://x/")).unwrap();
        assert_eq!((proxy.key().as_str(), proxy.is_tls), ("https://[::1]:8443", true));
        assert_eq!(proxy.login.as_ref().unwrap().basic(), Login::new("u", "p@").unwrap().basic());
        assert!(!format!("{secure:?}").contains("p@"));
    }
}
