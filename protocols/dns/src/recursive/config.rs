//! Configuration of a recursive resolver: [`RecursiveConfig`]. Every limit has a name and a default.

use std::time::Duration;

use super::{RootHints, delegation::Delegations, facts::Facts};
use crate::client::{ask_config::AskConfig, store::StoreLimits};

/// Configuration of a [`RecursiveResolver`](super::RecursiveResolver).
///
/// # Examples
///
/// ```
/// use sinew_dns::recursive::{RecursiveConfig, RootHints};
///
/// // A root of one's own, at a port of one's own.
/// let config = RecursiveConfig::default()
///     .hints(RootHints::at(["192.0.2.1:5300".parse()?]))
///     .port(5300);
/// # drop(config);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RecursiveConfig {
    pub(super) hints: RootHints,
    pub(super) primes: bool,
    pub(super) port: u16,
    pub(super) allows_loopback: bool,
    pub(super) is_ipv4_only: bool,
    pub(super) minimises: bool,
    pub(super) asking: AskConfig,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
    pub(super) total: Duration,
    pub(super) queries_max: usize,
    pub(super) unknown_servers_max: usize,
    pub(super) depth_max: usize,
    pub(super) chain_max: usize,
    pub(super) questions_max: usize,
    pub(super) in_flight_max: usize,
    pub(super) cache_entries_max: usize,
    pub(super) cache_bytes_max: usize,
    pub(super) positive_max: Duration,
    pub(super) negative_max: Duration,
    pub(super) stale_max: Duration,
    pub(super) failure_ttl: Duration,
    pub(super) servers_max: usize,
}

impl Default for RecursiveConfig {
    /// From the root servers of the internet.
    fn default() -> Self {
        Self {
            hints: RootHints::iana(),
            primes: true,
            port: 53,
            allows_loopback: false,
            is_ipv4_only: false,
            minimises: true,
            asking: AskConfig { cookies: true, ..AskConfig::default() },
            timeout: Duration::from_secs(1),
            attempts: 2,
            total: Duration::from_secs(10),
            queries_max: 100,
            unknown_servers_max: 5,
            depth_max: 8,
            chain_max: 8,
            questions_max: 4096,
            in_flight_max: 128,
            cache_entries_max: 100_000,
            cache_bytes_max: 64 << 20,
            positive_max: Duration::from_secs(86_400),
            negative_max: Duration::from_secs(300),
            stale_max: Duration::ZERO,
            failure_ttl: Duration::from_secs(5),
            servers_max: 10_000,
        }
    }
}

impl RecursiveConfig {
    /// Where the root is. Default: the root servers of the internet ([`RootHints::iana`]).
    pub fn hints(mut self, hints: RootHints) -> Self {
        self.hints = hints;
        self
    }

    /// Whether the hints are asked who the root servers are now (RFC 8109), at the first question and after that has run out. Default
    /// `true`.
    pub fn priming(mut self, priming: bool) -> Self {
        self.primes = priming;
        self
    }

    /// The port of all servers that delegations name. Default 53.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Whether delegations may lead to addresses of this machine, as in tests. Default `false`: they are ignored, as those of links
    /// and multicast always are.
    pub fn allow_loopback(mut self, allow: bool) -> Self {
        self.allows_loopback = allow;
        self
    }

    /// Whether servers are asked over IPv4 only. Default `false`.
    pub fn ipv4_only(mut self, only: bool) -> Self {
        self.is_ipv4_only = only;
        self
    }

    /// Whether servers are shown no more of a name than they need (RFC 9156), unless they answer only the whole name. Default `true`.
    pub fn minimise(mut self, minimise: bool) -> Self {
        self.minimises = minimise;
        self
    }

