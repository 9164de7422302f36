//! Questions passed to other servers: [`Forward`], by the stub resolver of `client`, with its cache.

use std::fmt;

use super::{Acl, Handled, Handler, Query, Response};
use crate::{
    client::{Answer, DnsResolver, LookupError},
    codec::{Question, ResponseCode},
};

/// Answers questions by asking the servers of a [`DnsResolver`], whose cache it uses. Only for clients that an [`Acl`] allows, by default
/// this machine: a server that asks others for everybody is used for attacks.
///
/// # Examples
///
/// ```
/// use sinew_dns::{client::DnsResolver, server::{Acl, Chain, DnsServer, Forward, Zones}};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let office = Acl::loopback().allow("192.168.0.0/16".parse()?);
/// let forward = Forward::new(DnsResolver::system(&reactor)).acl(office);
/// let server = DnsServer::new(Chain::new().then(Zones::new()).then(forward));
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Forward {
    resolver: DnsResolver,
    acl: Acl,
}

impl Forward {
    /// Asks the servers of this resolver, for this machine only.
    pub fn new(resolver: DnsResolver) -> Self {
        Self { resolver, acl: Acl::loopback() }
    }

    /// Who may ask. Default: this machine ([`Acl::loopback`]).
    pub fn acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }
}

impl Handler for Forward {
    fn handle(&self, query: &Query<'_>) -> Handled {
        if !query.may_recurse(&self.acl) {
            return Handled::Pass;
        }
        let question = Question::new(query.name(), query.record_type())
            .checking_disabled(query.checking_disabled())
            .dnssec_ok(query.dnssec_ok());
        if let Some(known) = self.resolver.look_up_known(&question) {
            return response(known).into();
        }
        Handled::Later(self.resolver.look_up(question).map(|result| Ok(response(result))))
    }
}

fn response(found: Result<Answer, LookupError>) -> Response {
    let response = match found {
        Ok(answer) => {
            let ttl = answer.ttl();
            let mut records = [answer.aliases(), answer.records()].concat();
            for record in &mut records {
                record.ttl = record.ttl.min(ttl);
            }
            Response::from(records).authentic(answer.is_authentic())
        }
        Err(error) => Response::code(code_of(&error)),
    };
    response.authoritative(false).recursive(true)
}

fn code_of(error: &LookupError) -> ResponseCode {
    match error {
        LookupError::NoRecord { .. } => ResponseCode::NoError,
        LookupError::NoSuchName { .. } | LookupError::NotInDns { .. } => ResponseCode::NXDomain,
        LookupError::NoServers => ResponseCode::Refused,
        _ => ResponseCode::ServFail,
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("acl", &self.acl).finish_non_exhaustive()
    }
}
