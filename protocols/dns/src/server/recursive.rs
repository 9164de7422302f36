//! Questions answered from the root of DNS on: [`Recursive`], by the resolver of `recursive`, with its cache.

use std::fmt;

use super::{Acl, Handled, Handler, Query, Response};
use crate::{
    codec::{Question, ResponseCode},
    recursive::RecursiveResolver,
};

/// Answers questions by asking the servers that are responsible, from the root of DNS on ([`RecursiveResolver`]), whose cache it uses. Only
/// for clients that an [`Acl`] allows, by default this machine: a server that asks others for everybody is used for attacks. Questions of
/// others, and those without RD, are passed on.
///
/// # Examples
///
/// ```
/// use sinew_dns::{recursive::{RecursiveConfig, RecursiveResolver}, server::{Acl, Chain, DnsServer, Recursive, Zones}};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let resolver = RecursiveResolver::new(&reactor, RecursiveConfig::default());
/// let office = Acl::loopback().allow("192.168.0.0/16".parse()?);
/// let server = DnsServer::new(Chain::new().then(Zones::new()).then(Recursive::new(resolver).acl(office)));
/// # drop(server);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Recursive {
    resolver: RecursiveResolver,
    acl: Acl,
}

impl Recursive {
    /// Answers by this resolver, for this machine only.
    pub fn new(resolver: RecursiveResolver) -> Self {
        Self { resolver, acl: Acl::loopback() }
    }

    /// Who may ask. Default: this machine ([`Acl::loopback`]).
    pub fn acl(mut self, acl: Acl) -> Self {
        self.acl = acl;
        self
    }
}

impl Handler for Recursive {
    fn handle(&self, query: &Query<'_>) -> Handled {
        if !query.may_recurse(&self.acl) {
            return Handled::Pass;
        }
        let question =
            Question::new(query.name(), query.record_type()).dnssec_ok(query.dnssec_ok());
        let answer = self.resolver.look_up(question);
        Handled::Later(answer.map(|result| {
            let response = match result {
                Ok(found) => {
                    let response = Response::code(found.code());
                    let response = found.answers().iter().cloned().fold(response, Response::answer);
                    found.authorities().iter().cloned().fold(response, Response::authority)
                }
                Err(_) => Response::code(ResponseCode::ServFail),
            };
            Ok(response.authoritative(false).recursive(true))
        }))
    }
}

impl fmt::Debug for Recursive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recursive")
            .field("resolver", &self.resolver)
            .field("acl", &self.acl)
            .finish()
    }
}