    /// Whether queries have cookies (RFC 7873), against forged responses of servers that support them: one that has sent a cookie is asked
    /// over TCP if a response comes without. Default `true`.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.asking.cookies = cookies;
        self
    }

    /// Whether names are sent in random case, which the response must repeat (0x20). Default `false`: some servers do not. The case may
    /// show in the names of answers.
    pub fn random_case(mut self, random: bool) -> Self {
        self.asking.random_case = random;
        self
    }

    /// How long to wait for a server whose round-trip time is not known. For others it is twice that time and more, at least
    /// 400 ms and at most 5 s; a second attempt waits twice as long. Default 1 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.max(Duration::from_millis(1));
        self
    }

    /// How often each server of a zone is asked. Default 2, maximum 5.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.clamp(1, 5);
        self
    }

    /// How long a question may take in all. Default 10 s.
    pub fn total(mut self, time: Duration) -> Self {
        self.total = time;
        self
    }

    /// Maximum number of queries for one question, with all that it takes to find servers and to follow aliases. Default 100; beyond it
    /// [`RecursiveError::TooManyQueries`](super::RecursiveError::TooManyQueries).
    pub fn queries_max(mut self, queries: usize) -> Self {
        self.queries_max = queries.max(1);
        self
    }

    /// Maximum number of servers of one zone whose addresses are looked up for one question, since the delegation has not told them.
    /// Default 5: a zone that names many such servers makes little work (NXNSAttack, CVE-2020-8616).
    pub fn unknown_servers_max(mut self, servers: usize) -> Self {
        self.unknown_servers_max = servers;
        self
    }

    /// Maximum depth of questions for the addresses of servers, which may need such questions themselves. Default 8.
    pub fn depth_max(mut self, depth: usize) -> Self {
        self.depth_max = depth;
        self
    }

    /// Maximum number of aliases that follow one another. Default 8.
    pub fn chain_max(mut self, aliases: usize) -> Self {
        self.chain_max = aliases;
        self
    }

    /// Maximum number of different questions at once. Default 4,096; beyond it
    /// [`RecursiveError::TooMany`](super::RecursiveError::TooMany).
    pub fn questions_max(mut self, questions: usize) -> Self {
        self.questions_max = questions.max(1);
        self
    }

    /// Maximum number of different queries that wait for one server. Default 128; beyond it another server is asked
    /// ([`ServerError::Busy`](crate::client::ServerError::Busy)).
    pub fn in_flight_max(mut self, queries: usize) -> Self {
        self.in_flight_max = queries.max(1);
        self
    }

    /// Maximum number of UDP sockets at once; each query has its own. Default 256; beyond it, queries wait.
    pub fn sockets_max(mut self, sockets: usize) -> Self {
        self.asking.sockets_max = sockets.max(1);
        self
    }

    /// Maximum number of answers in the cache. Default 100,000; the least recently used goes. 0 turns it off.
    pub fn cache_entries_max(mut self, entries: usize) -> Self {
        self.cache_entries_max = entries;
        self
    }

    /// Maximum bytes of the answers in the cache, roughly. Default 64 MiB.
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.cache_bytes_max = bytes;
        self
    }

    /// How long answers and delegations are kept at most, whatever their TTL. Default one day.
    pub fn positive_max(mut self, time: Duration) -> Self {
        self.positive_max = time;
        self
    }

    /// How long it is kept at most that there is no answer. Default 5 minutes.
    pub fn negative_max(mut self, time: Duration) -> Self {
        self.negative_max = time;
        self
    }

    /// How long after its time an answer may be used if no server answers (RFC 8767). Default 0: never.
    pub fn stale_max(mut self, time: Duration) -> Self {
        self.stale_max = time;
        self
    }

    /// How long a question that has failed is not asked again (RFC 9520). Default 5 s, maximum 5 minutes.
    pub fn failure_ttl(mut self, time: Duration) -> Self {
        self.failure_ttl = time.min(Duration::from_secs(300));
        self
    }

    /// Maximum number of servers whose round-trip times and failures are remembered, and of delegations. Default 10,000; the least
    /// recently used goes.
    pub fn servers_max(mut self, servers: usize) -> Self {
        self.servers_max = servers.max(1);
        self
    }

    pub(super) fn facts(&self) -> Facts {
        let limits =
            StoreLimits { stale_max: self.stale_max, ..self.limits(self.cache_entries_max) };
        Facts::new(limits, self.positive_max, self.negative_max)
    }

    pub(super) fn delegations(&self) -> Delegations {
        let servers = self.hints.servers(self.port);
        Delegations::new(servers, self.limits(self.servers_max), self.positive_max)
    }

    pub(super) const fn limits(&self, entries_max: usize) -> StoreLimits {
        StoreLimits { entries_max, bytes_max: self.cache_bytes_max, stale_max: Duration::ZERO }
    }
}
