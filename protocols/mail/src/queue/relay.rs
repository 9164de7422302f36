//! Mail for other hosts: [`Relay`], a delivery agent that sends by SMTP or LMTP. To the mail exchangers of the domain, to a smart host, or
//! where a route of the domain says.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    rc::Rc,
    time::{Duration, Instant},
};

#[cfg(feature = "dns")]
use sinew_dns::client::DnsResolver;
use sinew_transports::{
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor},
};

use super::{
    Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status, connections::Connections,
};
use crate::smtp::{
    client::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError, Stage},
    codec::Sender,
};

/// Sends to other hosts. Clones share connections.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`idle_timeout`](Self::idle_timeout): a connection without a message | 10 s | it is closed |
/// | [`idle_max`](Self::idle_max): such connections, in all | 20 | the oldest is closed |
/// | [`messages_max`](Self::messages_max): messages on a connection | 100 | it is closed |
/// | [`bad_host_time`](Self::bad_host_time): a host that could not be reached | 15 min | it is tried after the others |
/// | exchangers of a domain that are tried | 10 | the message is tried later |
///
/// What is not there: DANE (RFC 7672), MTA-STS (RFC 8461); domains in other scripts than ASCII are asked for as they are, so they need a
/// smart host; a message is not converted for a server without 8BITMIME or SMTPUTF8, but returned.
#[derive(Clone)]
#[must_use]
pub struct Relay {
    config: ClientConfig,
    smart_host: Option<Route>,
    routes: BTreeMap<String, Route>,
    #[cfg(feature = "dns")]
    resolver: Option<DnsResolver>,
    #[cfg(feature = "dns")]
    hostname: Rc<str>,
    bad_host_time: Duration,
    bad_hosts: Rc<RefCell<BTreeMap<String, Instant>>>,
    connections: Rc<Connections>,
}

/// A server that mail goes to, and how it is spoken to.
#[derive(Clone, Debug)]
struct Route {
    to: ClientEndpoint,
    config: Option<ClientConfig>,
}

/// A server that may be tried.
struct Candidate {
    name: String,
    to: ClientEndpoint,
    config: ClientConfig,
}

/// Most bad hosts that are remembered.
const BAD_HOSTS_MAX: usize = 10_000;

