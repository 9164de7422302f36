//! What resolv.conf(5) says: [`Settings`], read by the crate `resolv-conf` from text. Pure.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6, ToSocketAddrs},
    time::Duration,
};

use resolv_conf::{Config, ScopedIp};

use super::NameServer;
use crate::codec::Name;

/// Maximum number of servers that are used. glibc uses three.
pub const SERVERS_MAX: usize = 8;

/// Maximum number of search domains that are used. glibc has had no limit since 2.26.
pub const SEARCH_MAX: usize = 32;

/// The first wait for an answer, unless the file says another.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The port of DNS.
pub(super) const PORT: u16 = 53;

/// Servers and options. A reload replaces all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) servers: Vec<NameServer>,
    pub(super) search: Vec<Name>,
    pub(super) ndots: u32,
    pub(super) rotate: bool,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) tcp: bool,
    pub(super) trust_ad: bool,
    pub(super) no_aaaa: bool,
    pub(super) no_tld_query: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            rotate: false,
            timeout: TIMEOUT,
            attempts: 2,
            tcp: false,
            trust_ad: false,
            no_aaaa: false,
            no_tld_query: false,
        }
    }
}

impl Settings {
    /// Reads the text of a file. What makes no sense is ignored, as glibc does. Without a server, the one on this machine is meant.
    pub(super) fn parse(text: &[u8]) -> Self {
        let (config, errors) = Config::parse_with_errors(text);
        for error in errors {
            tracing::debug!(%error, "a line of resolv.conf is ignored");
        }
        let mut servers: Vec<_> = config.nameservers.iter().filter_map(server).collect();
        if servers.is_empty() {
            servers.push(NameServer::new((Ipv4Addr::LOCALHOST, PORT)));
        }
        let search = config.get_last_search_or_domain();
        Self {
            servers,
            search: search.filter_map(|domain| domain_name(domain)).take(SEARCH_MAX).collect(),
            ndots: config.ndots.min(15),
            rotate: config.rotate,
            timeout: if has_option(text, b"timeout:") {
                Duration::from_secs(config.timeout.clamp(1, 30).into())
            } else {
                TIMEOUT
            },
            attempts: config.attempts.clamp(1, 5),
            tcp: config.use_vc,
            trust_ad: config.trust_ad,
            no_aaaa: config.no_aaaa,
            no_tld_query: config.no_tld_query,
        }
    }
}

/// Whether an option stands in the text: the crate tells its default like a value that was written.
fn has_option(text: &[u8], option: &[u8]) -> bool {
    text.split(u8::is_ascii_whitespace).any(|word| word.starts_with(option))
}

fn domain_name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

fn server(ip: &ScopedIp) -> Option<NameServer> {
    let addr = match ip {
        ScopedIp::V6(ip, Some(scope)) => scoped(&format!("{ip}%{scope}"))?,
        other => SocketAddr::new(IpAddr::from(other), 0),
    };
    Some(NameServer::new((addr.ip(), PORT)).with_scope_of(addr))
}

/// An IPv6 address with its scope. The kernel is asked for the number of an interface; no name is looked up.
pub(super) fn scoped(text: &str) -> Option<SocketAddr> {
    let (ip, scope) = text.split_once('%')?;
    let ip = ip.parse().ok()?;
    if let Ok(scope) = scope.parse() {
        return Some(SocketAddrV6::new(ip, 0, 0, scope).into());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if scope.is_empty() || !scope.bytes().all(is_plain) {
        return None;
    }
    (text, 0).to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_everything() {
        let settings = Settings::parse(
            b"# comment\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver nonsense\nnameserver fe80::1%3\n\
              search Example.org sub.example.org.\n\
              options ndots:3 timeout:4 attempts:9 rotate use-vc edns0 trust-ad no-aaaa unknown-option\n\xff\xfe\n",
        );
        let shown: Vec<_> = settings.servers.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%3]:53"]);
        let search: Vec<_> = settings.search.iter().map(Name::to_ascii).collect();
        assert_eq!(search, ["Example.org.", "sub.example.org."]);
        assert_eq!((settings.ndots, settings.attempts), (3, 5));
        assert_eq!(settings.timeout, Duration::from_secs(4));
        assert!(settings.rotate && settings.tcp && settings.trust_ad && settings.no_aaaa);
    }

    #[test]
    fn an_empty_file() {
        let settings = Settings::parse(b"");
        assert_eq!(settings.servers, [NameServer::new((Ipv4Addr::LOCALHOST, 53))]);
        assert_eq!((settings.timeout, settings.attempts, settings.ndots), (TIMEOUT, 2, 1));
    }

    #[test]
    fn the_last_of_domain_and_search_counts() {
        let search = |text: &str| {
            let names = Settings::parse(text.as_bytes()).search;
            names.iter().map(Name::to_ascii).collect::<Vec<_>>()
        };
        assert_eq!(search("search a b\ndomain c\n"), ["c."]);
        assert_eq!(search("domain c\nsearch a b\n"), ["a.", "b."]);
        assert_eq!(search("options timeout:5"), [""; 0]);
    }
}
