//! Names: who looks them up, and for whom. [`Resolve`] is the trait, [`ReactorNames`] chooses the resolver of a reactor.
//! What is done with the addresses is decided in `tcp/`.

use std::{
    borrow::Cow,
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use sinew_reactor::{Deferred, Failure, Reactor};

#[cfg(not(feature = "idna"))]
#[path = "ascii_only.rs"]
mod ascii;
#[cfg(feature = "idna")]
#[path = "idna.rs"]
mod ascii;
mod cached;
mod hosts;
pub(crate) mod services;
mod system;
mod waiting;

pub(crate) use waiting::{look_up, waits_for_thread};
pub use {
    cached::Cached,
    hosts::{Hosts, HostsError},
    system::SystemResolver,
};

/// The addresses of a name, when they are there. Their ports mean nothing.
pub type Lookup = Deferred<Vec<SocketAddr>, ResolveError>;

/// Looks up names. A closure `Fn(&Reactor, &str) -> Lookup` is a resolver.
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
/// reactor.set_resolver(hosts.otherwise(Cached::new(SystemResolver)));
/// let found = reactor.run_until(reactor.resolve("build"))??;
/// assert_eq!(found[0].ip().to_string(), "192.0.2.7");
/// # Ok(())
/// # }
/// ```
pub trait Resolve: 'static {
    /// The addresses of `host`, the best first; never none of them, but [`ResolveError::NoAddress`]. The name is in ASCII, and
    /// no address.
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup;
}

impl<F: Fn(&Reactor, &str) -> Lookup + 'static> Resolve for F {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        self(reactor, host)
    }
}

/// A name could not be looked up.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// There is such a name, but it has no address.
    #[error("the name has no address")]
    NoAddress,
    /// No name can look like that.
    #[error("this can be no name: {0}")]
    BadName(String),
    /// The system said no. It seldom tells an unknown name from a failure.
    #[error("{0}")]
    System(Arc<io::Error>),
    /// It was cancelled, or the reactor ended first.
    #[error("the lookup was given up: {0}")]
    GivenUp(#[from] Failure),
}

/// The resolver of a reactor, where one was chosen.
#[derive(Default)]
struct Chosen(RefCell<Option<Rc<dyn Resolve>>>);

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

/// Names on a [`Reactor`].
pub trait ReactorNames: sealed::Sealed {
    /// Has this one look up the names of all connections that the reactor makes from now on. Default: [`SystemResolver`].
    fn set_resolver(&self, resolver: impl Resolve);

    /// Looks up a name. What is an address already is given back; a name that is not in ASCII is looked up by its
    /// [A-labels](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1), if the feature `idna` is there. Their ports mean nothing.
    fn resolve(&self, host: &str) -> Lookup;
}

impl ReactorNames for Reactor {
    fn set_resolver(&self, resolver: impl Resolve) {
        if let Some(old) = self.local::<Chosen>().0.replace(Some(Rc::new(resolver))) {
            self.discard(old);
        }
    }

    fn resolve(&self, host: &str) -> Lookup {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Deferred::ready_on(self, vec![(ip, 0).into()]);
        }
        let host = match to_ascii(host) {
            Ok(host) => host,
            Err(error) => return failed(self, error),
        };
        // Taken out first: a resolver may choose another.
        let chosen = self.local::<Chosen>().0.borrow().clone();
        match chosen {
            Some(resolver) => resolve_soon(self, resolver, host.into_owned()),
            None => SystemResolver.resolve(self, &host),
        }
    }
}

/// A resolver may be a user's, so it is the loop that calls it.
fn resolve_soon(reactor: &Reactor, resolver: Rc<dyn Resolve>, host: String) -> Lookup {
    let (promise, lookup) = reactor.promise();
    reactor.call_soon(move |reactor| {
        if promise.is_pending() {
            let found = resolver.resolve(reactor, &host);
            let canceller = found.canceller();
            promise.on_cancel(move |_| canceller.cancel());
            found.then(move |_, found| promise.settle(found));
        }
    });
    lookup
}

fn to_ascii(host: &str) -> Result<Cow<'_, str>, ResolveError> {
    if host.is_ascii() { Ok(Cow::Borrowed(host)) } else { ascii::to_ascii(host).map(Cow::Owned) }
}

/// A lookup that has failed already.
fn failed(reactor: &Reactor, error: ResolveError) -> Lookup {
    let (promise, lookup) = reactor.promise();
    promise.reject(error);
    lookup
}

/// What names are compared by: without regard to case, or to the dot of the root at their end.
fn key(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
