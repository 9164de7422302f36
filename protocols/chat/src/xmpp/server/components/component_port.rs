//! The port for components: [`ComponentPort`], a [`Factory`].

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use sinew_transports::{Factory, Peer};

use super::{ComponentPortConnection, ComponentsConfig, slot::Slot};
use crate::xmpp::{
    codec::{Jid, JidError},
    server::{Router, ServerConfig, XmppServer},
};

/// Accepts components, as a factory for any port. A handle: clones are the same port.
///
/// It has two ends at a server: [`register`](Self::register) gives its domains to the configuration, and [`attach`](Self::attach) lets
/// it route what components send. Until then connections are refused.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{
///     ServerConfig, XmppServer,
///     components::{ComponentPort, ComponentsConfig},
/// };
/// use sinew_transports::{ReactorTcp, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let config = ComponentsConfig::default();
/// let components = ComponentPort::new(config.component("echo.example.org", "a long random secret")?);
/// let users = Users::new().user("ann", "secret");
/// let config = components.register(ServerConfig::new("example.org", users)?)?;
/// let server = XmppServer::new(&reactor, config);
/// components.attach(&server);
/// let port = reactor.listen_tcp("127.0.0.1:0", components)?;
/// println!("components connect to {}", port.local());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ComponentPort(pub(super) Rc<Inner>);

pub(super) struct Inner {
    pub(super) config: ComponentsConfig,
    slots: Vec<Rc<Slot>>,
    pub(super) router: RefCell<Option<Router>>,
    pub(super) connections: Cell<usize>,
}

impl ComponentPort {
    /// A port that is not attached to a server yet.
    #[must_use]
    pub fn new(config: ComponentsConfig) -> Self {
        let slot = |(domain, secret): &(Jid, _)| {
            let (domain, secret) = (domain.clone(), sinew_auth::Secret::clone(secret));
            let send_queue_max = config.send_queue_max;
            Rc::new(Slot {
                domain,
                secret,
                send_queue_max,
                wire: RefCell::default(),
                questions: RefCell::default(),
            })
        };
        let slots = config.components.iter().map(slot).collect();
        let (router, connections) = (RefCell::default(), Cell::default());
        Self(Rc::new(Inner { config, slots, router, connections }))
    }

    /// Gives the domains of the components to a server.
    ///
    /// # Errors
    ///
    /// [`JidError`], which domains that the configuration has accepted do not have.
    pub fn register(&self, server: ServerConfig) -> Result<ServerConfig, JidError> {
        let mut slots = self.0.slots.iter();
        slots.try_fold(server, |server, slot| server.service(slot.domain.domain(), Rc::clone(slot)))
    }

    /// Routes what components send through this server, which has been made from the configuration with their domains.
    pub fn attach(&self, server: &XmppServer) {
        *self.0.router.borrow_mut() = Some(server.router());
    }

    /// The domains whose components are connected.
    #[must_use]
    pub fn connected(&self) -> Vec<Jid> {
        let there = self.0.slots.iter().filter(|slot| slot.wire.borrow().is_some());
        there.map(|slot| slot.domain.clone()).collect()
    }

    pub(super) fn slot(&self, domain: &str) -> Option<Rc<Slot>> {
        let domain: Jid = domain.parse().ok()?;
        self.0.slots.iter().find(|slot| slot.domain == domain).cloned()
    }
}

impl Factory for ComponentPort {
    type Protocol = ComponentPortConnection;

    fn build_protocol(&mut self, _: &Peer) -> Option<ComponentPortConnection> {
        let router = self.0.router.borrow().clone()?;
        let has_room = self.0.connections.get() < self.0.config.connections_max;
        has_room.then(|| ComponentPortConnection::new(self.clone(), router))
    }
}

impl fmt::Debug for ComponentPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentPort").field("config", &self.0.config).finish_non_exhaustive()
    }
}
