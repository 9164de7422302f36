//! The client's address behind trusted reverse proxies: [`TrustedProxies`].

use std::{fmt, net::IpAddr};

use sinew_transports::proxy::Subnet;

use super::{Handler, Reply, Request};
use crate::codec::parameter;

/// A layer that trusts proxies to name the client of a request, in `X-Forwarded-For` and `X-Forwarded-Proto`, or
/// in `Forwarded` (RFC 7239). [`Request::client_ip`] and [`Request::is_secure`] have the result, as do the access log and the rate
/// limit inside this layer.
///
/// Of the addresses in the field, the last one that is not a trusted proxy is the client: those before it may be forged. Fields of
/// untrusted peers are ignored. Loopback addresses are trusted by default, and peers without an address: for a Unix socket,
/// the mode of its file decides who may connect.
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

/// What a trusted proxy has said about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    ip: Option<IpAddr>,
    is_secure: Option<bool>,
}

impl<H: Handler> TrustedProxies<H> {
    /// Wraps a handler.
    pub fn new(inner: H) -> Self {
        let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        let subnets = loopback.into_iter().zip([8, 128]);
        let trusted = subnets.filter_map(|(ip, bits)| Subnet::new(ip, bits)).collect();
        Self { inner, trusted, is_standard: false }
    }

    /// The addresses of trusted proxies, instead of loopback addresses.
    pub fn trust(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.trusted = subnets.into_iter().collect();
        self
    }

    /// Parses `Forwarded` instead of the `X-Forwarded-` fields. Never both: a proxy that sets one forwards the other unchanged.
    pub fn standard_field(mut self) -> Self {
        self.is_standard = true;
        self
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted.iter().any(|subnet| subnet.contains(ip))
    }

    /// The elements, the last one first: an address, and a scheme if it is known.
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
                    // The first parameter has no value before it, as in other fields.
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
    /// The IP address of the client: from a [trusted proxy](TrustedProxies), or else that of the peer. `None` if it has none, as
    /// over a Unix socket.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        let told = self.find::<Told>().and_then(|told| told.ip);
        told.or_else(|| self.peer()?.ip())
    }

    /// Whether the client's connection is encrypted by TLS: this connection, or that to a proxy that says so by the PROXY protocol
    /// or is [trusted](TrustedProxies).
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
