//! The resolver that is there unless another is chosen: [`SystemResolver`].

use std::{io, sync::Arc};

use sinew_reactor::Reactor;

use super::{Lookup, Resolve, ResolveError, lookup};

/// The system's: `getaddrinfo(3)`, on a thread for lookups
/// ([`Reactor::defer_to_lookup_thread`]), with all that it asks (`/etc/hosts`, DNS) and in the order that it
/// gives (RFC 6724). On a host of a simulated network, the names of that network.
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
