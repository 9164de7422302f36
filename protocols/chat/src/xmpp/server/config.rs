//! Limits and rules of a server: [`ServerConfig`].

use std::{fmt, rc::Rc, time::Duration};

use sinew_auth::Authenticator;
use sinew_transports::starttls::ServerTls;

use super::{MemoryStore, Service, Store, archive::ArchiveConfig};
use crate::xmpp::codec::{Jid, JidError, XmlLimits};

/// Deepest stanza, whatever the limits say. [`Element::encode`](crate::xmpp::codec::Element::encode) ends at 128.
const DEPTH_MAX: usize = 100;

/// Says of a local part whether there is such an account.
type HasAccount = Rc<dyn Fn(&str) -> bool>;

/// The domain that a server has, who may log in, where accounts are stored, and the limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`connections_max`](Self::connections_max) | 10,000 | `resource-constraint`, closed |
/// | a stanza before the login, fixed | 10 KiB | `policy-violation`, closed |
/// | [`xml`](Self::xml): stanzas after it, and their parts | [`XmlLimits`]: 256 KiB, 64 deep | `policy-violation`, closed |
/// | a stanza as it is passed on, without its prefixes, fixed | four times that | `policy-violation`, not passed on |
/// | [`login_timeout`](Self::login_timeout): from the connection until a resource is bound | 60 s | `connection-timeout`, closed |
/// | [`logins_max`](Self::logins_max): logins of a connection that fail | 3 | `policy-violation`, closed |
/// | requests to bind or to resume that fail, of a connection, fixed | 10 | `policy-violation`, closed |
/// | [`rate`](Self::rate): stanzas at once; a second; each 4 KiB of a stanza beyond the first count as one more | 200; 50 | reading pauses |
/// | [`send_queue_max`](Self::send_queue_max): bytes that a client has not taken | 4 MiB | closed |
/// | [`unread_total_max`](Self::unread_total_max): bytes that wait in all sessions and for all accounts in memory | 256 MiB | the sessions for which most waits end, with `resource-constraint` |
/// | [`ping_after`](Self::ping_after), [`pong_within`](Self::pong_within): silence | 60 s; 60 s | `connection-timeout`, closed |
/// | [`resources_max`](Self::resources_max): of an account | 10 | a session that waits to be resumed ends, or `resource-constraint` |
/// | [`unacknowledged_max`](Self::unacknowledged_max): stanzas that a client has not acknowledged | 1,000 | the session ends |
/// | [`resume_within`](Self::resume_within): a session without a connection | 5 min | it ends |
/// | [`roster_max`](Self::roster_max): contacts, and requests of others | 2,000 | `resource-constraint` |
/// | a request for a subscription that waits, fixed | 1 KiB | kept without what is in it |
/// | requests that a client is told of when it comes, fixed | a quarter of `send_queue_max` | the rest when some are answered |
/// | [`directed_max`](Self::directed_max): addresses to which a session directs its presence | 256 | `resource-constraint` |
/// | [`offline_max`](Self::offline_max): messages that wait | 100 | `service-unavailable` |
/// | [`offline_bytes_max`](Self::offline_bytes_max): of them all | 1 MiB | `service-unavailable` |
/// | [`vcard_max`](Self::vcard_max), [`private_max`](Self::private_max): bytes | 64 KiB; 64 KiB | `resource-constraint` |
/// | [`blocked_max`](Self::blocked_max): addresses | 1,000 | `resource-constraint` |
/// | [`nodes_max`](Self::nodes_max): published nodes; items of each | 32; 64 | `resource-constraint`; the oldest go |
/// | [`node_bytes_max`](Self::node_bytes_max): published items of an account | 1 MiB | `resource-constraint` |
/// | logins that wait for the same account to be read, fixed | 100 | `temporary-auth-failure` |
/// | accounts that are being read for stanzas, and what waits for them, fixed | 1,000; 16 MiB | `resource-constraint` |
/// | questions of an account, or to sessions of a service, that wait for answers, and their bytes, fixed | 1,000, 256 KiB | the oldest is answered with `resource-constraint` |
/// | what waits for an inactive client, fixed | 200 stanzas, 64 KiB | all of it is sent |
/// | [`accounts_cached_max`](Self::accounts_cached_max): accounts in memory without a session | 1,000 | read again when they are needed |
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::ServerConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Users::new().user("ann", "secret").user("bob", "secret");
/// let config = ServerConfig::new("example.org", users)?.resources_max(3);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ServerConfig {
    pub(super) domain: Jid,
    pub(super) accounts: Authenticator,
    pub(super) store: Rc<dyn Store>,
    pub(super) archive: Option<ArchiveConfig>,
    pub(super) has_account: Option<HasAccount>,
    pub(super) services: Vec<(Jid, Rc<dyn Service>)>,
    pub(super) software: Option<(String, String)>,
    pub(super) tls: ServerTls,
    pub(super) requires_tls: bool,
    pub(super) connections_max: usize,
    pub(super) xml: XmlLimits,
    pub(super) login_timeout: Duration,
    pub(super) logins_max: usize,
    pub(super) burst: u32,
    pub(super) interval: Duration,
    pub(super) send_queue_max: usize,
    pub(super) unread_total_max: usize,
    pub(super) ping_after: Duration,
    pub(super) pong_within: Duration,
    pub(super) resources_max: usize,
    pub(super) unacknowledged_max: usize,
    pub(super) resume_within: Duration,
    pub(super) roster_max: usize,
    pub(super) directed_max: usize,
    pub(super) offline_max: usize,
    pub(super) offline_bytes_max: usize,
    pub(super) vcard_max: usize,
    pub(super) private_max: usize,
    pub(super) blocked_max: usize,
    pub(super) nodes_max: usize,
    pub(super) items_max: usize,
    pub(super) node_bytes_max: usize,
    pub(super) accounts_cached_max: usize,
}

