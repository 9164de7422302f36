//! Configuration of a resolver: [`DnsConfig`]. Every limit has a name and a default.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    NameServer,
    ask_config::AskConfig,
    settings::{SEARCH_MAX, Settings},
};
use crate::codec::Name;

/// Configuration of a [`DnsResolver`](super::DnsResolver).
///
/// # Examples
///
/// ```
/// use std::{net::Ipv4Addr, time::Duration};
/// use sinew_dns::client::{DnsConfig, NameServer};
///
/// let config = DnsConfig::default()
///     .server(NameServer::new((Ipv4Addr::new(192, 0, 2, 53), 53)))
///     .timeout(Duration::from_millis(500));
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DnsConfig {
    /// From text like that of the file.
    base: Settings,
    overrides: Overrides,
    pub(super) resolv_conf: Option<PathBuf>,
    pub(super) hosts: Option<PathBuf>,
    pub(super) hosts_text: String,
    pub(super) asking: AskConfig,
    pub(super) total: Duration,
    pub(super) other_family: Duration,
    pub(super) rfc6724: bool,
    pub(super) questions_max: usize,
    pub(super) chain_max: usize,
    pub(super) cache_entries_max: usize,
    pub(super) cache_bytes_max: usize,
    pub(super) positive_max: Duration,
    pub(super) negative_max: Duration,
    pub(super) stale_max: Duration,
}

/// What was set in code, which counts more than what files say.
#[derive(Clone, Debug, Default)]
struct Overrides {
    servers: Option<Vec<NameServer>>,
    search: Option<Vec<Name>>,
    ndots: Option<u32>,
    rotate: Option<bool>,
    timeout: Option<Duration>,
    attempts: Option<u32>,
    tcp: Option<bool>,
    trust_ad: Option<bool>,
    no_aaaa: Option<bool>,
}

impl Default for DnsConfig {
    /// No servers, no files.
    fn default() -> Self {
        Self {
            base: Settings::default(),
            overrides: Overrides::default(),
            resolv_conf: None,
            hosts: None,
            hosts_text: String::new(),
            asking: AskConfig::default(),
            total: Duration::from_secs(10),
            other_family: Duration::from_secs(2),
            rfc6724: true,
            questions_max: 4096,
            chain_max: 8,
            cache_entries_max: 10_000,
            cache_bytes_max: 16 << 20,
            positive_max: Duration::from_secs(86_400),
            negative_max: Duration::from_secs(300),
            stale_max: Duration::ZERO,
        }
    }
}

impl DnsConfig {
    /// As the system is configured: servers and options of `/etc/resolv.conf`, names of `/etc/hosts`. Both files are read when the
    /// resolver is made, and again after they have changed.
    pub fn system() -> Self {
        Self::default().resolv_conf("/etc/resolv.conf").hosts("/etc/hosts")
    }

