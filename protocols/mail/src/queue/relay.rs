//! Mail for other hosts: [`Relay`], a delivery agent that sends by SMTP or LMTP. To the mail exchangers of the domain, to a smart host, or
//! where a route of the domain says.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

#[cfg(feature = "dns")]
use sinew_dns::client::DnsResolver;
use sinew_transports::{
    endpoint::ClientEndpoint,
    proxy::Subnet,
    reactor::{Deferred, Reactor, with_causes},
};

use super::{
    Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status, addresses::AddressPolicy,
    connections::Connections,
};
use crate::smtp::{
    client::{ClientConfig, Delivery, Envelope, Security, SmtpClient, SmtpError, Stage},
    codec::{Address, Sender},
};

/// Sends to other hosts. Clones share connections, unless they are told to send elsewhere.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`idle_timeout`](Self::idle_timeout): a connection without a message | 10 s | it is closed |
/// | [`idle_max`](Self::idle_max): such connections, in all | 20 | the oldest is closed |
/// | [`messages_max`](Self::messages_max): messages on a connection | 100 | it is closed |
/// | [`bad_host_time`](Self::bad_host_time): a host that could not be reached | 15 min | it is tried after the others |
/// | exchangers of a domain that are tried | 10 | the message is tried later |
///
/// A host that only the DNS or an address literal (`bob@[192.0.2.1]`) has named is connected to if it is another host, and public:
///
/// | its address | what becomes of the mail |
/// |---|---|
/// | loopback, unspecified, or one of [`own_addresses`](Self::own_addresses) | 5.4.6: it would loop back. Of the exchangers of a domain, only those of lower preference values are tried (RFC 5321 5.1) |
/// | private, link-local, or of other special use ([`is_public_address`](sinew_transports::is_public_address)) | 5.4.4, unless [allowed](Self::allow) |
/// | any, and a route or the smart host names it | it is sent there |
///
/// With [`Security::IfOffered`], a handshake of TLS that fails is followed at once by a connection without TLS to the same host, unless
/// there is a login, or the domain [requires TLS](Self::tls_required). With [`Security::Required`], never.
///
/// What is not there: DANE (RFC 7672), MTA-STS (RFC 8461); domains in other scripts than ASCII are asked for as they are, so they need a
/// smart host; a message is not converted for a server without 8BITMIME or SMTPUTF8, but returned.
#[derive(Clone)]
#[must_use]
pub struct Relay {
    pub(super) config: ClientConfig,
    smart_host: Option<Route>,
    routes: BTreeMap<String, Route>,
    #[cfg(feature = "dns")]
    pub(super) resolver: Option<DnsResolver>,
    #[cfg(feature = "dns")]
    pub(super) hostname: Rc<str>,
    pub(super) addresses: AddressPolicy,
    tls_required: Rc<BTreeSet<String>>,
    bad_host_time: Duration,
    bad_hosts: Rc<RefCell<BTreeMap<String, Instant>>>,
    connections: Rc<Connections>,
}

/// A server that mail goes to, and how it is spoken to.
#[derive(Clone, Debug)]
pub(super) struct Route {
    to: ClientEndpoint,
    config: Option<ClientConfig>,
}

/// A server that may be tried.
pub(super) struct Candidate {
    pub(super) name: String,
    pub(super) to: ClientEndpoint,
    pub(super) config: ClientConfig,
}

/// Most bad hosts that are remembered.
const BAD_HOSTS_MAX: usize = 10_000;