impl ServerConfig {
    /// A server of this domain, with those who may log in. Accounts are stored in memory, unless [`store`](Self::store) says otherwise.
    ///
    /// The name by which somebody logs in is the local part of the address, and must be one that [`Jid`] leaves as it is: `Ann` cannot log
    /// in, `ann` can.
    ///
    /// # Errors
    ///
    /// [`JidError`]: it is not a domain.
    pub fn new(domain: &str, accounts: impl Into<Authenticator>) -> Result<Self, JidError> {
        Ok(Self {
            domain: domain_of(domain)?,
            accounts: accounts.into(),
            store: Rc::new(MemoryStore::new()),
            archive: None,
            has_account: None,
            services: Vec::new(),
            software: Some(("sinew".to_owned(), env!("CARGO_PKG_VERSION").to_owned())),
            tls: ServerTls::default(),
            requires_tls: true,
            connections_max: 10_000,
            xml: XmlLimits::default(),
            login_timeout: Duration::from_secs(60),
            logins_max: 3,
            burst: 200,
            interval: Duration::from_millis(20),
            send_queue_max: 4 << 20,
            unread_total_max: 256 << 20,
            ping_after: Duration::from_secs(60),
            pong_within: Duration::from_secs(60),
            resources_max: 10,
            unacknowledged_max: 1_000,
            resume_within: Duration::from_secs(300),
            roster_max: 2_000,
            directed_max: 256,
            offline_max: 100,
            offline_bytes_max: 1 << 20,
            vcard_max: 64 << 10,
            private_max: 64 << 10,
            blocked_max: 1_000,
            nodes_max: 32,
            items_max: 64,
            node_bytes_max: 1 << 20,
            accounts_cached_max: 1_000,
        })
    }

