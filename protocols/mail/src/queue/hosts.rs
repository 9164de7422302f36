//! The servers of a domain that neither a route nor a smart host has named: how a [`Relay`] finds them, and in which order they are tried.
//!
//! 1. The mail exchangers of the domain (MX), in groups of equal preference; without a resolver, or without MX records, the domain
//!    itself; an address literal is an address.
//! 2. The addresses of each host of a group are looked up. If one is this host, neither its group nor those behind it are tried
//!    (RFC 5321 5.1). A host without an address that mail is sent to is left out.
//! 3. The hosts of the group are tried, but for those that could not be reached lately: these are tried when all groups are done.

use std::net::SocketAddr;

use sinew_transports::{
    Destination,
    endpoint::ClientEndpoint,
    names::ReactorNames,
    reactor::{Reactor, with_causes},
};

use super::{
    Attempt, AttemptResult, Fate, Relay, Status,
    addresses::{Addresses, Forbidden},
    relay::{Candidate, domain_of},
};
#[cfg(feature = "dns")]
use crate::smtp::client::{Exchanger, SmtpError};
use crate::smtp::codec::{Address, host_of_literal};

/// A server of a domain.
struct Host {
    preference: u16,
    /// In lower case, or an address.
    name: String,
}

/// Why there is no server to try.
struct Unroutable {
    is_temporary: bool,
    status: Status,
}

/// An attempt at the hosts of a domain, with what has become of it so far.
struct Search<'a> {
    relay: &'a Relay,
    reactor: &'a Reactor,
    destination: &'a str,
    attempt: &'a Attempt,
    addresses: Addresses<'a>,
    /// What the last host that was tried has come to.
    tried: Option<AttemptResult>,
    /// Why hosts were not tried; that one is this host comes before other reasons.
    forbidden: Option<Forbidden>,
}

impl Relay {
    /// Tries the servers of a domain one after the other.
    pub(super) async fn try_hosts(
        &self,
        reactor: &Reactor,
        destination: &str,
        attempt: &Attempt,
    ) -> AttemptResult {
        let hosts = match self.hosts(reactor, destination).await {
            Ok(hosts) => hosts,
            Err(result) => return result.for_all(attempt),
        };
        let addresses = self.addresses.now();
        let (tried, forbidden) = (None, None);
        let mut search =
            Search { relay: self, reactor, destination, attempt, addresses, tried, forbidden };
        match search.run(&hosts).await {
            Some(result) => result,
            None => search.failed(),
        }
    }

    /// Why mail for an address cannot be sent, if that is known without a lookup: its domain is the address literal of this host, or of
    /// a host that mail is not sent to, and has no route.
    pub(crate) fn refusal(&self, to: &Address) -> Option<Status> {
        if !to.domain().starts_with('[') || self.route_of(&domain_of(to)).is_some() {
            return None;
        }
        let ip = host_of_literal(to.domain()).parse().ok()?;
        self.addresses.now().check(ip).err().map(Forbidden::status)
    }

    #[cfg(feature = "dns")]
    async fn hosts(&self, reactor: &Reactor, domain: &str) -> Result<Vec<Host>, Unroutable> {
        let Some(resolver) = &self.resolver else { return Ok(vec![Host::itself(domain)]) };
        let found = crate::smtp::client::exchangers(reactor, resolver, domain).await;
        let found = found.map_err(|error| Unroutable::of(&error))?.into_iter();
        let host =
            |mx: Exchanger| Host { preference: mx.preference, name: mx.host.to_ascii_lowercase() };
        let mut found: Vec<_> = found.map(host).collect();
        // RFC 5321 5.1, by name: this host has addresses that it does not know, behind NAT.
        let own = found.iter().find(|mx| mx.name == *self.hostname);
        if let Some(own) = own.map(|mx| mx.preference) {
            found.retain(|mx| mx.preference < own);
        }
        match found.is_empty() {
            true => Err(Unroutable {
                is_temporary: false,
                status: Status::new(5, 4, 6, "the mail exchanger of the domain is this host"),
            }),
            false => Ok(found),
        }
    }

    #[cfg(not(feature = "dns"))]
    #[allow(clippy::unused_async, reason = "with `dns`, it waits")]
    async fn hosts(&self, _: &Reactor, domain: &str) -> Result<Vec<Host>, Unroutable> {
        Ok(vec![Host::itself(domain)])
    }
}

