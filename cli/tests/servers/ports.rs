//! The ports at which servers of several protocols listen, out of their logs.

use crate::kit::Server;

/// The port at which a service has said to listen; `mail/pop3` is a group of ports of the service `mail`.
pub(super) fn port_of(server: &Server, service: &str) -> u16 {
    let own = format!("service={service}\n");
    let is_it = |line: &&String| line.contains("listening on ") && line.ends_with(&own);
    let line = server.lines.iter().find(is_it);
    let line = line.unwrap_or_else(|| panic!("{service}: {}", server.lines.concat()));
    let (_, rest) = line.split_once("listening on ").expect("an address");
    let address = rest.split_whitespace().next().and_then(|at| at.rsplit_once(':'));
    address.expect("a port").1.parse().expect("a number")
}