    /// Where accounts are stored: in a folder ([`FolderStore`](super::FolderStore)), or in a store of your own. Default: in memory.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Rc::new(store);
        self
    }

    /// Archives the messages of accounts (XEP-0313), within the limits of [`ArchiveConfig`]. Default: no messages are archived.
    pub fn archive(mut self, archive: ArchiveConfig) -> Self {
        self.archive = Some(archive);
        self
    }

    /// Says of a local part whether there is such an account, although it was never stored: nobody has logged in to it yet. Without it, an
    /// account begins to exist for others at its first login. Called by the event loop, without a borrow.
    pub fn has_account(mut self, has: impl Fn(&str) -> bool + 'static) -> Self {
        self.has_account = Some(Rc::new(has));
        self
    }

    /// Gives a domain to a service. A second service of the same domain takes its place.
    ///
    /// # Errors
    ///
    /// [`JidError`]: it is not a domain.
    pub fn service(mut self, domain: &str, service: impl Service) -> Result<Self, JidError> {
        let domain = domain_of(domain)?;
        self.services.retain(|(known, _)| *known != domain);
        self.services.push((domain, Rc::new(service)));
        Ok(self)
    }

    /// What the server says it is (XEP-0092), name and version; `None`: nothing. Default: "sinew" and its version.
    pub fn software(mut self, software: Option<(&str, &str)>) -> Self {
        self.software = software.map(|(name, version)| (name.to_owned(), version.to_owned()));
        self
    }

    /// Whether logins need TLS, or a socket that does not leave the machine. Default `true`. Without it, the mechanisms are those that the
    /// authenticator has for connections that are not encrypted.
    pub fn requires_tls(mut self, requires: bool) -> Self {
        self.requires_tls = requires;
        self
    }

    /// Most connections. Default 10,000.
    pub fn connections_max(mut self, max: usize) -> Self {
        self.connections_max = max;
        self
    }

    /// The limits of what is received after the login. Elements are not deeper in each other than 100: copies and stored accounts have
    /// others around them.
    pub fn xml(mut self, limits: XmlLimits) -> Self {
        self.xml = limits.depth_at_most(DEPTH_MAX);
        self
    }

    /// From the connection until a resource is bound. Default 60 s.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.login_timeout = timeout;
        self
    }

    /// Most logins of a connection that fail. Default 3.
    pub fn logins_max(mut self, tries: usize) -> Self {
        self.logins_max = tries;
        self
    }

    /// How many stanzas of a client are taken at once, and the time between those that follow. Default 200 and 20 ms. A long stanza counts
    /// as several: as one more for each 4 KiB beyond the first.
    pub fn rate(mut self, burst: u32, interval: Duration) -> Self {
        self.burst = burst.max(1);
        self.interval = interval;
        self
    }

    /// Most bytes that wait to be sent to a client. Default 4 MiB.
    pub fn send_queue_max(mut self, bytes: usize) -> Self {
        self.send_queue_max = bytes;
        self
    }

    /// Most bytes that wait for all clients together: that connections have not taken, that clients have not acknowledged, also while
    /// their sessions wait to be resumed, and messages for accounts without clients, which have half of it at most. Default 256 MiB. With
    /// more, the sessions end for which most waits; one that reads is told `resource-constraint`, others are disconnected. It is looked at after
    /// each stanza. A long message to a room counts for each occupant, though they share most of its memory.
    pub fn unread_total_max(mut self, bytes: usize) -> Self {
        self.unread_total_max = bytes;
        self
    }

    /// After how much silence a client is asked whether it is there. Default 60 s.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.ping_after = silence;
        self
    }

    /// How long it may then be silent. Default 60 s.
    pub fn pong_within(mut self, silence: Duration) -> Self {
        self.pong_within = silence;
        self
    }

    /// Most resources of an account. Default 10. For one more, the oldest session ends that waits to be resumed, if there is one.
    pub fn resources_max(mut self, max: usize) -> Self {
        self.resources_max = max;
        self
    }

    /// Most stanzas that a client with stream management has not acknowledged. Default 1,000.
    pub fn unacknowledged_max(mut self, max: usize) -> Self {
        self.unacknowledged_max = max;
        self
    }

    /// How long a session without a connection can be resumed; zero: not at all. Default 5 minutes.
    pub fn resume_within(mut self, time: Duration) -> Self {
        self.resume_within = time;
        self
    }

    /// Most contacts of an account, and requests for subscriptions that it has not answered. Default 2,000.
    pub fn roster_max(mut self, max: usize) -> Self {
        self.roster_max = max;
        self
    }

    /// Most addresses to which a session directs its presence: rooms, for the most part. Default 256.
    pub fn directed_max(mut self, max: usize) -> Self {
        self.directed_max = max;
        self
    }

    /// Most messages that wait for an account; zero: none are stored. Default 100.
    pub fn offline_max(mut self, max: usize) -> Self {
        self.offline_max = max;
        self
    }

    /// Most bytes of the messages that wait for an account. Default 1 MiB.
    pub fn offline_bytes_max(mut self, bytes: usize) -> Self {
        self.offline_bytes_max = bytes;
        self
    }

    /// Most bytes of a vCard. Default 64 KiB.
    pub fn vcard_max(mut self, bytes: usize) -> Self {
        self.vcard_max = bytes;
        self
    }

    /// Most bytes of the private data of an account. Default 64 KiB.
    pub fn private_max(mut self, bytes: usize) -> Self {
        self.private_max = bytes;
        self
    }

    /// Most addresses that an account blocks. Default 1,000.
    pub fn blocked_max(mut self, max: usize) -> Self {
        self.blocked_max = max;
        self
    }

    /// Most nodes that an account publishes, and most items of each. Default 32 and 64.
    pub fn nodes_max(mut self, nodes: usize, items: usize) -> Self {
        self.nodes_max = nodes;
        self.items_max = items.max(1);
        self
    }

    /// Most bytes of the items that an account publishes. Default 1 MiB.
    pub fn node_bytes_max(mut self, bytes: usize) -> Self {
        self.node_bytes_max = bytes;
        self
    }

    /// Most accounts without a session that are kept in memory. Default 1,000.
    pub fn accounts_cached_max(mut self, max: usize) -> Self {
        self.accounts_cached_max = max;
        self
    }
}

fn domain_of(text: &str) -> Result<Jid, JidError> {
    let jid: Jid = text.parse()?;
    match jid.local().is_none() && jid.is_bare() {
        true => Ok(jid),
        false => Err(JidError::Character { part: "domain" }),
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.iter().map(|(domain, _)| domain).collect();
        f.debug_struct("ServerConfig")
            .field("domain", &self.domain)
            .field("services", &services)
            .finish_non_exhaustive()
    }
}