impl Host {
    /// A domain without exchangers, or an address literal.
    fn itself(domain: &str) -> Self {
        Self { preference: 0, name: host_of_literal(domain).to_owned() }
    }
}

impl Search<'_> {
    /// Returns what has become of the message, if a host has decided that.
    async fn run(&mut self, hosts: &[Host]) -> Option<AttemptResult> {
        let mut bad = Vec::new();
        for group in hosts.chunk_by(|mx, next| mx.preference == next.preference) {
            let (good, of_group): (Vec<_>, Vec<_>) =
                group.iter().partition(|mx| !self.relay.is_bad(self.reactor, &mx.name));
            let mut candidates = Vec::with_capacity(good.len());
            let mut is_own = false;
            for mx in good {
                match self.candidate(mx).await {
                    Ok(candidate) => candidates.extend(candidate),
                    Err(own) => {
                        self.forbidden = Some(own);
                        is_own = true;
                    }
                }
            }
            if is_own {
                break;
            }
            for candidate in candidates {
                if let Some(result) = self.try_candidate(&candidate).await {
                    return Some(result);
                }
            }
            bad.extend(of_group);
        }
        for mx in bad {
            match self.candidate(mx).await {
                Ok(None) => {}
                Ok(Some(candidate)) => {
                    if let Some(result) = self.try_candidate(&candidate).await {
                        return Some(result);
                    }
                }
                Err(own) => {
                    self.forbidden = Some(own);
                    break;
                }
            }
        }
        None
    }

    /// A host with the addresses that it may be connected to; `None` if it has none. An error if it is this host.
    async fn candidate(&mut self, mx: &Host) -> Result<Option<Candidate>, Forbidden> {
        let found: Vec<SocketAddr> = match self.reactor.resolve(&mx.name).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!(host = %mx.name, %error, "a mail server has no known address");
                self.relay.note_bad(self.reactor, &mx.name);
                let status = Status::new(4, 4, 3, with_causes(&error)).said_by(&mx.name);
                self.tried = Some(AttemptResult::unreachable(self.attempt, status));
                return Ok(None);
            }
        };
        let config = self.relay.config.clone().without_login();
        match self.addresses.of_host(&found) {
            Ok(mut addrs) => {
                addrs.iter_mut().for_each(|addr| addr.set_port(config.smtp_port()));
                let to = ClientEndpoint::from(Destination::Any(addrs));
                let config = config.or_server_name(&mx.name);
                Ok(Some(Candidate { name: mx.name.clone(), to, config }))
            }
            Err(own @ Forbidden::Own(_)) => Err(own),
            Err(other) => {
                tracing::info!(host = %mx.name, "a mail server is not connected to: {}", other.text());
                self.forbidden = self.forbidden.or(Some(other));
                Ok(None)
            }
        }
    }

    async fn try_candidate(&mut self, candidate: &Candidate) -> Option<AttemptResult> {
        let Self { relay, reactor, destination, attempt, .. } = self;
        match relay.try_candidate(reactor, destination, candidate, attempt).await {
            Ok(result) => return Some(result),
            Err(result) => self.tried = Some(result),
        }
        None
    }

    /// The result if no host has decided: later, if one may.
    fn failed(self) -> AttemptResult {
        match (self.tried, self.forbidden) {
            (Some(tried), _) => tried,
            (None, Some(forbidden)) => {
                AttemptResult::same(self.attempt, Fate::Failed(forbidden.status()))
            }
            (None, None) => {
                let status = Status::new(4, 4, 4, "no host to try");
                AttemptResult::unreachable(self.attempt, status)
            }
        }
    }
}

impl Forbidden {
    pub(super) fn status(self) -> Status {
        match self {
            Self::Own(_) => Status::new(5, 4, 6, self.text()),
            Self::NotPublic(_) => Status::new(5, 4, 4, self.text()),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Own(ip) => format!("the mail would loop back to this host, by its address {ip}"),
            Self::NotPublic(ip) => {
                format!("{ip} is no public address, and mail is sent there only by a route")
            }
        }
    }
}

impl Unroutable {
    #[cfg(feature = "dns")]
    fn of(error: &SmtpError) -> Self {
        let status = match error {
            // RFC 7505 4.
            SmtpError::NullMx { .. } => Status::new(5, 1, 10, error),
            error if error.is_temporary() => Status::new(4, 4, 3, with_causes(error)),
            error => Status::new(5, 1, 2, with_causes(error)),
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
