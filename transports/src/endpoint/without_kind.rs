//! Endpoint strings without a kind: `host:port` and, for servers, a port only. Unambiguous strings are accepted; malformed addresses
//! get a specific error; any other string must begin with a kind. Pure.

use std::net::Ipv4Addr;

use super::{
    error::{EndpointError, EndpointProblem},
    grammar::Field,
};
use crate::{
    Destination,
    names::{
        host_port::{HostPortError, is_wildcard},
        literal::Literal,
        services,
    },
};

/// The kind of endpoint wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// The result of parsing without a kind. `None` if the first field must be a kind.
type Bare = Option<Result<Destination, EndpointError>>;

/// Parses fields whose first is not a known kind. `is_like_kind` says whether a name is likely a mistyped kind.
pub(super) fn read(
    text: &str,
    fields: &[Field],
    side: Side,
    is_like_kind: impl Fn(&str) -> bool,
) -> Bare {
    let (first, last) = (fields.first()?, fields.last()?);
    let failed = |place, problem| Some(Err(EndpointError::new(text, place, problem)));
    if let Some(problem) = bad_ipv6(fields) {
        return failed(first.place.start..last.place.end, address(problem));
    }
    let is_named = |field: &Field| field.name.is_some();
    match fields {
        [.., option] if is_named(option) => {
            let values: Vec<_> = fields.iter().take_while(|field| !is_named(field)).collect();
            let is_address = match values[..] {
                [alone] => is_number(&alone.value),
                [host, port] => is_host(&host.value) && services::port(&port.value).is_some(),
                _ => false,
            };
            let why = match side {
                Side::Server => "options follow a kind, as in tcp:8000:interface=127.0.0.1",
                Side::Client => "options follow a kind, as in tcp:example.org:80:timeout=10",
            };
            let problem = EndpointProblem::BadAddress { why: why.to_owned() };
            if is_address { failed(first.place.clone(), problem) } else { None }
        }
        [alone] => match parse_single(&alone.value, side)? {
            Ok(at) => Some(Ok(at)),
            Err(problem) => failed(alone.place.clone(), problem),
        },
        [host, port] if !is_named(host) => {
            if side == Side::Server && !is_host(&host.value) && is_like_kind(&host.value) {
                return None;
            }
            match parse_pair(&host.value, &port.value, side)? {
                Ok(to) => Some(Ok(to)),
                Err(problem @ EndpointProblem::BadPort { .. }) => {
                    failed(port.place.clone(), problem)
                }
                Err(problem) => failed(host.place.clone(), problem),
            }
        }
        _ => None,
    }
}

/// A single value.
fn parse_single(value: &str, side: Side) -> Option<Result<Destination, EndpointProblem>> {
    if is_number(value) {
        return Some(match (services::port(value), side) {
            (Some(port), Side::Server) => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
            (Some(_), Side::Client) => Err(address(HostPortError::NoHost(value.to_owned()))),
            (None, _) => Err(EndpointProblem::BadPort { value: value.to_owned() }),
        });
    }
    if cfg!(unix) && value.contains('/') {
        let why = "a path begins with its kind, as in unix:/run/web.sock".to_owned();
        return Some(Err(EndpointProblem::BadAddress { why }));
    }
    is_host(value).then(|| Err(address(HostPortError::NoPort(value.to_owned()))))
}

/// Two values.
fn parse_pair(host: &str, port: &str, side: Side) -> Option<Result<Destination, EndpointProblem>> {
    let number = services::port(port);
    let bad_port = || EndpointProblem::BadPort { value: port.to_owned() };
    match number {
        Some(number) if is_wildcard(host) => Some(match side {
            Side::Server => Ok((Ipv4Addr::UNSPECIFIED, number).into()),
            Side::Client => Err(address(HostPortError::NoHost(port.to_owned()))),
        }),
        Some(number) => Some(Ok((host, number).into())),
        None if port.is_empty() => {
            is_host(host).then(|| Err(address(HostPortError::NoPort(host.to_owned()))))
        }
        None if is_host(host) || is_wildcard(host) || is_number(port) => Some(Err(bad_port())),
        None => None,
    }
}

/// Checks for an IPv6 address without brackets, or brackets around something else.
fn bad_ipv6(fields: &[Field]) -> Option<HostPortError> {
    /// `::` with eight groups has nine fields, and a port follows.
    const FIELDS_MAX: usize = 10;
    let joined = |fields: &[Field]| {
        let values: Vec<_> = fields.iter().map(|field| &*field.value).collect();
        values.join(":")
    };
    let is_address = |text: &str| Literal::parse(text).is_some();
    let (first, (_, but_last)) = (fields.first()?, fields.split_last()?);
    if first.value.starts_with('[') {
        return (!is_address(&first.value)).then(|| HostPortError::BadBrackets(joined(fields)));
    }
    let is_plain = fields.iter().all(|field| field.name.is_none());
    let has_colons = is_plain && (3..=FIELDS_MAX).contains(&fields.len());
    let is_bare = has_colons && (is_address(&joined(fields)) || is_address(&joined(but_last)));
    is_bare.then_some(HostPortError::NoBrackets)
}

fn address(problem: HostPortError) -> EndpointProblem {
    match problem {
        HostPortError::BadPort(value) => EndpointProblem::BadPort { value },
        problem => EndpointProblem::BadAddress { why: problem.to_string() },
    }
}

/// Whether the value can only be a host. Other names may be those of kinds.
fn is_host(value: &str) -> bool {
    value.contains('.')
        || value.eq_ignore_ascii_case("localhost")
        || Literal::parse(value).is_some()
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether parse_pair names differ by parse_single character, or by parse_pair swapped ones. Kinds shorter than three characters never match.
pub(super) fn is_like(kind: &str, name: &str) -> bool {
    let (mut kind, mut name) = (kind.as_bytes(), name.as_bytes());
    if kind.len() < 3 {
        return false;
    }
    let is_same = |a: &u8, b: &u8| a.eq_ignore_ascii_case(b);
    while let ([a, kind_rest @ ..], [b, name_rest @ ..]) = (kind, name)
        && is_same(a, b)
    {
        (kind, name) = (kind_rest, name_rest);
    }
    while let ([kind_rest @ .., a], [name_rest @ .., b]) = (kind, name)
        && is_same(a, b)
    {
        (kind, name) = (kind_rest, name_rest);
    }
    match (kind, name) {
        ([_], [_] | []) | ([], [_]) => true,
        ([a, b], [c, d]) => is_same(a, d) && is_same(b, c),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_kinds() {
        for name in ["tpc", "tc", "tcpp", "tcp4", "TPC", "ttcp", "xcp"] {
            assert!(is_like("tcp", name), "{name}");
        }
        for name in ["tcp", "", "t", "udp", "http", "web", "localhost"] {
            assert!(!is_like("tcp", name), "{name}");
        }
        assert!(!is_like("fd", "db"));
    }
}
