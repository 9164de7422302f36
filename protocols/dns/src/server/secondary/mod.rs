//! Zones that are received from another server: [`Secondary`] transfers them, keeps them fresh by the timers of their SOA records, and
//! stores them.
//!
//! | state | until | then |
//! |---|---|---|
//! | loading | the stored zone is read, if there is a store | served if it has not expired; in any case it is refreshed at once |
//! | refreshing | the servers were asked for their version, and a newer one was transferred | fresh, or stale if none has answered |
//! | fresh | `refresh` seconds, or a notification | refreshing |
//! | stale | `retry` seconds, or a notification | refreshing |
//! | expired: `expire` seconds without an answer | a server answers | refreshing goes on; the zone is not served |
//!
//! (RFC 1034, section 4.3.5; RFC 1996.)

mod config;
mod refresh;
mod store;

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::Duration,
};

use sinew_transports::reactor::{Failure, Promise, Reactor, Task};

pub use config::SecondaryConfig;
pub use store::StoreError;

use super::{Handled, Handler, Query, Zones};
use crate::{
    client::{DnsResolver, NameServer, TransferError},
    codec::{Name, ResponseCode},
    zone::ZoneError,
};

/// Keeps one zone like it is on other servers, and puts it into [`Zones`], which serve it. It is also a handler of notifications: put it
/// into the [`Chain`](super::Chain) of the server. Dropping all clones stops it; the zone is served on.
///
/// # Examples
///
/// ```no_run
/// use std::net::SocketAddr;
/// use sinew_dns::{
///     client::{DnsResolver, NameServer},
///     server::{Chain, DnsServer, Secondary, SecondaryConfig, Zones},
/// };
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let resolver = DnsResolver::system(&reactor);
/// let zones = Zones::new();
/// let primary: SocketAddr = "192.0.2.1:53".parse()?;
/// let config = SecondaryConfig::new([NameServer::new(primary)]).store("/var/lib/zones");
/// let secondary = Secondary::start(&reactor, &resolver, &zones, "example.org.".parse()?, config);
/// let server = DnsServer::new(Chain::new().then(secondary).then(zones));
/// server.listen(&reactor, "0.0.0.0:53".parse()?)?;
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Secondary {
    shared: Rc<Shared>,
    _task: Rc<Task<()>>,
}

/// What the task and the handles share.
struct Shared {
    origin: Name,
    zones: Zones,
    resolver: DnsResolver,
    config: SecondaryConfig,
    state: Cell<SecondaryState>,
    failure: RefCell<Option<SecondaryError>>,
    /// Ends the wait for the next refresh.
    wake: RefCell<Option<Promise<(), Failure>>>,
    is_notified: Cell<bool>,
    /// Of a zone that has expired.
    retry: Cell<Option<Duration>>,
}

/// What a secondary zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecondaryState {
    /// It was never received, and is not served.
    Missing,
    /// A server has confirmed it within the time of its SOA record.
    Fresh,
    /// No server has confirmed it in time. It is served.
    Stale,
    /// No server has confirmed it for too long. It is not served.
    Expired,
}

/// A zone could not be received or stored.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SecondaryError {
    /// No server has answered with its version; the last cause.
    #[error("no server has told the version of {zone}: {why}")]
    Version {
        /// The zone.
        zone: Box<Name>,
        /// The last cause.
        why: Box<str>,
    },
    /// A transfer has failed.
    #[error("the transfer of {zone} has failed: {source}")]
    Transfer {
        /// The zone.
        zone: Box<Name>,
        /// The cause.
        source: TransferError,
    },
    /// What was received is no zone.
    #[error("what was received for {zone} is no zone: {source}")]
    Zone {
        /// The zone.
        zone: Box<Name>,
        /// The cause.
        source: ZoneError,
    },
    /// A record was to be removed that is not there: the versions differ.
    #[error("the changes of {zone} do not belong to the version that is here")]
    Differs {
        /// The zone.
        zone: Box<Name>,
    },
    /// The zone could not be stored or read. It is served all the same.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reactor could not do the work.
    #[error(transparent)]
    Failure(#[from] Failure),
}

sinew_transports::reactor::error_debug!(SecondaryError);

impl Secondary {
    /// Begins to receive a zone.
    #[must_use]
    pub fn start(
        reactor: &Reactor,
        resolver: &DnsResolver,
        zones: &Zones,
        mut origin: Name,
        config: SecondaryConfig,
    ) -> Self {
        origin.set_fqdn(true);
        let shared = Rc::new(Shared {
            origin,
            zones: zones.clone(),
            resolver: resolver.clone(),
            config,
            state: Cell::new(SecondaryState::Missing),
            failure: RefCell::default(),
            wake: RefCell::default(),
            is_notified: Cell::new(false),
            retry: Cell::new(None),
        });
        let task = reactor.spawn(refresh::run(reactor.clone(), shared.clone()));
        Self { shared, _task: Rc::new(task) }
    }

    /// What the zone is now.
    #[must_use]
    pub fn state(&self) -> SecondaryState {
        self.shared.state.get()
    }

    /// Why the last attempt has failed, as text; `None` if it has not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.borrow().as_ref().map(ToString::to_string)
    }

    /// Asks the servers now whether there is a newer version.
    pub fn refresh(&self) {
        self.shared.notified();
    }
}

impl Shared {
    fn notified(&self) {
        self.is_notified.set(true);
        if let Some(wake) = self.wake.take() {
            wake.resolve(());
        }
    }
}

impl Handler for Secondary {
    fn handle(&self, _: &Query<'_>) -> Handled {
        Handled::Pass
    }

    fn notify(&self, query: &Query<'_>) -> Handled {
        if !query.is(&self.shared.origin) {
            return Handled::Pass;
        }
        // From others it would be a way to make us ask.
        let from = query.client().map(|addr| addr.ip().to_canonical());
        let is_of_server = |server: &NameServer| Some(server.addr().ip().to_canonical()) == from;
        let has_key =
            self.shared.config.key.as_ref().is_none_or(|key| query.key() == Some(key.name()));
        if !has_key || !self.shared.config.servers.iter().any(is_of_server) {
            return ResponseCode::Refused.into();
        }
        let ours = self.shared.zones.get(&self.shared.origin).map(|zone| zone.serial());
        if query.serial().is_none() || query.serial() != ours {
            self.shared.notified();
        }
        ResponseCode::NoError.into()
    }
}

impl fmt::Debug for Secondary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secondary")
            .field("origin", &self.shared.origin)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