    /// Servers and options from a file like `/etc/resolv.conf`. What is set in code counts more.
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = Some(path.into());
        self
    }

    /// Servers and options from text like that of `/etc/resolv.conf`. Lines that make no sense are ignored, and what is
    /// set in code counts more.
    pub fn resolv_conf_text(mut self, text: &str) -> Self {
        self.base = Settings::parse(text.as_bytes());
        self
    }

    /// Names from a file like `/etc/hosts`, which come before all servers.
    pub fn hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts = Some(path.into());
        self
    }

    /// Names from text like that of `/etc/hosts`; those of a file come on top of it.
    pub fn hosts_text(mut self, text: impl Into<String>) -> Self {
        self.hosts_text = text.into();
        self
    }

    /// Adds a server; those of files are not asked then. At most [`SERVERS_MAX`](super::SERVERS_MAX) are used.
    pub fn server(mut self, server: impl Into<NameServer>) -> Self {
        self.overrides.servers.get_or_insert_default().push(server.into());
        self
    }

    /// Adds servers, asked over UDP; those of files are not asked then.
    pub fn servers(mut self, addrs: impl IntoIterator<Item = SocketAddr>) -> Self {
        let servers = self.overrides.servers.get_or_insert_default();
        servers.extend(addrs.into_iter().map(NameServer::new));
        self
    }

    /// Domains in which names with few dots are looked for, at most [`SEARCH_MAX`](super::SEARCH_MAX). Default: none.
    pub fn search(mut self, domains: impl IntoIterator<Item = Name>) -> Self {
        self.overrides.search = Some(domains.into_iter().take(SEARCH_MAX).collect());
        self
    }

    /// How many dots a name needs to be looked up as it is first, and in the search domains only then. Default 1, maximum 15.
    pub fn ndots(mut self, dots: u32) -> Self {
        self.overrides.ndots = Some(dots.min(15));
        self
    }

    /// Whether to begin with another server each time. Default `false`: in the order given.
    pub fn rotate(mut self, rotate: bool) -> Self {
        self.overrides.rotate = Some(rotate);
        self
    }

    /// How long to wait for the first answer of a server; each further round of all servers waits twice as long. Default 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.overrides.timeout = Some(timeout.max(Duration::from_millis(1)));
        self
    }

    /// How often each server is asked. Default 2, maximum 5.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.overrides.attempts = Some(attempts.clamp(1, 5));
        self
    }

    /// How long one question may take with all servers, and the aliases it leads to. Default 10 s.
    pub fn total(mut self, time: Duration) -> Self {
        self.total = time;
        self
    }

    /// After the first of A and AAAA has brought addresses, how long to wait for the other. Default 2 s, which is room for one lost
    /// packet.
    pub fn other_family_wait(mut self, time: Duration) -> Self {
        self.other_family = time;
        self
    }

    /// Whether all questions are asked over TCP (`use-vc`). Default `false`.
    pub fn tcp(mut self, tcp: bool) -> Self {
        self.overrides.tcp = Some(tcp);
        self
    }

    /// Whether the servers are trusted to say truly that a response was validated by DNSSEC (`trust-ad`), as one on this machine may be.
    /// Default `false`: [`Answer::is_authentic`](super::Answer::is_authentic) is `false` then.
    pub fn trust_ad(mut self, trust: bool) -> Self {
        self.overrides.trust_ad = Some(trust);
        self
    }

    /// Whether names are looked up for IPv4 only (`no-aaaa`). Default `false`.
    pub fn ipv4_only(mut self, only: bool) -> Self {
        self.overrides.no_aaaa = Some(only);
        self
    }

    /// Whether queries have cookies (RFC 7873), against forged responses of servers that support them: one that has sent a cookie is asked
    /// over TCP if a response comes without. Default `false`.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.asking.cookies = cookies;
        self
    }

    /// Whether names are sent in random case, which the response must repeat (0x20). Default `false`: some servers do not.
    pub fn random_case(mut self, random: bool) -> Self {
        self.asking.random_case = random;
        self
    }

    /// Whether addresses are sorted by RFC 6724, as `getaddrinfo(3)` does. For each address a UDP socket is connected, which sends
    /// nothing. Default `true`; else IPv6 comes first, in the order of the response.
    pub fn sort_addresses(mut self, sort: bool) -> Self {
        self.rfc6724 = sort;
        self
    }

    /// Maximum number of UDP sockets at once; each question has its own. Default 256; beyond it, questions wait.
    pub fn sockets_max(mut self, sockets: usize) -> Self {
        self.asking.sockets_max = sockets.max(1);
        self
    }

    /// Maximum number of different questions at once. Default 4,096; beyond it [`LookupError::TooMany`](super::LookupError::TooMany).
    pub fn questions_max(mut self, questions: usize) -> Self {
        self.questions_max = questions.max(1);
        self
    }

    /// After so many datagrams that are not the response, the question is asked over TCP, since somebody may be guessing. Default 16.
    pub fn wrong_responses_max(mut self, datagrams: usize) -> Self {
        self.asking.wrong_responses_max = datagrams;
        self
    }

    /// Maximum number of aliases (CNAME) between a name and its records. Default 8.
    pub fn chain_max(mut self, aliases: usize) -> Self {
        self.chain_max = aliases;
        self
    }

    /// How long a TCP connection is kept without a question. Default 10 s.
    pub fn tcp_idle(mut self, time: Duration) -> Self {
        self.asking.tcp_idle = time;
        self
    }

    /// Maximum number of questions in flight on a TCP connection. Default 128; beyond it, questions wait.
    pub fn tcp_in_flight_max(mut self, questions: usize) -> Self {
        self.asking.tcp_in_flight_max = questions.max(1);
        self
    }

    /// Limits of the cache: answers, and the bytes of the messages that they came in. Default 10,000 and 16 MiB; the least recently used
    /// goes. With 0 answers there is no cache.
    pub fn cache(mut self, answers: usize, bytes: usize) -> Self {
        self.cache_entries_max = answers;
        self.cache_bytes_max = bytes;
        self
    }

    /// How long answers are cached at most, whatever their TTL. Default 24 h.
    pub fn positive_max(mut self, time: Duration) -> Self {
        self.positive_max = time;
        self
    }

    /// How long it is cached at most that there is no answer (RFC 2308). Default 5 min.
    pub fn negative_max(mut self, time: Duration) -> Self {
        self.negative_max = time;
        self
    }

    /// How long answers may be used after their time, while no server answers (RFC 8767). Default: not at all.
    pub fn stale_max(mut self, time: Duration) -> Self {
        self.stale_max = time;
        self
    }

    /// TLS towards servers that are asked over it ([`NameServer::tls`]). Default: the roots of the system. The name of each server is
    /// set by itself.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: sinew_transports::tls::TlsClientConfig) -> Self {
        self.asking.tls = Some(tls);
        self
    }

    /// What counts, without a file.
    pub(super) fn settings(&self) -> Settings {
        self.settings_over(self.base.clone())
    }

    /// What counts, over what a file says.
    pub(super) fn settings_over(&self, file: Settings) -> Settings {
        let set = self.overrides.clone();
        Settings {
            servers: set.servers.unwrap_or(file.servers),
            search: set.search.unwrap_or(file.search),
            ndots: set.ndots.unwrap_or(file.ndots),
            rotate: set.rotate.unwrap_or(file.rotate),
            timeout: set.timeout.unwrap_or(file.timeout),
            attempts: set.attempts.unwrap_or(file.attempts),
            tcp: set.tcp.unwrap_or(file.tcp),
            trust_ad: set.trust_ad.unwrap_or(file.trust_ad),
            no_aaaa: set.no_aaaa.unwrap_or(file.no_aaaa),
            no_tld_query: file.no_tld_query,
        }
    }
}
