//! IP addresses as text, without a port: [`Literal`]. An IPv6 address may have a scope, the index or name of an
//! interface (RFC 4007, section 11). Pure: interface names are not looked up here.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

/// Longest interface name accepted. Linux allows 15 characters, others up to 64.
const INTERFACE_LEN_MAX: usize = 64;

/// `192.0.2.1`, `::1`, `fe80::1%2` or `fe80::1%eth0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// An address, with its scope id if one was given. The port is 0.
    Addr(SocketAddr),
    /// A link-local address with an interface name.
    OnInterface(Ipv6Addr, String),
}

impl Literal {
    /// Parses an address. An IPv6 address may be in brackets.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let in_brackets = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        if let Some((ip, scope)) = in_brackets.unwrap_or(text).split_once('%') {
            return Self::scoped(ip.parse().ok()?, scope);
        }
        let ip: IpAddr = match in_brackets {
            Some(text) => text.parse::<Ipv6Addr>().ok()?.into(),
            None => text.parse().ok()?,
        };
        Some(Self::Addr((ip, 0).into()))
    }

    fn scoped(ip: Ipv6Addr, scope: &str) -> Option<Self> {
        if scope.bytes().all(|byte| byte.is_ascii_digit()) {
            let scope = scope.parse().ok()?;
            return Some(Self::Addr(SocketAddrV6::new(ip, 0, 0, scope).into()));
        }
        let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '%' | '/' | ':' | '[' | ']');
        let is_name = scope.len() <= INTERFACE_LEN_MAX && scope.chars().all(is_plain);
        is_name.then(|| Self::OnInterface(ip, scope.to_owned()))
    }

    pub(crate) const fn is_ipv6(&self) -> bool {
        match self {
            Self::Addr(addr) => addr.is_ipv6(),
            Self::OnInterface(..) => true,
        }
    }

    /// The address without its scope.
    pub(crate) const fn ip(&self) -> IpAddr {
        match self {
            Self::Addr(addr) => addr.ip(),
            Self::OnInterface(ip, _) => IpAddr::V6(*ip),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(SocketAddr::V6(addr)) if addr.scope_id() != 0 => {
                write!(f, "{}%{}", addr.ip(), addr.scope_id())
            }
            Self::Addr(addr) => addr.ip().fmt(f),
            Self::OnInterface(ip, interface) => write!(f, "{ip}%{interface}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("192.0.2.1", Some("192.0.2.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("fe80::1%2", Some("fe80::1%2")),
            ("[fe80::1%2]", Some("fe80::1%2")),
            ("fe80:0::1%eth0", Some("fe80::1%eth0")),
            ("[fe80::1%eth0.7]", Some("fe80::1%eth0.7")),
            ("fe80::1%0", Some("fe80::1")),
            ("[192.0.2.1]", None),
            ("192.0.2.1%eth0", None),
            ("fe80::1%", None),
            ("fe80::1%4294967296", None),
            ("fe80::1%et h0", None),
            ("fe80::1%a%b", None),
            ("[fe80::1", None),
            ("fe80::1]", None),
            ("[[::1]]", None),
            ("[]", None),
            ("localhost", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let shown = Literal::parse(text).map(|literal| literal.to_string());
            assert_eq!(shown.as_deref(), expected, "{text:?}");
            // The output parses to the same address.
            if let Some(shown) = shown {
                assert_eq!(Literal::parse(&shown), Literal::parse(text), "{text:?}");
            }
        }
        let long = format!("fe80::1%{}", "e".repeat(65));
        assert_eq!(Literal::parse(&long), None);
    }
}
