//! A host and its port as one text, `host:port`: [`host_port`], and what is wrong with others. Pure.

use sinew_reactor::Excerpt;

use super::{literal::Literal, services};

/// Why a text is no `host:port`. To be shown beside the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHostPort {
    #[error("{host} has no port; write {host}:PORT", host = part(.0))]
    NoPort(String),
    #[error("it is empty; write HOST:PORT")]
    Empty,
    #[error("the host is missing; write HOST:{}", part(.0))]
    NoHost(String),
    #[error("{}", services::why_no_port(.0))]
    BadPort(String),
    #[error("an IPv6 address must be in brackets before its port, as in [::1]:8000")]
    NoBrackets,
    #[error("{} is not an IPv6 address in brackets", part(.0))]
    BadBrackets(String),
    #[error("there are several colons; what is meant is HOST:PORT")]
    Colons,
}

/// A part of a text that is shown beside it.
fn part(text: &str) -> Excerpt<'_> {
    Excerpt::new(text).len_max(64)
}

/// Reads `host:port`. The port may be the name of a service; the host is an address or a name, which is not looked at further.
pub(crate) fn host_port(text: &str) -> Result<(&str, u16), NotHostPort> {
    if is_bare_ipv6(text) {
        return Err(NotHostPort::NoBrackets);
    }
    let is_address = Literal::parse(text).is_some();
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !is_address) else {
        return Err(match services::port(text) {
            Some(_) => NotHostPort::NoHost(text.to_owned()),
            None if text.is_empty() => NotHostPort::Empty,
            None => NotHostPort::NoPort(text.to_owned()),
        });
    };
    if is_wildcard(host) && port.is_empty() {
        return Err(NotHostPort::Empty);
    }
    check_host(host, port)?;
    if port.is_empty() {
        return Err(NotHostPort::NoPort(host.to_owned()));
    }
    let number = services::port(port).ok_or_else(|| NotHostPort::BadPort(port.to_owned()))?;
    Ok((host, number))
}

/// Whether the host that stands before this port can be one.
pub(crate) fn check_host(host: &str, port: &str) -> Result<(), NotHostPort> {
    if is_wildcard(host) {
        return Err(NotHostPort::NoHost(port.to_owned()));
    }
    if host.starts_with('[') {
        let is_address = Literal::parse(host).is_some();
        return is_address.then_some(()).ok_or_else(|| NotHostPort::BadBrackets(host.to_owned()));
    }
    match host.contains(':') {
        true if is_bare_ipv6(host) => Err(NotHostPort::NoBrackets),
        true => Err(NotHostPort::Colons),
        false => Ok(()),
    }
}

/// What stands for all addresses where something listens, and for none that could be connected to.
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
    fn a_host_and_its_port() {
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
                Err(r#""eighty" is not a port: neither 0 to 65535 nor the name of a service"#),
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
            ("a:b:80", Err("there are several colons; what is meant is HOST:PORT")),
        ];
        for (text, expected) in cases {
            let read = host_port(text).map_err(|error| error.to_string());
            assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
        }
    }
}
