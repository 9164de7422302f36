//! Endpoints without a kind: `host:port` and, for servers, a port alone. What is clear is read, and what is plainly meant as an
//! address and is none is named; all else has to begin with a kind. Pure.

use std::net::Ipv4Addr;

use super::{
    error::{EndpointError, EndpointProblem},
    grammar::Field,
};
use crate::{
    Destination,
    names::{
        host_port::{NotHostPort, is_nobody},
        literal::Literal,
        services,
    },
};

/// Whose endpoint is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// What comes of fields whose first is no kind that is known. `None` if it has to be one.
type Bare = Option<Result<Destination, EndpointError>>;

/// Reads the fields of a string whose first is no kind. `is_like_kind` says whether a name could be one that was mistyped.
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
        [alone] => match one(&alone.value, side)? {
            Ok(at) => Some(Ok(at)),
            Err(problem) => failed(alone.place.clone(), problem),
        },
        [host, port] if !is_named(host) => {
            if side == Side::Server && !is_host(&host.value) && is_like_kind(&host.value) {
                return None;
            }
            match two(&host.value, &port.value, side)? {
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

/// A value by itself.
fn one(value: &str, side: Side) -> Option<Result<Destination, EndpointProblem>> {
    if is_number(value) {
        return Some(match (services::port(value), side) {
            (Some(port), Side::Server) => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
            (Some(_), Side::Client) => Err(address(NotHostPort::NoHost(value.to_owned()))),
            (None, _) => Err(EndpointProblem::BadPort { value: value.to_owned() }),
        });
    }
    if cfg!(unix) && value.contains('/') {
        let why = "a path begins with its kind, as in unix:/run/web.sock".to_owned();
        return Some(Err(EndpointProblem::BadAddress { why }));
    }
    is_host(value).then(|| Err(address(NotHostPort::NoPort(value.to_owned()))))
}

/// Two of them.
fn two(host: &str, port: &str, side: Side) -> Option<Result<Destination, EndpointProblem>> {
    let number = services::port(port);
    let bad_port = || EndpointProblem::BadPort { value: port.to_owned() };
    match number {
        Some(number) if is_nobody(host) => Some(match side {
            Side::Server => Ok((Ipv4Addr::UNSPECIFIED, number).into()),
            Side::Client => Err(address(NotHostPort::NoHost(port.to_owned()))),
        }),
        Some(number) => Some(Ok((host, number).into())),
        None if port.is_empty() => {
            is_host(host).then(|| Err(address(NotHostPort::NoPort(host.to_owned()))))
        }
        None if is_host(host) || is_nobody(host) || is_number(port) => Some(Err(bad_port())),
        None => None,
    }
}

/// What is wrong with an IPv6 address without brackets, or with what stands in brackets.
fn bad_ipv6(fields: &[Field]) -> Option<NotHostPort> {
    /// `::` and eight groups have no more colons, and a port comes behind them.
    const FIELDS_MAX: usize = 10;
    let joined = |fields: &[Field]| {
        let values: Vec<_> = fields.iter().map(|field| &*field.value).collect();
        values.join(":")
    };
    let is_address = |text: &str| Literal::parse(text).is_some();
    let (first, (_, but_last)) = (fields.first()?, fields.split_last()?);
    if first.value.starts_with('[') {
        return (!is_address(&first.value)).then(|| NotHostPort::BadBrackets(joined(fields)));
    }
    let is_plain = fields.iter().all(|field| field.name.is_none());
    let has_colons = is_plain && (3..=FIELDS_MAX).contains(&fields.len());
    let is_bare = has_colons && (is_address(&joined(fields)) || is_address(&joined(but_last)));
    is_bare.then_some(NotHostPort::NoBrackets)
}

fn address(problem: NotHostPort) -> EndpointProblem {
    match problem {
        NotHostPort::BadPort(value) => EndpointProblem::BadPort { value },
        problem => EndpointProblem::BadAddress { why: problem.to_string() },
    }
}

/// Whether this can only be meant as a host: other names may be those of kinds.
fn is_host(value: &str) -> bool {
    value.contains('.')
        || value.eq_ignore_ascii_case("localhost")
        || Literal::parse(value).is_some()
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name is a kind's but for one character, or for two that have changed places. Of very short kinds nothing is said.
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
    fn names_that_are_mistyped() {
        for name in ["tpc", "tc", "tcpp", "tcp4", "TPC", "ttcp", "xcp"] {
            assert!(is_like("tcp", name), "{name}");
        }
        for name in ["tcp", "", "t", "udp", "http", "web", "localhost"] {
            assert!(!is_like("tcp", name), "{name}");
        }
        assert!(!is_like("fd", "db"));
    }
}
