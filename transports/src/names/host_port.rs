//! Parses `host:port`: [`host_port`], and its errors. Pure.

use sinew_reactor::Excerpt;

use super::{literal::Literal, services};

/// Why a text is not `host:port`. The message is shown beside the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostPortError {
    #[error("{host} has no port; write {host}:PORT", host = excerpt(.0))]
    NoPort(String),
    #[error("it is empty; write HOST:PORT")]
    Empty,
    #[error("the host is missing; write HOST:{}", excerpt(.0))]
    NoHost(String),
    #[error("{}", services::port_error(.0))]
    BadPort(String),
    #[error("an IPv6 address must be in brackets before its port, as in [::1]:8000")]
    NoBrackets,
    #[error("{} is not an IPv6 address in brackets", excerpt(.0))]
    BadBrackets(String),
    #[error("there are several colons; write HOST:PORT")]
    SeveralColons,
}

/// An excerpt of the text.
fn excerpt(text: &str) -> Excerpt<'_> {
    Excerpt::new(text).len_max(64)
}

/// Parses `host:port`. The port may be a service name; the host is an address or a name, which is not checked further.
pub(crate) fn host_port(text: &str) -> Result<(&str, u16), HostPortError> {
    if is_bare_ipv6(text) {
        return Err(HostPortError::NoBrackets);
    }
    let is_address = Literal::parse(text).is_some();
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !is_address) else {
        return Err(match services::port(text) {
            Some(_) => HostPortError::NoHost(text.to_owned()),
            None if text.is_empty() => HostPortError::Empty,
            None => HostPortError::NoPort(text.to_owned()),
        });
    };
    if is_wildcard(host) && port.is_empty() {
        return Err(HostPortError::Empty);
    }
    check_host(host, port)?;
    if port.is_empty() {
        return Err(HostPortError::NoPort(host.to_owned()));
    }
    let number = services::port(port).ok_or_else(|| HostPortError::BadPort(port.to_owned()))?;
    Ok((host, number))
}

/// Checks the host before a port.
pub(crate) fn check_host(host: &str, port: &str) -> Result<(), HostPortError> {
    if is_wildcard(host) {
        return Err(HostPortError::NoHost(port.to_owned()));
    }
    if host.starts_with('[') {
        let is_address = Literal::parse(host).is_some();
        return is_address.then_some(()).ok_or_else(|| HostPortError::BadBrackets(host.to_owned()));
    }
    match host.contains(':') {
        true if is_bare_ipv6(host) => Err(HostPortError::NoBrackets),
        true => Err(HostPortError::SeveralColons),
        false => Ok(()),
    }
}

/// A host that means all interfaces for servers, and is invalid for clients.
pub(crate) fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "*")
}

fn is_bare_ipv6(text: &str) -> bool {
    !text.starts_with('[') && Literal::parse(text).is_some_and(|literal| literal.is_ipv6())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_ports() {
        let cases = [
            ("127.0.0.1:8123", Ok(("127.0.0.1", 8123))),
            ("localhost:8123", Ok(("localhost", 8123))),
            ("example.org:https", Ok(("example.org", 443))),
            ("[::1]:80", Ok(("[::1]", 80))),
            ("[fe80::1%lo]:80", Ok(("[fe80::1%lo]", 80))),
            ("[fe80::1%1]:80", Ok(("[fe80::1%1]", 80))),
            ("127.0.0.1:99999", Err("port 99999 is above 65535")),
            ("[::1]:65536", Err("port 65536 is above 65535")),
            (
                "localhost:eighty",
                Err(r#""eighty" is not a port: neither 0 to 65535 nor a service name"#),
            ),
            ("localhost:", Err("localhost has no port; write localhost:PORT")),
            ("example.org", Err("example.org has no port; write example.org:PORT")),
            ("127.0.0.1", Err("127.0.0.1 has no port; write 127.0.0.1:PORT")),
            ("[::1]", Err("[::1] has no port; write [::1]:PORT")),
            ("", Err("it is empty; write HOST:PORT")),
            (":", Err("it is empty; write HOST:PORT")),
            ("8123", Err("the host is missing; write HOST:8123")),
            (":8123", Err("the host is missing; write HOST:8123")),
            ("*:8123", Err("the host is missing; write HOST:8123")),
            ("::1", Err("an IPv6 address must be in brackets before its port, as in [::1]:8000")),
            (
                "::1:8123",
                Err("an IPv6 address must be in brackets before its port, as in [::1]:8000"),
            ),
            (
                "fe80::1%lo:80",
                Err("an IPv6 address must be in brackets before its port, as in [::1]:8000"),
            ),
            ("[localhost]:80", Err("[localhost] is not an IPv6 address in brackets")),
            ("[::1:80", Err("[::1 is not an IPv6 address in brackets")),
            ("a:b:80", Err("there are several colons; write HOST:PORT")),
        ];
        for (text, expected) in cases {
            let read = host_port(text).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
        }
    }
}
