//! Name resolution: [`Resolve`] is the trait of resolvers, [`ReactorNames`] sets the resolver of a reactor.
//! The order in which addresses are tried is decided in `tcp/`.

use std::{borrow::Cow, cell::RefCell, net::SocketAddr, rc::Rc, sync::Arc};

use sinew_reactor::{Deferred, Reactor};

use self::{
    error::{NAME_LEN_MAX, check_len, too_long},
    literal::Literal,
};
use crate::sealed::Sealed;

#[cfg(not(feature = "idna"))]
#[path = "ascii_only.rs"]
mod ascii;
#[cfg(feature = "idna")]
#[path = "idna.rs"]
mod ascii;
mod cached;
mod error;
pub(crate) mod host_port;
mod hosts;
pub(crate) mod literal;
pub(crate) mod lookup;
pub(crate) mod services;
mod system;
mod system_lookups;

pub(crate) use system_lookups::is_queued;
pub use {
    cached::Cached,
    error::ResolveError,
    hosts::{Hosts, HostsError},
    system::SystemResolver,
};

/// A pending lookup of a name's addresses. Their ports are meaningless.
pub type Lookup = Deferred<Vec<SocketAddr>, ResolveError>;

/// A resolver. Closures `Fn(&Reactor, &str) -> Lookup` implement it.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::Reactor;
/// use sinew_transports::names::{Cached, Hosts, ReactorNames, SystemResolver};
///
/// let reactor = Reactor::new()?;
/// let hosts = Hosts::parse("192.0.2.7 build.example build")?;
/// reactor.set_resolver(hosts.fallback(Cached::new(SystemResolver)));
/// let found = reactor.run_until(reactor.resolve("build"))??;
/// assert_eq!(found[0].ip().to_string(), "192.0.2.7");
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not look up names",
    label = "not a resolver",
    note = "a resolver is a closure `|reactor: &Reactor, host: &str| -> Lookup`, or a type that implements `Resolve`: `SystemResolver`, `Hosts`, `Cached`"
)]
pub trait Resolve: 'static {
    /// Looks up the addresses of `host`, best first. Never an empty list; that is [`ResolveError::NoAddress`]. The name is ASCII, and
    /// not an address.
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup;
}

impl<F: Fn(&Reactor, &str) -> Lookup + 'static> Resolve for F {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        self(reactor, host)
    }
}

/// The resolver of a reactor, if one has been set.
#[derive(Default)]
struct InstalledResolver(RefCell<Option<Rc<dyn Resolve>>>);

/// Names on a [`Reactor`].
pub trait ReactorNames: Sealed {
    /// Sets the resolver for all new connections of the reactor. Default: [`SystemResolver`].
    fn set_resolver(&self, resolver: impl Resolve);

    /// Looks up a name. An address is returned as it is, with its interface name looked up; a name outside ASCII is looked up by its
    /// [A-labels](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1), with the feature `idna`. The ports are meaningless.
    fn resolve(&self, host: &str) -> Lookup;
}

impl ReactorNames for Reactor {
    fn set_resolver(&self, resolver: impl Resolve) {
        if let Some(old) = self.local::<InstalledResolver>().0.replace(Some(Rc::new(resolver))) {
            self.defer_drop(old);
        }
    }

    fn resolve(&self, host: &str) -> Lookup {
        if let Some(literal) = Literal::parse(host) {
            return match lookup::literal_addr(self, &literal, 0) {
                Ok(addr) => Deferred::ready_on(self, vec![addr]),
                Err(error) => failed(self, ResolveError::System(Arc::new(error))),
            };
        }
        let host = match to_ascii(host) {
            Ok(host) => host,
            Err(error) => return failed(self, error),
        };
        // Cloned first, since a resolver may set another.
        let resolver = self.local::<InstalledResolver>().0.borrow().clone();
        match resolver {
            Some(resolver) => resolve_soon(self, resolver, host.into_owned()),
            None => SystemResolver.resolve(self, &host),
        }
    }
}

/// Queues the call, since the resolver may be user code, which only the event loop calls.
fn resolve_soon(reactor: &Reactor, resolver: Rc<dyn Resolve>, host: String) -> Lookup {
    let (promise, lookup) = reactor.promise();
    reactor.call_soon(move |reactor| {
        if promise.is_pending() {
            promise.follow(resolver.resolve(reactor, &host));
        }
    });
    lookup
}

/// The name in ASCII, by A-labels if it has other characters.
pub(crate) fn to_ascii(host: &str) -> Result<Cow<'_, str>, ResolveError> {
    if host.is_ascii() {
        check_len(host)?;
        return Ok(Cow::Borrowed(host));
    }
    // A character takes at most four bytes in UTF-8, and at least one in ASCII.
    if host.len() > 4 * NAME_LEN_MAX {
        return Err(too_long(host));
    }
    let host = ascii::to_ascii(host)?;
    check_len(&host)?;
    Ok(Cow::Owned(host))
}

/// A lookup that has failed.
fn failed(reactor: &Reactor, error: ResolveError) -> Lookup {
    let (promise, lookup) = reactor.promise();
    promise.reject(error);
    lookup
}

/// The key of a name in tables: lower case, without the trailing dot.
fn key(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