impl Relay {
    /// An agent that connects as the configuration says. Without [a resolver](Self::resolver) or [a smart host](Self::smart_host), the
    /// domain of a recipient is taken for the name of its server.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            #[cfg(feature = "dns")]
            hostname: config.hostname().to_string().to_ascii_lowercase().into(),
            config,
            smart_host: None,
            routes: BTreeMap::new(),
            #[cfg(feature = "dns")]
            resolver: None,
            bad_host_time: Duration::from_secs(15 * 60),
            bad_hosts: Rc::default(),
            connections: Rc::default(),
        }
    }

    /// Looks up the mail exchangers of domains.
    #[cfg(feature = "dns")]
    pub fn resolver(mut self, resolver: DnsResolver) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Sends all mail to this server, but for domains with a route.
    pub fn smart_host(mut self, to: impl Into<ClientEndpoint>) -> Self {
        self.smart_host = Some(Route { to: to.into(), config: None });
        self
    }

    /// Sends to each domain's own servers, which is the default.
    pub fn no_smart_host(mut self) -> Self {
        self.smart_host = None;
        self
    }

    /// Sends the mail of a domain to this server, with this configuration in the place of the common one, if there is one.
    pub fn route(
        mut self,
        domain: &str,
        to: impl Into<ClientEndpoint>,
        config: impl Into<Option<ClientConfig>>,
    ) -> Self {
        let route = Route { to: to.into(), config: config.into() };
        self.routes.insert(domain.to_ascii_lowercase(), route);
        self
    }

    /// How long a connection is kept for the next message to the same destination. Default 10 seconds.
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.connections.set_idle_timeout(timeout);
        self
    }

    /// Most connections that are kept. Default 20; with 0, each message has its own.
    pub fn idle_max(self, connections: usize) -> Self {
        self.connections.set_idle_max(connections);
        self
    }

    /// Most messages on a connection. Default 100.
    pub fn messages_max(self, messages: usize) -> Self {
        self.connections.set_messages_max(messages);
        self
    }

    /// For how long a host that could not be reached is tried after the others. Default 15 minutes.
    pub fn bad_host_time(mut self, time: Duration) -> Self {
        self.bad_host_time = time;
        self
    }

    async fn run(self, reactor: Reactor, attempt: Attempt) -> AttemptResult {
        let destination = self.destination(&attempt.recipients[0]);
        if let Some(mut kept) = self.connections.take(&destination) {
            let (name, client) = (kept.name.clone(), &mut kept.client);
            match send(&reactor, client, &attempt).await {
                Ok(delivery) => {
                    let result = fates(&delivery, &name, client);
                    self.connections.put(&reactor, &destination, kept);
                    return result;
                }
                // It may have been closed meanwhile.
                Err(error) if !error.may_be_delivered() && is_of_connection(&error) => {
                    tracing::debug!(host = %name, %error, "a connection that was kept is of no use any more");
                }
                Err(error) => return failed(&attempt, &error, Some(&name), true),
            }
        }
        let candidates = match self.candidates(&reactor, &destination).await {
            Ok(candidates) => candidates,
            Err(result) => return result.for_all(&attempt),
        };
        let mut last = None;
        for candidate in candidates {
            match self.try_candidate(&reactor, &destination, &candidate, &attempt).await {
                Ok(result) => return result,
                Err(result) => last = Some(result),
            }
        }
        let none = || AttemptResult::unreachable(&attempt, Status::new(4, 4, 4, "no host to try"));
        last.unwrap_or_else(none)
    }

    /// Sends to one server. An error is one after which the next may be tried.
    async fn try_candidate(
        &self,
        reactor: &Reactor,
        destination: &str,
        candidate: &Candidate,
        attempt: &Attempt,
    ) -> Result<AttemptResult, AttemptResult> {
        let Candidate { name, to, config } = candidate;
        let connected = SmtpClient::connect(reactor, to.clone(), config.clone()).await;
        let mut client = match connected {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(host = %name, %error, "a mail server could not be reached");
                self.note_bad(reactor, name);
                return Err(failed(attempt, &error, Some(name), false));
            }
        };
        self.bad_hosts.borrow_mut().remove(name);
        match send(reactor, &mut client, attempt).await {
            Ok(delivery) => {
                let result = fates(&delivery, name, &client);
                self.connections.put_new(reactor, destination, name, client);
                Ok(result)
            }
            Err(error) if error.may_be_delivered() || matches!(error, SmtpError::Message(_)) => {
                Ok(failed(attempt, &error, Some(name), true))
            }
            Err(error) => Err(failed(attempt, &error, Some(name), true)),
        }
    }

    /// The servers to try, in their order.
    async fn candidates(
        &self,
        reactor: &Reactor,
        destination: &str,
    ) -> Result<Vec<Candidate>, Unroutable> {
        let route = self.routes.get(destination).or(self.smart_host.as_ref());
        if let Some(Route { to, config }) = route {
            let config = config.clone().unwrap_or_else(|| self.config.clone());
            let name = to.host().unwrap_or_else(|| to.to_string());
            return Ok(vec![Candidate { name, to: to.clone(), config }]);
        }
        let hosts = self.hosts(reactor, destination).await?;
        let (now, bad) = (reactor.now(), self.bad_hosts.borrow());
        let is_bad = |host: &String| bad.get(host).is_some_and(|until| *until > now);
        let (bad, good): (Vec<_>, Vec<_>) = hosts.into_iter().partition(is_bad);
        let port = self.config.smtp_port();
        let candidates = good.into_iter().chain(bad).map(|host| {
            let to = ClientEndpoint::from((host.as_str(), port));
            Candidate { name: host, to, config: self.config.clone() }
        });
        Ok(candidates.collect())
    }

    #[cfg(feature = "dns")]
    async fn hosts(&self, reactor: &Reactor, domain: &str) -> Result<Vec<String>, Unroutable> {
        let Some(resolver) = &self.resolver else { return Ok(vec![literal(domain)]) };
        let found = crate::smtp::client::exchangers(reactor, resolver, domain).await;
        let found = found.map_err(|error| Unroutable::of(&error))?;
        // RFC 5321 5.1: nothing is sent to this host, or to those behind it in the list.
        let own = found.iter().find(|mx| mx.host.eq_ignore_ascii_case(&self.hostname));
        let own = own.map_or(u32::MAX, |mx| u32::from(mx.preference));
        let hosts: Vec<_> = found
            .into_iter()
            .filter(|mx| u32::from(mx.preference) < own)
            .map(|mx| mx.host.to_ascii_lowercase())
            .collect();
        match hosts.is_empty() {
            true => Err(Unroutable {
                is_temporary: false,
                status: Status::new(5, 4, 6, "the mail exchanger of the domain is this host"),
            }),
            false => Ok(hosts),
        }
    }

    #[cfg(not(feature = "dns"))]
    #[allow(clippy::unused_async, reason = "with `dns`, it waits")]
    async fn hosts(&self, _: &Reactor, domain: &str) -> Result<Vec<String>, Unroutable> {
        Ok(vec![literal(domain)])
    }

    fn note_bad(&self, reactor: &Reactor, host: &str) {
        let now = reactor.now();
        let mut bad = self.bad_hosts.borrow_mut();
        if bad.len() >= BAD_HOSTS_MAX {
            bad.retain(|_, until| *until > now);
        }
        if bad.len() < BAD_HOSTS_MAX {
            bad.insert(host.to_owned(), now + self.bad_host_time);
        }
    }
}

