//! Limits of servers: [`ServerConfig`].

use std::time::Duration;

use super::Acl;
use crate::codec::tsig::TsigKey;

/// Limits and options of a [`DnsServer`](super::DnsServer). Of several reactors each has a server of its own: limits are for each of them, and
/// a cookie is good only for the one that has made it.
///
/// # Examples
///
/// ```
/// use sinew_dns::server::{Acl, ServerConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = ServerConfig::default()
///     .acl(Acl::nobody().allow("192.0.2.0/24".parse()?))
///     .responses_per_second(None);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) acl: Acl,
    pub(super) drops_denied: bool,
    pub(super) udp_payload: u16,
    pub(super) responses_per_second: Option<u32>,
    pub(super) rate_slots: usize,
    pub(super) uses_cookies: bool,
    pub(super) idle_timeout: Duration,
    pub(super) in_flight_max: usize,
    pub(super) connections_per_address_max: usize,
    pub(super) answer_timeout: Duration,
    pub(super) pending_max: usize,
    pub(super) keys: Vec<TsigKey>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            acl: Acl::everybody(),
            drops_denied: false,
            udp_payload: 1232,
            responses_per_second: Some(20),
            rate_slots: 16_384,
            uses_cookies: true,
            idle_timeout: Duration::from_secs(10),
            in_flight_max: 128,
            connections_per_address_max: 20,
            answer_timeout: Duration::from_secs(10),
            pending_max: 10_000,
            keys: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// Who may ask. Default: everybody. Others get REFUSED.
    pub fn acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }

    /// Whether queries of those who may not ask are dropped instead of refused. Default `false`.
    pub fn drop_denied(mut self, drop: bool) -> Self {
        self.drops_denied = drop;
        self
    }

    /// Longest response over UDP, however much the client takes, and longest query that is announced; 512 to 4,096. Default 1,232
    /// bytes, which pass without fragments.
    pub fn udp_payload(mut self, bytes: u16) -> Self {
        self.udp_payload = bytes.clamp(512, 4096);
        self
    }

    /// Equal responses to one network (/24 or /56) in a second over UDP. Of those beyond, every second one tells the client to ask over
    /// TCP, and the others are dropped. All errors are equal, and so are the answers of a zone for all names below a wildcard, a
    /// delegation or a DNAME. Clients that return a cookie are not limited. Default 20; `None` turns it off.
    pub fn responses_per_second(mut self, responses: impl Into<Option<u32>>) -> Self {
        self.responses_per_second = responses.into();
        self
    }

    /// Counters of response rate limiting, 24 bytes each. Default 16,384.
    pub fn rate_limit_counters(mut self, counters: usize) -> Self {
        self.rate_slots = counters;
        self
    }

    /// Whether clients that send a cookie get one (RFC 7873). Default `true`.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.uses_cookies = cookies;
        self
    }

    /// How long a connection may be silent, and how long it may take to send one query. Default 10 s.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.idle_timeout = time;
        self
    }

    /// Maximum queries of one connection that wait for their answer; then no more are read. Default 128.
    pub fn in_flight_max(mut self, queries: usize) -> Self {
        self.in_flight_max = queries.max(1);
        self
    }

    /// Maximum connections from one address; more are refused. Default 20.
    pub fn connections_per_address_max(mut self, connections: usize) -> Self {
        self.connections_per_address_max = connections;
        self
    }

    /// How long a handler may take to answer; then the client gets SERVFAIL, and the work is cancelled. Default 10 s.
    pub fn answer_timeout(mut self, time: Duration) -> Self {
        self.answer_timeout = time;
        self
    }

    /// Maximum queries that wait for their answer in all; more get SERVFAIL. Default 10,000.
    pub fn pending_max(mut self, queries: usize) -> Self {
        self.pending_max = queries;
        self
    }

    /// A key for signed queries (TSIG); others are refused. May be called several times, for several keys.
    pub fn key(mut self, key: TsigKey) -> Self {
        self.keys.push(key);
        self
    }
}
