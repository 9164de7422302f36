//! Who the client is, behind a reverse proxy that tells it in fields: [`TrustedProxies`].

use std::{fmt, net::IpAddr};

use sinew_transports::proxy::Subnet;

use super::{Handler, Reply, Request};
use crate::codec::parameter;

/// A layer that believes trusted proxies when they say which client a request comes from, in `X-Forwarded-For` and `X-Forwarded-Proto`, or
/// in `Forwarded` (RFC 7239). [`Request::client_ip`] and [`Request::is_secure`] have the result, and so have the access log and the rate
/// limit inside this layer.
///
/// Of the addresses in the field, the last one that is no trusted proxy is the client: what stands before it may be made up. Fields of
/// peers that are not trusted are ignored. Trusted are loopback addresses, unless others are named, and peers without an address:
/// the mode of its file decides who may connect to a Unix socket.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{AccessLog, Router, TrustedProxies};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let site = TrustedProxies::new(AccessLog::new(Router::new())).trust(["10.0.0.0/8".parse()?]);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct TrustedProxies<H> {
    inner: H,
    trusted: Vec<Subnet>,
    is_standard: bool,
}

/// What a trusted proxy has told, beside the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    ip: Option<IpAddr>,
    is_secure: Option<bool>,
}

impl<H: Handler> TrustedProxies<H> {
    /// Around a handler.
    pub fn new(inner: H) -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let subnets = loopback.into_iter().zip([8, 128]);
        let trusted = subnets.filter_map(|(ip, bits)| Subnet::new(ip, bits)).collect();
        Self { inner, trusted, is_standard: false }
    }

    /// The addresses of trusted proxies, in the place of loopback addresses.
    pub fn trust(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.trusted = subnets.into_iter().collect();
        self
    }

    /// Reads `Forwarded` in the place of the fields `X-Forwarded-`. Never both: a proxy that sets one passes the other on as it came.
    pub fn standard_field(mut self) -> Self {
        self.is_standard = true;
        self
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|subnet| subnet.contains(ip))
    }

    /// What the elements say, the last one first: of an address, and of a scheme if that is known with it.
    fn walk<'a>(&self, elements: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Told {
        let mut told = Told { ip: None, is_secure: None };
        for (node, scheme) in elements {
            told.is_secure = scheme.map(|scheme| scheme.eq_ignore_ascii_case("https"));
            let Some(ip) = node.and_then(address) else { break };
            told.ip = Some(ip);
            if !self.trusts(ip) {
                break;
            }
        }
        told
    }

    fn told(&self, request: &Request) -> Told {
        let fields = request.fields();
        if self.is_standard {
            let elements: Vec<_> = fields.list("forwarded").collect();
            let parts: Vec<_> = elements
                .iter()
                .rev()
                .map(|element| {
                    // The first parameter has no name of a value before it, as in other fields.
                    let element = format!(";{element}");
                    let find = |name| parameter(&element, name).map(|value| value.into_owned());
                    (find("for"), find("proto"))
                })
                .collect();
            return self
                .walk(parts.iter().map(|(node, scheme)| (node.as_deref(), scheme.as_deref())));
        }
        let addresses: Vec<_> = fields.list("x-forwarded-for").collect();
        let mut told = self.walk(addresses.iter().rev().map(|address| (Some(*address), None)));
        let scheme = fields.list("x-forwarded-proto").last();
        told.is_secure = scheme.map(|scheme| scheme.eq_ignore_ascii_case("https"));
        told
    }
}

impl<H: Handler> Handler for TrustedProxies<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let is_trusted =
            request.peer().is_some_and(|peer| peer.ip().is_none_or(|ip| self.trusts(ip)));
        if is_trusted {
            let told = self.told(&request);
            if told.ip.is_some() || told.is_secure.is_some() {
                request.put(told);
            }
        }
        self.inner.handle(request, reply);
    }
}

/// The address of a node: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    if let Ok(ip) = node.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    let socket: Option<std::net::SocketAddr> = node.parse().ok();
    let bare = || node.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    socket.map(|addr| addr.ip()).or_else(bare).map(|ip| ip.to_canonical())
}

impl Request {
    /// The IP address of the client: what a [trusted proxy](TrustedProxies) has told, or else that of the peer. `None` if it has none, as
    /// over a Unix socket.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        let told = self.find::<Told>().and_then(|told| told.ip);
        told.or_else(|| self.peer()?.ip())
    }

    /// Whether the client's connection is encrypted by TLS: this connection, or that to a proxy that tells so by the PROXY protocol or is
    /// [trusted](TrustedProxies).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        if let Some(is_secure) = self.find::<Told>().and_then(|told| told.is_secure) {
            return is_secure;
        }
        let Some(transport) = self.0.transport() else { return false };
        let peer = transport.peer();
        transport.is_tls()
            || peer.proxied().and_then(|proxied| proxied.ssl()).is_some_and(|ssl| ssl.is_tls())
    }
}

impl<H> fmt::Debug for TrustedProxies<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedProxies").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("192.0.2.7", Some("192.0.2.7")),
            (" 192.0.2.7:80", Some("192.0.2.7")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
        ] {
            assert_eq!(address(text), expected.map(|ip| ip.parse().unwrap()), "{text}");
        }
    }
}