impl DeliveryAgent for Relay {
    fn destination(&self, to: &QueuedRecipient) -> String {
        let domain = to.address().domain().to_ascii_lowercase();
        match &self.smart_host {
            Some(_) if !self.routes.contains_key(&domain) => "the smart host".to_owned(),
            _ => domain,
        }
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        super::run(reactor, self.clone().run(reactor.clone(), attempt))
    }
}

/// The host of a domain in brackets, or the domain.
fn literal(domain: &str) -> String {
    let inside = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let literal = inside.unwrap_or(domain);
    let tag = literal.split_at_checked(5).filter(|(tag, _)| tag.eq_ignore_ascii_case("ipv6:"));
    tag.map_or(literal, |(_, address)| address).to_owned()
}

async fn send(
    reactor: &Reactor,
    client: &mut SmtpClient,
    attempt: &Attempt,
) -> Result<Delivery, SmtpError> {
    let sender = Sender::new(attempt.sender.address().cloned()).with_reports_of(&attempt.sender);
    let mut envelope = Envelope::new(None, []).with_sender(sender);
    for to in &attempt.recipients {
        envelope = envelope.with_recipient(to.recipient.clone());
    }
    client.send_stream(&envelope, &mut attempt.message(reactor)).await
}

/// What a server has replied, as fates.
fn fates(delivery: &Delivery, host: &str, client: &SmtpClient) -> AttemptResult {
    let sends_reports = client.capabilities().has_dsn();
    let fates = delivery.replies().iter().map(|reply| {
        let status = Status::of_reply(reply.reply()).said_by(host);
        match () {
            () if reply.is_delivered() && client.is_lmtp() => Fate::Delivered(status),
            () if reply.is_delivered() => Fate::Relayed { status, sends_reports },
            () if reply.reply().is_permanent() => Fate::Failed(status),
            () => Fate::Delayed(status),
        }
    });
    AttemptResult::new(fates.collect())
}

/// Whether the error may be that of a connection which was closed while nobody used it.
fn is_of_connection(error: &SmtpError) -> bool {
    match error {
        SmtpError::Lost { stage, .. } | SmtpError::TimedOut { stage, .. } => {
            matches!(stage, Stage::Reset | Stage::Mail)
        }
        // 421: the server closes the connection.
        SmtpError::Refused { reply, .. } => reply.is_temporary(),
        SmtpError::Unusable => true,
        _ => false,
    }
}

/// What becomes of the recipients if a server did not take the message.
fn failed(
    attempt: &Attempt,
    error: &SmtpError,
    host: Option<&str>,
    reached: bool,
) -> AttemptResult {
    let status = match error {
        SmtpError::Refused { reply, .. } => Status::of_reply(reply),
        SmtpError::Connect(_) => Status::new(4, 4, 1, chain(error)),
        SmtpError::Lost { .. } | SmtpError::TimedOut { .. } => Status::new(4, 4, 2, chain(error)),
        SmtpError::NotAReply { .. } | SmtpError::Framing { .. } => {
            Status::new(4, 5, 0, chain(error))
        }
        SmtpError::TlsNotOffered | SmtpError::NoServerName | SmtpError::Tls { .. } => {
            Status::new(4, 7, 5, chain(error))
        }
        // A password that is wrong is no fault of the message.
        SmtpError::Login(_) => Status::new(4, 7, 8, chain(error)),
        SmtpError::TooLarge { .. } => Status::new(5, 3, 4, chain(error)),
        SmtpError::Needs { .. } => Status::new(5, 6, 3, chain(error)),
        SmtpError::Message(_) => Status::new(4, 3, 0, chain(error)),
        _ => Status::new(4, 4, 0, chain(error)),
    };
    let status = host.into_iter().fold(status, Status::said_by);
    // 421: the host wants nothing now, from anyone.
    let reached =
        reached && !matches!(error, SmtpError::Refused { reply, .. } if reply.code() == 421);
    match () {
        () if !reached => AttemptResult::unreachable(attempt, status.temporary()),
        () if status.code.class == 5 => AttemptResult::same(attempt, Fate::Failed(status)),
        () => AttemptResult::same(attempt, Fate::Delayed(status)),
    }
}

/// The text of an error with those of its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.take(8).fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Why there is no server to try.
struct Unroutable {
    is_temporary: bool,
    status: Status,
}

impl Unroutable {
    #[cfg(feature = "dns")]
    fn of(error: &SmtpError) -> Self {
        let status = match error {
            // RFC 7505 4.
            SmtpError::NullMx { .. } => Status::new(5, 1, 10, error),
            error if error.is_temporary() => Status::new(4, 4, 3, chain(error)),
            error => Status::new(5, 1, 2, chain(error)),
        };
        Self { is_temporary: error.is_temporary(), status }
    }

    fn for_all(self, attempt: &Attempt) -> AttemptResult {
        match self.is_temporary {
            true => AttemptResult::unreachable(attempt, self.status),
            false => AttemptResult::same(attempt, Fate::Failed(self.status)),
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("smart_host", &self.smart_host)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