impl Relay {
    /// An agent that connects as the configuration says. Its login is for the smart host and for routes: a server that only the domain of
    /// a recipient, or the DNS, has named is not told a password. Without [a resolver](Self::resolver) or [a smart host](Self::smart_host), the
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
            addresses: AddressPolicy::default(),
            tls_required: Rc::default(),
            bad_host_time: Duration::from_secs(15 * 60),
            bad_hosts: Rc::default(),
            connections: Rc::default(),
        }
    }

    /// Looks up the mail exchangers of domains.
    #[cfg(feature = "dns")]
    pub fn resolver(mut self, resolver: DnsResolver) -> Self {
        self.resolver = Some(resolver);
        self.without_connections()
    }

    /// Sends all mail to this server, but for domains with a route.
    pub fn smart_host(mut self, to: impl Into<ClientEndpoint>) -> Self {
        self.smart_host = Some(Route { to: to.into(), config: None });
        self.without_connections()
    }

    /// Sends to each domain's own servers, which is the default.
    pub fn no_smart_host(mut self) -> Self {
        self.smart_host = None;
        self.without_connections()
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
        self.without_connections()
    }

    /// The addresses that are this host's beside loopback, such as those of its interfaces. Called for each attempt that has no kept
    /// connection, by the loop: it must not block. Default none.
    pub fn own_addresses(mut self, own: impl Fn() -> Vec<IpAddr> + 'static) -> Self {
        self.addresses.own = Some(Rc::new(own));
        self.without_connections()
    }

    /// Subnets of private or other special addresses that mail is sent to although only the DNS or an address literal names them.
    /// Default none. This host's own addresses are not among them.
    pub fn allow(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.addresses.allowed.extend(subnets);
        self.without_connections()
    }

    /// Sends the mail of this domain over TLS only, whatever [`ClientConfig::security`] says: a server that does not offer STARTTLS, or
    /// whose handshake fails, gets none, and the mail is tried again until it expires. Whether the certificate is verified is up to
    /// [`ClientConfig::tls`]. Not for the smart host, whose configuration says it for all domains.
    pub fn tls_required(mut self, domain: &str) -> Self {
        Rc::make_mut(&mut self.tls_required).insert(domain.to_ascii_lowercase());
        self.without_connections()
    }

    /// Shares no connections with those it was cloned from: what goes by them would go where those send it.
    fn without_connections(mut self) -> Self {
        self.connections = Rc::new(self.connections.without_any());
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
                    tracing::debug!(host = %name, error = %with_causes(&error), "a connection that was kept is of no use any more");
                }
                Err(error) => return failed(&attempt, &error, Some(&name), true),
            }
        }
        let Some(candidate) = self.route_of(&destination).map(|route| self.candidate_of(route))
        else {
            return self.try_hosts(&reactor, &destination, &attempt).await;
        };
        match self.try_candidate(&reactor, &destination, &candidate, &attempt).await {
            Ok(result) | Err(result) => result,
        }
    }

    /// Sends to one server. An error is one after which the next may be tried.
    pub(super) async fn try_candidate(
        &self,
        reactor: &Reactor,
        destination: &str,
        candidate: &Candidate,
        attempt: &Attempt,
    ) -> Result<AttemptResult, AttemptResult> {
        let name = &candidate.name;
        let mut client = match self.connect(reactor, destination, candidate).await {
            Ok(client) => client,
            Err(error) => {
                tracing::debug!(host = %name, error = %with_causes(&error), "a mail server could not be reached");
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

    /// Connects. If TLS is not required, there is no login, and the handshake fails, connects once more without TLS: the server would
    /// have been sent plaintext if it had not offered STARTTLS (RFC 7435 3).
    async fn connect(
        &self,
        reactor: &Reactor,
        destination: &str,
        Candidate { name, to, config }: &Candidate,
    ) -> Result<SmtpClient, SmtpError> {
        let config = match self.tls_required.contains(destination) {
            true => config.clone().security(Security::Required),
            false => config.clone(),
        };
        let plain = config.without_tls();
        match (SmtpClient::connect(reactor, to.clone(), config).await, plain) {
            (Err(error), Some(plain)) if error.is_of_handshake() => {
                let error = with_causes(&error);
                tracing::info!(host = %name, %error, "TLS has failed, and is not required: mail goes in plaintext");
                SmtpClient::connect(reactor, to.clone(), plain).await
            }
            (connected, _) => connected,
        }
    }

    /// The server that the configuration names for a domain.
    pub(super) fn route_of(&self, domain: &str) -> Option<&Route> {
        self.routes.get(domain).or(self.smart_host.as_ref())
    }

    fn candidate_of(&self, Route { to, config }: &Route) -> Candidate {
        let config = config.clone().unwrap_or_else(|| self.config.clone());
        let name = to.host().unwrap_or_else(|| to.to_string());
        Candidate { name, to: to.clone(), config }
    }

    /// Whether a host could not be reached lately.
    pub(super) fn is_bad(&self, reactor: &Reactor, host: &str) -> bool {
        self.bad_hosts.borrow().get(host).is_some_and(|until| *until > reactor.now())
    }

    pub(super) fn note_bad(&self, reactor: &Reactor, host: &str) {
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
        let domain = domain_of(to.address());
        match &self.smart_host {
            Some(_) if !self.routes.contains_key(&domain) => "the smart host".to_owned(),
            _ => domain,
        }
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        super::run(reactor, self.clone().run(reactor.clone(), attempt))
    }
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
        // RSET is about no message: what is said to it says nothing about this one.
        SmtpError::Refused { stage, reply } => reply.is_temporary() || *stage == Stage::Reset,
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
        SmtpError::Connect(_) => Status::new(4, 4, 1, with_causes(error)),
        SmtpError::Lost { .. } | SmtpError::TimedOut { .. } => {
            Status::new(4, 4, 2, with_causes(error))
        }
        SmtpError::NotAReply { .. } | SmtpError::Framing { .. } => {
            Status::new(4, 5, 0, with_causes(error))
        }
        SmtpError::TlsNotOffered | SmtpError::NoServerName | SmtpError::Tls { .. } => {
            Status::new(4, 7, 5, with_causes(error))
        }
        // A password that is wrong is no fault of the message.
        SmtpError::Login(_) => Status::new(4, 7, 8, with_causes(error)),
        SmtpError::TooLarge { .. } => Status::new(5, 3, 4, with_causes(error)),
        SmtpError::Needs { .. } => Status::new(5, 6, 3, with_causes(error)),
        SmtpError::Message(_) => Status::new(4, 3, 0, with_causes(error)),
        _ => Status::new(4, 4, 0, with_causes(error)),
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

/// The domain of an address, as routes have it.
pub(super) fn domain_of(address: &Address) -> String {
    address.domain().to_ascii_lowercase()
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("smart_host", &self.smart_host)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::codec::Reply;

    #[test]
    fn a_connection_that_is_of_no_use_any_more_says_nothing_about_the_message() {
        let refused = |stage, code, text| SmtpError::Refused {
            stage,
            reply: Reply::new(code, text).unwrap(),
        };
        let lost = |stage| SmtpError::Lost { stage, source: std::io::ErrorKind::BrokenPipe.into() };
        for (error, expected) in [
            (refused(Stage::Reset, 500, "5.5.1 What?"), true),
            (refused(Stage::Reset, 451, "4.3.0 no"), true),
            (refused(Stage::Mail, 421, "4.3.2 away"), true),
            (lost(Stage::Mail), true),
            (lost(Stage::Data), false),
            (SmtpError::Unusable, true),
            (SmtpError::TooLarge { len: 2, max: 1 }, false),
        ] {
            assert_eq!(is_of_connection(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_relay_that_sends_elsewhere_has_connections_of_its_own() {
        let first = Relay::new(ClientConfig::new("h").unwrap()).smart_host("a:25");
        assert!(Rc::ptr_eq(&first.connections, &first.clone().connections));
        let others = [
            first.clone().smart_host("b:25"),
            first.clone().no_smart_host(),
            first.clone().route("x.example", "b:25", None),
            first.clone().allow([Subnet::LOOPBACK_V4]),
            first.clone().own_addresses(Vec::new),
        ];
        for other in others {
            assert!(!Rc::ptr_eq(&first.connections, &other.connections), "{other:?}");
        }
    }
}
