//! A layer that answers only requests for hosts that it knows: [`KnownHosts`]. A page whose author points the name of its
//! site to this machine (DNS rebinding) could otherwise read everything here with the browser of somebody who may.

use std::net::IpAddr;

use sinew_http::{
    StatusCode,
    server::{Handler, Reply, Request, Response},
};

/// Passes on requests whose `Host` is an IP address, `localhost` or a configured name. An address cannot be pointed elsewhere.
pub(super) struct KnownHosts<H> {
    names: Vec<String>,
    inner: H,
}

impl<H> KnownHosts<H> {
    pub(super) const fn new(names: Vec<String>, inner: H) -> Self {
        Self { names, inner }
    }

    fn knows(&self, authority: &str) -> bool {
        let host = host_of(authority);
        is_address(host)
            || host.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl<H: Handler> Handler for KnownHosts<H> {
    fn handle(&self, request: Request, reply: Reply) {
        // Without a `Host` it is no browser of our time (HTTP/1.0).
        if request.authority().is_none_or(|authority| self.knows(authority)) {
            return self.inner.handle(request, reply);
        }
        let text = "this host name is not one of this server's; add it to its configuration, or use the address\n";
        reply.send(Response::text(text).with_status(StatusCode::MISDIRECTED_REQUEST));
    }
}

/// The host without the port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(host) => host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()),
        None => host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_configured_names_are_known_and_nothing_else() {
        let hosts = KnownHosts::new(vec!["status.example".to_owned()], ());
        let known = [
            "127.0.0.1",
            "127.0.0.1:9101",
            "[::1]:9101",
            "[::1]",
            "localhost",
            "LOCALHOST:80",
            "status.example:9101",
            "Status.Example",
            "192.0.2.7:80",
        ];
        for host in known {
            assert!(hosts.knows(host), "{host}");
        }
        let unknown = [
            "",
            "example",
            "localhost.example",
            "127.0.0.1.example:80",
            "status.example.evil",
            "::1:80x",
            "[::1",
            "127.0.0.1:80.evil",
            "[127.0.0.1]",
            "evil.status.example",
            "localhost:80:80",
            "2130706433",
        ];
        for host in unknown {
            assert!(!hosts.knows(host), "{host}");
        }
    }
}
