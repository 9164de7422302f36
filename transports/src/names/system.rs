//! The default resolver: [`SystemResolver`].

use std::{io, sync::Arc};

use sinew_reactor::Reactor;

use super::{Lookup, Resolve, ResolveError, lookup};

/// The system's resolver: `getaddrinfo(3)`, on a lookup thread
/// ([`Reactor::defer_to_lookup_thread`]), with all its sources (`/etc/hosts`, DNS), in the order that it
/// returns (RFC 6724). On a simulated host, the names of the simulated network.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        lookup::resolve(reactor, host.to_owned()).map(|found| match found {
            Ok(Ok(addrs)) if addrs.is_empty() => Err(ResolveError::NoAddress),
            Ok(Ok(addrs)) => Ok(addrs),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                Err(ResolveError::NoSuchName)
            }
            Ok(Err(error)) => Err(ResolveError::System(Arc::new(error))),
            Err(failure) => Err(failure.into()),
        })
    }
}
